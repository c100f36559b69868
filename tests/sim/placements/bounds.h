// What theory says of the results, so that a mistake in the comparison, or in the planner, is seen.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "placements/measure_limpet.h"

namespace limpet::sim {

struct Comparison {
  uint32_t pods = 0;
  uint64_t keys = 0;
  std::vector<double> floors;  // by load model: the lowest possible max/mean
  std::vector<std::pair<std::string, Measured>> hashes;
  MeasuredLimpet limpet;
  std::optional<MeasuredLimpet> limpet_skewed;
};

// One text for each result that is not what it must be.
std::vector<std::string> out_of_bounds(const Comparison& comparison);

}  // namespace limpet::sim
