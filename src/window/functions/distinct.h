// distinct: different values, numbers equal by value whatever their type; count_series: different input series.
// Integers, exact below 256, then within 1.6 % (standard error).
#pragma once

#include <optional>

#include "window/result.h"

namespace limpet::functions {

inline std::optional<Value> distinct(const FieldWindow& w) {
  if (!w.wide->distinct) return std::nullopt;
  return static_cast<int64_t>(w.wide->distinct->estimate());
}

inline std::optional<Value> count_series(const FieldWindow& w) {
  if (!w.wide->rare) return std::nullopt;
  return static_cast<int64_t>(w.wide->rare->series.estimate());
}

}  // namespace limpet::functions
