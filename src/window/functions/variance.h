// variance (s2): of the sample, sum((x - mean)^2) / (n - 1); stddev (stdev): its root. Floats, absent below two
// numbers. From n, the sum and the sum of squares in double-double: large values close together do not cancel, and
// partial states merge exactly. What is left of the digits: the difference of two sums of x^2 of 106 bits, so that a
// spread below 2^-50 of the numbers themselves is lost in rounding (1e9 + {0, 1e-3} has 8 digits). Equal numbers give
// exactly 0. Squares overflow beyond 1.3e154 (the result is then not finite) and vanish below 1e-162.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

#include "window/result.h"

namespace limpet::functions {

inline std::optional<Value> variance(const FieldWindow& w) {
  if (w.core.numbers < 2) return std::nullopt;
  // Integers that only round to the same double differ by less than what is lost anyhow.
  if (w.core.min == w.core.max) return 0.0;
  auto n = static_cast<double>(w.core.numbers);
  DoubleDouble spread = w.core.squares;
  spread.add(DoubleDouble::negated(w.core.sum.times(w.core.sum).over(n)));
  double v = spread.value() / (n - 1);
  return v < 0 ? 0 : v;  // what rounding left of nothing; NaN stays
}

inline std::optional<Value> stddev(const FieldWindow& w) {
  auto v = variance(w);
  if (!v) return v;
  return std::sqrt(std::get<double>(*v));
}

}  // namespace limpet::functions
