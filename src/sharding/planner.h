// The planner: from the last assignment and what the pods report to the next assignment. A pure function: the same
// arguments give the same bytes, nothing changed gives no new generation, and everything that must outlive the sharder
// is in the assignment itself.
//
// Phases, each validated (invariants.h) and rolled back alone: evacuate dead and draining pods; isolate hot keys; split
// hot slices; merge cold neighbours; weighted moves; standbys; commit. Weighted moves come from Slicer (Adya et al.,
// OSDI 2016, section 4.4.1).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sharding/assignment.h"
#include "sharding/assignment_codec.h"
#include "sharding/report.h"

namespace limpet {

// A smaller budget of a round is not worth cutting slices for.
inline constexpr double kRoundBudgetMin = 0.001;

struct PlannerConfig {
  std::string cluster = "default";
  double tolerance = 0.05;        // load of a pod over or under the mean that is left alone
  double round_budget = 0.02;     // share of the key space that balance (and, apart, filling) may move in `round_s`
  double hour_budget = 0.09;      // ... and balance in an hour
  double utilisation_min = 0.25;  // below it nothing is moved for balance
  int64_t round_s = 30;
  int64_t cooldown_s = 300;      // a slice moved for balance stays for so long
  int64_t cutover_delay_s = 10;  // how far ahead a move without state is announced
  int64_t hold_s = 60;           // while a roll is under way, an idle pod is kept empty at least so long (carousel)
  bool carousel = true;
  bool standbys = true;
  uint32_t slices_per_pod_initial = 32;
  uint32_t slices_per_pod_min = 16;
  uint32_t slices_per_pod_max = 96;
  double dead_share_max = 0.25;                 // more dead at once than this share of the pods, ...
  uint32_t dead_pods_min = 3;                   // ... and at least so many, are taken for the sharder's own blindness
  size_t file_bytes_max = kAssignmentBytesMax;  // before it grows longer, the oldest of `moved` are left out
};

// A report that names a higher generation is mistaken. To go beyond it would use the numbers up: 2^53 - 1 is the last
// one that the files can hold.
inline constexpr uint64_t kReportedGenerationMax = (uint64_t{1} << 52) - 1;

// A pod as the sharder sees it at this moment.
struct PodView {
  PodReport report;
  bool alive = true;  // false: its (incarnation, sequence) has not changed for the dead-after time
};

struct PlanInput {
  std::vector<PodView> pods;  // sorted by report.name, each name once
  int64_t now_s = 0;          // Unix seconds
};

struct Plan {
  // The next generation; empty: nothing to change.
  std::optional<Assignment> next;
  // More pods died at once than can be believed: nothing is moved because of it, somebody should look.
  bool frozen = false;
  // What was wanted and not done, and why, for people: "balance: waits for the hour's budget".
  std::vector<std::string> notes;
};

// `previous` has generation 0 and no slices if there never was one; the first generation is then max(now_s, 1 + the
// highest generation in any report). O(slices + pods log pods + moves log pods).
Plan plan(const Assignment& previous, const PlanInput& input, const PlannerConfig& config);

// The same. `begins` is told each phase's name as it begins, for who wants to know how long they take.
using PhaseObserver = std::function<void(const char* phase)>;
Plan plan_observed(const Assignment& previous, const PlanInput& input, const PlannerConfig& config,
                   const PhaseObserver& begins);

}  // namespace limpet
