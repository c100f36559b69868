// The value of one field of a line, as line protocol knows it. Owns its text.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace limpet {

// Alternatives in the order of ValueKind.
using Value = std::variant<double, int64_t, uint64_t, bool, std::string>;

enum class ValueKind : uint8_t { kFloat, kInt, kUint, kBool, kString };

inline ValueKind kind_of(const Value& value) { return ValueKind(value.index()); }
inline bool is_number(ValueKind kind) { return kind <= ValueKind::kUint; }

}  // namespace limpet
