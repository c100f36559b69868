// increase: what the cumulative counters of the group rose by, per series and summed, over the borders of windows
// (window/counter.h). rate: increase / period in seconds. total: the running sum of increases up to the window's end.
// Floats, absent without a counter sample.
#pragma once

#include <optional>

#include "window/result.h"

namespace limpet::functions {

inline std::optional<Value> increase(const FieldWindow& w) {
  if (w.wide->counter_samples == 0) return std::nullopt;
  return w.wide->increase.value();
}

inline std::optional<Value> rate(const FieldWindow& w) {
  if (w.wide->counter_samples == 0) return std::nullopt;
  return w.wide->increase.value() / seconds(w.period_ns);
}

inline std::optional<Value> total(const FieldWindow& w) {
  if (w.wide->counter_samples == 0) return std::nullopt;
  return w.total.value();
}

}  // namespace limpet::functions
