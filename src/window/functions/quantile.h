// p50, p99.9, quantile(0.999): the value of rank ceil(q n) of the numbers in rising order, within 1 % of itself. Float.
#pragma once

#include <optional>

#include "window/result.h"

namespace limpet::functions {

inline std::optional<Value> quantile(const FieldWindow& w, Quantile q) {
  if (!w.wide->quantiles) return std::nullopt;
  return w.wide->quantiles->quantile(q.numerator, q.denominator);
}

}  // namespace limpet::functions
