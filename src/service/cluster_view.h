// A cluster as people look at it: pods with what they own and how loaded they are, slices with their load. Made from
// the assignment and the reports; the status page, the API, the metrics and `limpet status` show it. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sharding/assignment.h"
#include "sharding/report.h"

namespace limpet {

// What is known of one pod.
struct PodSight {
  PodReport report;
  bool alive = true;
  bool reported = true;     // there is a report; false: `report` is what the assignment says
  double report_age_s = 0;  // since it last changed
};

struct PodLine {
  PodSight sight;
  std::string state;  // as the reports say, or "dead"
  uint64_t slices = 0, standby_slices = 0;
  double share = 0;  // of the key space
  double load = 0;   // of the slices that it owns
  double samples_per_s = 0;
  uint64_t groups = 0, state_bytes = 0;
};

// How far the load of pods lies apart, in loads of the mean pod (per weight; of ready pods).
struct Imbalance {
  double max_mean = 0;  // 0: no load is known
  double p95_mean = 0;
};

struct ClusterView {
  std::shared_ptr<const Assignment> assignment;  // null: there is none
  std::vector<PodLine> pods;                     // sorted by name
  std::vector<SliceLoad> slices;                 // of the assignment, as their owners report them
  bool load_is_cpu = false;  // load counts CPU seconds per second; else samples/s, since nobody reports CPU
  Imbalance imbalance;

  double load_of(const SliceLoad& slice) const { return load_is_cpu ? slice.cpu : slice.samples_per_s; }
};

// The assignment says so of this very life. Null: none does.
bool called_dead(const Assignment* assignment, const PodReport& report);

// `pods`: sorted by name. Those of the assignment that are not among them are added. O(slices log slices + pods).
ClusterView make_view(std::shared_ptr<const Assignment> assignment, std::vector<PodSight> pods);

}  // namespace limpet
