// Where slices begin and end: the first ones, hot keys by themselves, hot slices in two, cold neighbours as one.
#include <algorithm>
#include <set>

#include "sharding/plan_state.h"

namespace limpet {
namespace {

// Of the mean load of a slice, and of the target of a pod: above both a slice is cut.
constexpr double kHotOfMean = 2, kHotOfTarget = 0.1;
// Two neighbours become one if together they stay so far below that.
constexpr double kColdOfHot = 0.25;

double mean_load(const PlanState& state) {
  double sum = 0;
  for (double l : state.load) sum += l;
  return sum / static_cast<double>(std::max<size_t>(state.slices(), 1));
}

double hot_load(const PlanState& state) {
  return std::max(kHotOfMean * mean_load(state), kHotOfTarget * state.target());
}

}  // namespace

void divide_first(PlanState& state) {
  std::vector<uint32_t> ready = state.ready_pods();
  if (ready.empty()) return state.notes.push_back("first generation: no pod is ready");
  uint64_t count = ready.size() * uint64_t{std::max(1u, state.config.slices_per_pod_initial)};
  uint64_t width = UINT64_MAX / count + (count & (count - 1) ? 0 : 1);  // powers of two divide evenly
  Slices& s = state.next.slices;
  // Each pod gets as many as its capacity is of all.
  double capacity = 0;
  for (uint32_t pod : ready) capacity += state.pods[pod].capacity;
  size_t turn = 0;
  double turn_ends = state.pods[ready[0]].capacity;
  for (uint64_t i = 0; i < count; i++) {
    double at = (static_cast<double>(i) + 0.5) / static_cast<double>(count) * capacity;
    while (turn + 1 < ready.size() && at >= turn_ends) turn_ends += state.pods[ready[++turn]].capacity;
    s.low.push_back(i * width);
    s.owner.push_back(ready[turn]);
    s.standby.push_back(kNoPod), s.since.push_back(state.next.generation), s.cutover_s.push_back(0);
  }
  state.load.clear();
  for (uint64_t i = 0; i < count; i++) state.load.push_back(0.5 * s.share(i));
  state.bytes.assign(count, 0);
  state.moved_now.assign(count, true);
  state.counts["first generation"] = count;
  state.index();
}

namespace {

struct Hot {
  uint64_t key = 0;
  double load = 0, rest = 0;  // of the key, and of its slice beside it
};

// By slice: the hottest key, where it makes most of the slice's load and is felt by its pod.
std::map<size_t, Hot> hot_keys(const PlanState& state) {
  double least = state.config.tolerance * state.target();
  std::map<size_t, Hot> hot;
  for (size_t i = 0; i < state.pods.size(); i++) {
    if (!state.pods[i].ready) continue;
    for (const HotKey& key : state.pods[i].report->hot_keys) {
      size_t slice = state.slice_of(key.key);
      double load = state.load_of(key);
      if (state.next.slices.owner[slice] != i || state.is_single_key(slice) || state.moved_now[slice]) continue;
      if (load <= least || load < 0.5 * state.load[slice] || load <= hot[slice].load) continue;
      hot[slice] = {key.key, load, std::max(0.0, state.load[slice] - load)};
    }
  }
  std::erase_if(hot, [](const auto& entry) { return entry.second.load <= 0; });
  return hot;
}

// Each makes up to two slices more: the hottest of a pod come first, as many as it has room for.
void leave_room(const PlanState& state, std::map<size_t, Hot>& hot) {
  std::vector<size_t> order;
  for (const auto& [slice, h] : hot) order.push_back(slice);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return hot[a].load > hot[b].load; });
  std::map<uint32_t, size_t> cuts;  // by pod
  for (size_t slice : order) {
    uint32_t pod = state.next.slices.owner[slice];
    if (state.pods[pod].slices.size() + cuts[pod] + 2 <= state.config.slices_per_pod_max)
      cuts[pod] += 2;
    else
      hot.erase(slice);
  }
}

}  // namespace

