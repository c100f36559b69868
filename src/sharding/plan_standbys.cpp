// Each slice has a standby: in another zone if there is one, else on another host, else any other pod. Those that are
// sound stay: to make a standby warm costs a copy of the state.
#include <algorithm>
#include <set>

#include "sharding/plan_state.h"

namespace limpet {
namespace {

class Placer {
 public:
  explicit Placer(PlanState& state) : state_(state), standby_load_(state.pods.size()) {
    for (size_t i = 0; i < state.slices(); i++)
      if (state.next.slices.standby[i] != kNoPod)
        standby_load_[static_cast<size_t>(state.next.slices.standby[i])] += state.load[i];
    for (uint32_t pod : state.ready_pods()) {
      if (!state.pods[pod].full) by_zone_[state.next.pods[pod].zone].insert({weight(pod), pod});
      zones_.insert(state.next.pods[pod].zone);
    }
  }

  bool is_sound(size_t slice) const {
    int32_t standby = state_.next.slices.standby[slice];
    if (standby == kNoPod) return false;
    auto s = static_cast<size_t>(standby);
    uint32_t owner = state_.next.slices.owner[slice];
    if (s == owner || !state_.pods[s].ready) return false;
    return state_.next.pods[s].zone != state_.next.pods[owner].zone || !has_other_zone(owner);
  }

  // kNoPod: there is nobody.
  int32_t place(size_t slice) {
    uint32_t owner = state_.next.slices.owner[slice];
    std::set<std::pair<double, uint32_t>>* best = nullptr;
    for (auto& [zone, pods] : by_zone_) {
      if (pods.empty() || (has_other_zone(owner) && zone == state_.next.pods[owner].zone)) continue;
      if (!best || *pods.begin() < *best->begin()) best = &pods;
    }
    if (!best) return kNoPod;
    auto at = first_elsewhere(*best, owner);
    if (at == best->end()) return kNoPod;
    uint32_t pod = at->second;
    best->erase(at);
    standby_load_[pod] += state_.load[slice];
    best->insert({weight(pod), pod});
    return static_cast<int32_t>(pod);
  }

 private:
  using Pods = std::set<std::pair<double, uint32_t>>;

  double weight(uint32_t pod) const {
    return (0.3 * state_.pods[pod].load + standby_load_[pod]) / state_.pods[pod].capacity;
  }
  bool has_other_zone(uint32_t owner) const {
    return zones_.size() > 1 || !zones_.contains(state_.next.pods[owner].zone);
  }
  // Not the owner, and not its host if there is another one.
  Pods::iterator first_elsewhere(Pods& pods, uint32_t owner) const {
    auto other = [&](const auto& entry) { return entry.second != owner; };
    auto other_host = [&](const auto& entry) {
      return other(entry) && state_.next.pods[entry.second].host != state_.next.pods[owner].host;
    };
    auto at = std::find_if(pods.begin(), pods.end(), other_host);
    return at != pods.end() ? at : std::find_if(pods.begin(), pods.end(), other);
  }

  PlanState& state_;
  std::vector<double> standby_load_;
  std::map<std::string_view, Pods> by_zone_;
  std::set<std::string_view> zones_;
};

}  // namespace

void place_standbys(PlanState& state) {
  Slices& s = state.next.slices;
  if (!state.config.standbys) {
    std::fill(s.standby.begin(), s.standby.end(), kNoPod);
    return;
  }
  Placer placer(state);
  for (size_t i = 0; i < state.slices(); i++) {
    if (placer.is_sound(i)) continue;
    int32_t standby = placer.place(i);
    if (standby != s.standby[i]) state.counts["standby"]++;
    s.standby[i] = standby;
  }
}

}  // namespace limpet
