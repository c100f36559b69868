// Hashes of values for `distinct`: numbers that are equal hash alike whatever their type; strings, bools and numbers
// never collide by kind.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <variant>

#include "base/hash.h"
#include "base/value.h"

namespace limpet {

namespace value_hash_detail {
inline uint64_t hash_words(uint64_t domain, uint64_t value) {
  uint64_t words[2] = {domain, value};
  return hash64({reinterpret_cast<const char*>(words), sizeof words});
}
}  // namespace value_hash_detail

inline uint64_t hash_of(int64_t v) { return value_hash_detail::hash_words(v < 0 ? 1 : 0, static_cast<uint64_t>(v)); }
inline uint64_t hash_of(uint64_t v) { return value_hash_detail::hash_words(0, v); }
inline uint64_t hash_of(double v) {
  if (v == std::floor(v)) {
    if (v >= 0 && v < 0x1p64) return hash_of(static_cast<uint64_t>(v));
    if (v < 0 && v >= -0x1p63) return hash_of(static_cast<int64_t>(v));
  }
  return value_hash_detail::hash_words(2, std::bit_cast<uint64_t>(v));
}
inline uint64_t hash_of(bool v) { return value_hash_detail::hash_words(3, v); }
inline uint64_t hash_of(std::string_view v) { return hash64(v, 4); }
inline uint64_t hash_of(const char* v) { return hash_of(std::string_view(v)); }  // which would else be a bool
inline uint64_t hash_of_value(const Value& v) {
  return std::visit([](const auto& kind) { return hash_of(kind); }, v);
}

}  // namespace limpet
