// When an assignment is sound, and when a step from one to the next is. Readers refuse what check_structure refuses;
// the planner checks each of its phases, and the sharder what it is about to publish, with all of them. The numbers
// I1 to I19 are used in messages, tests and the simulator.
//
//   I1  cover: sorted, from 0, strictly rising        I2  one owner per slice, in the pod table; standby another pod
//   I3  generation rises                               I6  because of a death or drain only slices of those pods move
//   I7  budgets per round and per hour                 I8  cooldown per slice
//   I9  a draining, dead or starting pod gains nothing I10 death: the standby inherits, if there is a sound one
//   I12 standby in another zone, on another host if there is one
//   I13 slices per pod, file size
//   I19 mass death freezes
#pragma once

#include <string>
#include <vector>

#include "sharding/assignment.h"
#include "sharding/planner.h"

namespace limpet {

// What is wrong, one text each, beginning with the invariant: "I1: ...". Empty: sound. O(slices + pods + moves).
// Of the assignment alone (I1, I2, order of pods, columns of one length, indices in range).
std::vector<std::string> check_structure(const Assignment& assignment);
// Of the moves from `previous` to `next` (I3, I6 to I10, I19): what each phase of the planner must keep.
// O(slices log slices + moves).
std::vector<std::string> check_moves(const Assignment& previous, const Assignment& next, const PlanInput& input,
                                     const PlannerConfig& config);
// Of the whole step that was planned for `input`: its moves, the standbys (I9, I12), the number of slices (I13).
std::vector<std::string> check_step(const Assignment& previous, const Assignment& next, const PlanInput& input,
                                    const PlannerConfig& config);

}  // namespace limpet