void isolate_hot_keys(PlanState& state) {
  std::map<size_t, Hot> hot = hot_keys(state);
  leave_room(state, hot);
  std::set<uint64_t> borders;
  for (const auto& [slice, h] : hot) {
    borders.insert(h.key);
    if (h.key != UINT64_MAX) borders.insert(h.key + 1);
    // What is left is divided by width among the pieces.
    state.load[slice] = h.rest;
  }
  state.cut(borders);
  for (const auto& [slice, h] : hot) state.load[state.slice_of(h.key)] = h.load;
  if (hot.empty()) return;
  state.counts["isolate"] += hot.size();
  state.index();
}

void split_hot_slices(PlanState& state) {
  double hot = hot_load(state);
  std::set<uint64_t> borders;
  for (const PlanPod& pod : state.pods) {
    if (!pod.ready) continue;
    size_t room =
        state.config.slices_per_pod_max > pod.slices.size() ? state.config.slices_per_pod_max - pod.slices.size() : 0;
    std::vector<uint32_t> slices;
    for (uint32_t i : pod.slices)
      if (state.load[i] > hot && !state.is_single_key(i) && !state.moved_now[i]) slices.push_back(i);
    std::stable_sort(slices.begin(), slices.end(),
                     [&](uint32_t a, uint32_t b) { return state.load[a] > state.load[b]; });
    for (size_t n = 0; n < std::min(room, slices.size()); n++) {
      uint64_t low = state.next.slices.low[slices[n]], high = state.next.slices.high(slices[n]);
      borders.insert(low + (high - low) / 2 + (low == 0 && high == 0 ? uint64_t{1} << 63 : 0));
      state.counts["split"]++;
    }
  }
  state.cut(borders);
}

void merge_cold_slices(PlanState& state) {
  size_t ready = state.ready_pods().size();
  // Only where there are more than new clusters begin with: a quiet cluster keeps its slices.
  size_t enough = ready * std::max(state.config.slices_per_pod_min, 2 * state.config.slices_per_pod_initial);
  if (state.slices() <= enough) return;
  size_t spare = state.slices() - enough;
  double cold = kColdOfHot * hot_load(state);
  Slices& s = state.next.slices;
  // Of what moved within the hour the cutover must stay its own.
  auto moved = [&](size_t i) { return state.moved_lately[i] || state.moved_now[i]; };
  std::vector<bool> keep(state.slices(), true);
  std::vector<size_t> per_pod(state.pods.size());
  for (uint32_t owner : s.owner) per_pod[owner]++;
  for (size_t i = 0; i + 1 < state.slices() && spare > 0; i++) {
    size_t into = i;
    double load = state.load[into];
    while (i + 1 < state.slices() && spare > 0 && s.owner[i + 1] == s.owner[into] && !moved(into) && !moved(i + 1) &&
           load + state.load[i + 1] < cold && per_pod[s.owner[into]] > state.config.slices_per_pod_min) {
      i++;
      load += state.load[i];
      keep[i] = false;
      per_pod[s.owner[into]]--, spare--;
      s.since[into] = std::max(s.since[into], s.since[i]);
      s.cutover_s[into] = std::max(s.cutover_s[into], s.cutover_s[i]);
      state.bytes[into] += state.bytes[i];
    }
    state.load[into] = load;
  }
  if (std::find(keep.begin(), keep.end(), false) == keep.end()) return;
  Slices kept;
  std::vector<double> load;
  std::vector<uint64_t> bytes;
  std::vector<bool> moved_now;
  for (size_t i = 0; i < keep.size(); i++) {
    if (!keep[i]) {
      state.counts["merge"]++, state.changes++;
      continue;
    }
    kept.low.push_back(s.low[i]), kept.owner.push_back(s.owner[i]), kept.standby.push_back(s.standby[i]);
    kept.since.push_back(s.since[i]), kept.cutover_s.push_back(s.cutover_s[i]);
    load.push_back(state.load[i]), bytes.push_back(state.bytes[i]), moved_now.push_back(state.moved_now[i]);
  }
  s = std::move(kept), state.load = std::move(load), state.bytes = std::move(bytes),
  state.moved_now = std::move(moved_now);
  state.index();
}

}  // namespace limpet
