// first, last: the sample with the least and the greatest timestamp, of equal ones the first and the last that arrived.
// Of any type, kept as it is.
#pragma once

#include <optional>

#include "window/result.h"

namespace limpet::functions {

inline std::optional<Value> first(const FieldWindow& w) {
  if (!w.wide->first_last) return std::nullopt;
  return w.wide->first_last->first.value;
}

inline std::optional<Value> last(const FieldWindow& w) {
  if (!w.wide->first_last) return std::nullopt;
  return w.wide->first_last->last.value;
}

}  // namespace limpet::functions
