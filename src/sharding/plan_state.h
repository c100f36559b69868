// The planner's working state: the assignment under construction, with what is known of pods and slices beside it. Each
// phase is a function over it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/planner.h"

namespace limpet {

// By index, as Assignment::pods.
struct PlanPod {
  const PodReport* report = nullptr;  // null: none
  bool alive = false;
  bool ready = false;   // alive and in service: may be given slices
  bool dying = false;   // dead, draining or drained: gives slices away
  bool held = false;    // idle, and kept so for the next victim of a roll
  bool full = false;    // too little memory for more
  double capacity = 1;  // times weight
  double load = 0;
  uint64_t bytes = 0;
  std::vector<uint32_t> slices;  // indices, by low

  double utilisation() const { return load / capacity; }
};

struct PlanState {
  PlanState(const Assignment& previous, const PlanInput& input, const PlannerConfig& config);

  const Assignment& previous;
  const PlanInput& input;
  const PlannerConfig& config;

  Assignment next;
  std::vector<PlanPod> pods;
  // By slice.
  std::vector<double> load;  // in units of capacity
  std::vector<uint64_t> bytes;
  std::vector<bool> moved_now;
  std::vector<bool> moved_lately;  // within the hour
  std::vector<bool> filled;        // it came to its owner by filling, within the hour
  std::vector<bool> inherited;     // ... by a death or drain
  std::vector<bool> resting;       // moved for balance, filling or merged within the cooldown

  bool fresh = false;  // every ready pod's report knows the previous generation
  bool loads_known = false;
  bool in_cpu = false;         // loads are CPU seconds per second; else only comparable to each other
  double load_per_sample = 0;  // else
  bool frozen = false;
  size_t changes = 0;                    // that phases made, so that what changed nothing need not be checked
  std::map<std::string, size_t> counts;  // what was done, for the causes: "drain agg-1" -> slices
  std::vector<std::string> notes;

  size_t slices() const { return next.slices.size(); }
  bool is_single_key(size_t slice) const { return next.slices.high(slice) == next.slices.low[slice] + 1; }
  size_t slice_of(uint64_t key) const;
  double load_of(const HotKey& key) const { return in_cpu ? key.cpu : key.samples_per_s * load_per_sample; }
  // A slice changes its owner.
  void move(uint32_t slice, uint32_t to, MoveCause cause);
  // Borders at which slices are cut; halves keep owner, standby, since and cutover. Load is divided by share.
  void cut(const std::set<uint64_t>& borders);
  // Recomputes what hangs on the slices' indices: pods' lists, loads, marks of moves.
  void index();
  // Less than so long ago. Or ahead: the clocks of sharders differ, and where one stepped back, what lies further ahead
  // is of no time that is known.
  bool is_within(int64_t at_s, int64_t s) const { return at_s > input.now_s - s && at_s < input.now_s + s; }
  // Key share that `cause` moved within `s` seconds, with what this plan moved.
  double moved_share(MoveCause cause, int64_t s) const;
  bool has_ready() const;
  std::vector<uint32_t> ready_pods() const;
  // Load per capacity that every ready pod should have: the mean, where keys that cannot be divided and are hotter than
  // it are taken out first ("water-filling").
  double target() const;
};

// What each slice makes its owner work, from the reports (plan_loads.cpp).
void estimate_loads(PlanState& state);

// The phases, in order. hold_idle_pods() only marks: who is kept empty for the next victim of a roll (the carousel).
void evacuate(PlanState& state);
void hold_idle_pods(PlanState& state);
void fill_idle_pods(PlanState& state);
void isolate_hot_keys(PlanState& state);
void split_hot_slices(PlanState& state);
void merge_cold_slices(PlanState& state);
void balance(PlanState& state);
void place_standbys(PlanState& state);

// Slices of the first generation.
void divide_first(PlanState& state);

}  // namespace limpet
