// The planted bugs that spoil a plan; those of pods and of publishing are in world.cpp.
#pragma once

#include "sharding/planner.h"
#include "world.h"

namespace limpet::sim {

// What the bug makes of the configuration, and of a plan. `calls` counts all plans of the run.
PlannerConfig spoiled(Bug bug, PlannerConfig config);
void spoil(Bug bug, uint64_t calls, const Assignment& previous, const PlanInput& input, Plan& plan);

}  // namespace limpet::sim
