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
      zones_.insert(state.next.pods[pod].zone);
      if (state.pods[pod].full) continue;
      Zone& zone = by_zone_[state.next.pods[pod].zone];
      zone.pods.insert({weight(pod), pod});
      zone.hosts.insert(state.next.pods[pod].host);
    }
  }

  bool is_sound(size_t slice) const {
    int32_t standby = state_.next.slices.standby[slice];
    if (standby == kNoPod) return false;
    auto s = static_cast<size_t>(standby);
    uint32_t owner = state_.next.slices.owner[slice];
    if (s == owner || !state_.pods[s].ready) return false;
    if (state_.next.pods[s].zone == state_.next.pods[owner].zone && has_other_zone(owner)) return false;
    return state_.next.pods[s].host != state_.next.pods[owner].host || !has_other_host(owner);
  }

  // kNoPod: there is nobody.
  int32_t place(size_t slice) {
    uint32_t owner = state_.next.slices.owner[slice];
    bool other_host = has_other_host(owner);
    Pods* best = nullptr;
    Pods::iterator best_at;
    for (auto& [name, zone] : by_zone_) {
      if (!is_allowed(name, owner)) continue;
      auto at = first_elsewhere(zone.pods, owner, other_host);
      if (at == zone.pods.end() || (best && *best_at < *at)) continue;
      best = &zone.pods, best_at = at;
    }
    if (!best) return kNoPod;
    uint32_t pod = best_at->second;
    best->erase(best_at);
    standby_load_[pod] += state_.load[slice];
    best->insert({weight(pod), pod});
    return static_cast<int32_t>(pod);
  }

 private:
  using Pods = std::set<std::pair<double, uint32_t>>;
  struct Zone {
    Pods pods;
    std::set<std::string_view> hosts;
  };

  double weight(uint32_t pod) const {
    return (0.3 * state_.pods[pod].load + standby_load_[pod]) / state_.pods[pod].capacity;
  }
  bool has_other_zone(uint32_t owner) const {
    return zones_.size() > 1 || !zones_.contains(state_.next.pods[owner].zone);
  }
  bool is_allowed(std::string_view zone, uint32_t owner) const {
    return !has_other_zone(owner) || zone != state_.next.pods[owner].zone;
  }
  // In the zones that are allowed.
  bool has_other_host(uint32_t owner) const {
    return std::any_of(by_zone_.begin(), by_zone_.end(), [&](const auto& entry) {
      const auto& [name, zone] = entry;
      return is_allowed(name, owner) && zone.hosts.size() > zone.hosts.count(state_.next.pods[owner].host);
    });
  }
  Pods::iterator first_elsewhere(Pods& pods, uint32_t owner, bool other_host) const {
    return std::find_if(pods.begin(), pods.end(), [&](const auto& entry) {
      return entry.second != owner &&
             !(other_host && state_.next.pods[entry.second].host == state_.next.pods[owner].host);
    });
  }

  PlanState& state_;
  std::vector<double> standby_load_;
  std::map<std::string_view, Zone> by_zone_;  // those that have memory left
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
