// Limpet's planner in the place of a hash: a cluster of pods that report their loads, and what plan() makes of it on a
// virtual clock. Every pod adopts every generation before the next round.
#pragma once

#include <string>
#include <vector>

#include "load_model.h"
#include "sharding/planner.h"

namespace limpet::sim {

class LimpetCluster {
 public:
  // Begins with the first generation, when no load is known yet. Refers to the model, which must outlive it.
  LimpetCluster(const LoadModel& model, uint32_t pods, const PlannerConfig& config);

  // One round: everybody reports, plan() runs, the clock goes on by `round_s`. Returns the keys that changed pods.
  size_t round();
  // Rounds until nothing has changed for `quiet` of them, at most `most`. Returns the keys that changed pods.
  size_t settle(uint32_t quiet, uint32_t most);
  // From now on every step, of copies too, is held against check_step; what it breaks is appended.
  void check_steps(std::vector<std::string>& violations) { violations_ = &violations; }
  void set_carousel(bool on) { config_.carousel = on; }

  void add(uint32_t pod);
  void drain(uint32_t pod);
  // REQUIRES: it has drained. With the revision of a new deployment.
  void stop(uint32_t pod);
  void start_again(uint32_t pod);

  bool owns_nothing(uint32_t pod) const;
  // Of the most loaded pod over the mean of those that are there.
  double imbalance() const;
  // Keys that belong to others than `pod` and changed pods in the last round.
  size_t collateral_of(uint32_t pod) const;
  bool changed() const { return changed_; }  // in the last round
  size_t slices() const { return assignment_.slices.size(); }

 private:
  std::vector<PodReport>::iterator find(uint32_t pod);
  size_t count_moved(const Assignment& before);

  const LoadModel& model_;
  PlannerConfig config_;
  PlanInput input_;
  std::vector<PodReport> reports_;  // sorted by name
  Assignment assignment_;
  std::vector<std::pair<std::string, size_t>> moved_from_;  // in the last round: former owner, keys
  std::vector<std::string>* violations_ = nullptr;
  bool changed_ = false;
};

}  // namespace limpet::sim
