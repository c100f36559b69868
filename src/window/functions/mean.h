// mean: sum / count over the numbers of the window. Float. Weighs series by how often they report; mean(last) does not.
// Divided in double-double: the mean of equal numbers is that number, and no mean lies outside [min, max].
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "window/result.h"

namespace limpet::functions {

// REQUIRES: n > 0.
inline double mean_of(const DoubleDouble& sum, uint64_t n) {
  double mean = sum.over(static_cast<double>(n)).value();
  // Near the largest double the remainder of the division overflows, near the least one it is below what a double
  // holds.
  return std::isfinite(mean) ? mean : sum.value() / static_cast<double>(n);
}

inline std::optional<Value> mean(const FieldWindow& w) { return mean_of(w.core.sum, w.core.numbers); }

}  // namespace limpet::functions
