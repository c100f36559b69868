// histogram(bounds...): for each bound how many numbers are at or below it, then +Inf: cumulative, one line a bound
// with the tag `le`. histogram: the same with the powers of two around the numbers that came, and 0 where some are at
// or below it.
#pragma once

#include <string_view>
#include <utility>

#include "lineproto/format.h"
#include "window/result.h"

namespace limpet::functions {

template <typename F>
void histogram_bounds(const std::vector<double>& bounds, const BoundsHistogram& histogram, F bucket) {
  if (histogram.empty()) return;
  uint64_t n = 0;
  for (size_t i = 0; i < bounds.size(); i++) bucket(bounds[i], n += histogram.counts()[i]);
}

template <typename F>
void histogram_powers(const PowerHistogram& histogram, F bucket) {
  histogram.for_each_bound(bucket);
}

}  // namespace limpet::functions
