// The state of one field in one pane, core and wide as one, as tests and the fuzzer handle it; and values as text.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "window/cell.h"
#include "window/result.h"

namespace limpet {

// "1.5", "2i", "2u", "true", "\"text\"", "absent".
inline std::string show(const std::optional<Value>& value) {
  if (!value) return "absent";
  switch (kind_of(*value)) {
    case ValueKind::kFloat:
      return fmt::format("{}", std::get<double>(*value));
    case ValueKind::kInt:
      return fmt::format("{}i", std::get<int64_t>(*value));
    case ValueKind::kUint:
      return fmt::format("{}u", std::get<uint64_t>(*value));
    case ValueKind::kBool:
      return std::get<bool>(*value) ? "true" : "false";
    case ValueKind::kString:
      return '"' + std::get<std::string>(*value) + '"';
  }
  return {};
}

struct Cells {
  CoreCell core;
  WideCell wide;

  bool add(const FieldProgram& program, const Sample& s) {
    return add_sample(program, core, program.wide() ? &wide : nullptr, s);
  }
  void merge(const FieldProgram& program, const Cells& other) {
    core.merge(other.core);
    if (program.wide()) merge_wide(program, wide, other.wide);
  }
  std::string encoded(const FieldProgram& program) const {
    std::string bytes;
    Writer out(bytes);
    encode_cell(program, core, program.wide() ? &wide : nullptr, out);
    return bytes;
  }
  bool decode(const FieldProgram& program, std::string_view bytes) {
    Reader in(bytes);
    return decode_cell(program, core, program.wide() ? &wide : nullptr, in) && in.done();
  }
  FieldWindow window(const FieldProgram& program, int64_t period_ns, DoubleDouble total = {}) const {
    return {core, program.wide() ? &wide : nullptr, period_ns, total};
  }
};

}  // namespace limpet
