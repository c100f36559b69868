// What is compared: how many keys change pods when pods come and go, and how even the load is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "placements/placement.h"

namespace limpet::sim {

// Shares of all keys; `restart`: key spaces, for a rolling restart of all pods, one after the other, each returning
// under its name. By load model: the load of the most loaded pod over the mean.
struct Measured {
  double add = 0, remove = 0, collateral = 0, restart = 0;
  std::vector<double> imbalance;
};

// `restarts`: how many of the pods, evenly spread, are restarted; the rest is extrapolated. `remove` and `collateral`
// (keys that moved though their pod stayed) are means of those.
Measured measure(const Scheme& scheme, std::span<const LoadModel> models, uint32_t pods, uint64_t seed,
                 uint32_t restarts);

// By value, so that results of several seeds become one. REQUIRES: not empty.
double median(std::vector<double> values);
Measured median(const std::vector<Measured>& seeds);

}  // namespace limpet::sim
