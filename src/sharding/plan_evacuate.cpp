// Slices of pods that died or drain get new owners, at once and outside every budget.
#include <algorithm>
#include <set>

#include "sharding/plan_state.h"

namespace limpet {
namespace {

// More dead at once than can be believed, unless a whole zone went.
bool is_mass_death(const PlanState& state, const std::vector<uint32_t>& dead) {
  size_t all = 0;
  for (const PlanPod& pod : state.pods) all += pod.alive || !pod.slices.empty();
  if (dead.size() < state.config.dead_pods_min ||
      static_cast<double>(dead.size()) <= state.config.dead_share_max * static_cast<double>(all))
    return false;
  std::map<std::string_view, size_t> zones, dead_zones;
  for (size_t i = 0; i < state.pods.size(); i++)
    if (state.pods[i].alive || !state.pods[i].slices.empty()) zones[state.next.pods[i].zone]++;
  for (uint32_t pod : dead) dead_zones[state.next.pods[pod].zone]++;
  if (zones.size() < 2) return true;
  return std::none_of(dead_zones.begin(), dead_zones.end(), [&](const auto& zone) {
    return static_cast<double>(zone.second) >= 0.9 * static_cast<double>(dead.size());
  });
}

// The coldest pods first.
class Coldest {
 public:
  explicit Coldest(PlanState& state) : state_(state) {
    for (uint32_t pod : state.ready_pods())
      if (!state.pods[pod].full) order_.insert({state.pods[pod].utilisation(), pod});
    if (!order_.empty()) return;
    for (uint32_t pod : state.ready_pods()) order_.insert({state.pods[pod].utilisation(), pod});
  }
  uint32_t take(uint32_t slice) {
    uint32_t pod = order_.begin()->second;
    order_.erase(order_.begin());
    order_.insert({state_.pods[pod].utilisation() + state_.load[slice] / state_.pods[pod].capacity, pod});
    return pod;
  }

 private:
  PlanState& state_;
  std::set<std::pair<double, uint32_t>> order_;
};

std::vector<uint32_t> idle_pods(const PlanState& state) {
  std::vector<uint32_t> idle;
  for (uint32_t pod : state.ready_pods())
    if (state.pods[pod].slices.empty() && !state.pods[pod].full) idle.push_back(pod);
  // Who came last takes first: in a roll that is who was just replaced.
  std::stable_sort(idle.begin(), idle.end(),
                   [&](uint32_t a, uint32_t b) { return state.next.pods[a].since_s > state.next.pods[b].since_s; });
  return idle;
}

bool is_sound_standby(const PlanState& state, int32_t standby) {
  return standby != kNoPod && state.pods[static_cast<size_t>(standby)].ready;
}

// Hottest first, each to the coldest pod.
void spread(PlanState& state, std::vector<uint32_t> slices, MoveCause cause) {
  std::stable_sort(slices.begin(), slices.end(), [&](uint32_t a, uint32_t b) { return state.load[a] > state.load[b]; });
  Coldest coldest(state);
  for (uint32_t slice : slices) state.move(slice, coldest.take(slice), cause);
}

void evacuate_dead(PlanState& state, const std::vector<uint32_t>& dead) {
  std::vector<uint32_t> idle = idle_pods(state), homeless;
  for (uint32_t pod : dead) {
    std::vector<uint32_t> rest;
    for (uint32_t slice : std::vector<uint32_t>(state.pods[pod].slices)) {
      int32_t standby = state.next.slices.standby[slice];
      if (is_sound_standby(state, standby))
        state.move(slice, static_cast<uint32_t>(standby), MoveCause::kDeath);
      else
        rest.push_back(slice);
    }
    std::erase_if(idle, [&](uint32_t i) { return !state.pods[i].slices.empty(); });
    if (rest.empty() || idle.empty()) {
      homeless.insert(homeless.end(), rest.begin(), rest.end());
      continue;
    }
    for (uint32_t slice : rest) state.move(slice, idle.front(), MoveCause::kDeath);
    idle.erase(idle.begin());
  }
  spread(state, homeless, MoveCause::kDeath);
}

// Who would get so hot by it that balance would have to move it again is no place to go.
bool has_room(const PlanState& state, int32_t standby, uint32_t slice, double target) {
  const PlanPod& pod = state.pods[static_cast<size_t>(standby)];
  return !pod.full && (pod.load + state.load[slice]) / pod.capacity <= target * (1 + state.config.tolerance);
}

void evacuate_draining(PlanState& state, const std::vector<uint32_t>& draining) {
  std::vector<uint32_t> homeless;
  double target = state.target();
  for (uint32_t pod : draining) {
    std::vector<uint32_t> block = state.pods[pod].slices,
                          idle = state.config.carousel ? idle_pods(state) : std::vector<uint32_t>();
    for (uint32_t slice : block) {
      int32_t standby = state.next.slices.standby[slice];
      if (!idle.empty())
        state.move(slice, idle.front(), MoveCause::kDrain);
      else if (is_sound_standby(state, standby) && has_room(state, standby, slice, target))
        state.move(slice, static_cast<uint32_t>(standby), MoveCause::kDrain);
      else
        homeless.push_back(slice);
    }
  }
  spread(state, homeless, MoveCause::kDrain);
}

}  // namespace

void evacuate(PlanState& state) {
  std::vector<uint32_t> dead, draining;
  for (uint32_t i = 0; i < state.pods.size(); i++) {
    if (state.pods[i].slices.empty() || !state.pods[i].dying) continue;
    (state.next.pods[i].state == PodState::kDead ? dead : draining).push_back(i);
  }
  if (dead.empty() && draining.empty()) return;
  if (!state.has_ready()) return state.notes.push_back("evacuation: no pod is ready to take over");
  if (is_mass_death(state, dead)) {
    state.frozen = true;
    state.notes.push_back("evacuation: " + std::to_string(dead.size()) + " pods died at once, which is not believed");
  } else {
    evacuate_dead(state, dead);
  }
  evacuate_draining(state, draining);
}

}  // namespace limpet
