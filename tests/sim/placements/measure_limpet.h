// The planner put through what the hashes are put through.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "placements/limpet.h"
#include "placements/measure.h"

namespace limpet::sim {

struct LimpetLimits {
  uint32_t rounds_max = 500;  // for one load to come to rest
  uint32_t quiet = 125;       // rounds without a change that are rest: more than the hour of the hour's budget
  uint32_t restarts = 100;    // of a rolling restart, the rest is extrapolated
  bool checked = false;       // every step is held against the invariants
};

// Of one load, from a start that knows nothing of it.
struct Convergence {
  uint32_t rounds = 0;   // after which the most loaded pod stays within 10 % of the floor, the planner's band
  double moved = 0;      // share of the keys, in those rounds
  double imbalance = 0;  // in the end
  bool reached = false;
};
Convergence converge(LimpetCluster& cluster, const LoadModel& model, uint32_t pods, const LimpetLimits& limits);

struct MeasuredLimpet {
  Measured moves;  // imbalance: by load model; the rest under the load `moves_under`
  std::vector<Convergence> convergence;
  double restart_without_carousel = 0;
  std::vector<std::string> violations;
};

// Moves are those under models[moves_under].
MeasuredLimpet measure_limpet(std::span<const LoadModel> models, uint32_t pods, size_t moves_under,
                              const LimpetLimits& limits);

// Key spaces moved by a rolling restart, everything until all is at rest again included.
double rolling_restart(LimpetCluster cluster, const LoadModel& model, uint32_t pods, bool carousel,
                       const LimpetLimits& limits);

MeasuredLimpet median(const std::vector<MeasuredLimpet>& seeds);

}  // namespace limpet::sim
