#include "sharding/plan_state.h"

#include <algorithm>
#include <cmath>

namespace limpet {
namespace {

constexpr int64_t kRememberedS = 3600;
constexpr double kMemoryFull = 0.9;
// A slice that came so lately looks colder in the report than it is.
constexpr int64_t kYoungS = 30;

bool same_pod(const AssignedPod& a, const PodReport& b) { return a.incarnation == b.incarnation; }

AssignedPod described(const PodView& view, const AssignedPod* before, int64_t now_s) {
  const PodReport& r = view.report;
  AssignedPod pod{.name = r.name,
                  .incarnation = r.incarnation,
                  .address = r.address,
                  .zone = r.zone,
                  .host = r.host,
                  .revision = r.revision,
                  .weight = r.weight};
  pod.state = view.alive ? r.state : PodState::kDead;
  bool same = before && same_pod(*before, r) && before->state == pod.state;
  pod.since_s = same ? before->since_s : now_s;
  return pod;
}

}  // namespace

PlanState::PlanState(const Assignment& previous_, const PlanInput& input_, const PlannerConfig& config_)
    : previous(previous_), input(input_), config(config_) {
  next.cluster = config.cluster;
  next.created_s = input.now_s;
  uint64_t known = previous.generation;
  for (const PodView& view : input.pods) known = std::max(known, view.report.generation);
  next.generation = known + 1;
  if (previous.generation == 0)
    next.generation = std::max<uint64_t>(next.generation, static_cast<uint64_t>(std::max<int64_t>(input.now_s, 1)));
  next.slices = previous.slices;
  for (const Move& m : previous.moved)
    if (m.at_s > input.now_s - kRememberedS) next.moved.push_back(m);
  first_new_move = next.moved.size();

  // The table: who is there, and who was and still owns something or went within the hour.
  std::vector<bool> owns(previous.pods.size());
  for (uint32_t owner : previous.slices.owner) owns[owner] = true;
  std::vector<const PodView*> views;
  size_t v = 0;
  auto add_view = [&](const AssignedPod* before) {
    const PodView& view = input.pods[v++];
    if (!view.alive && !before) return;
    AssignedPod pod = described(view, before, input.now_s);
    size_t index = before ? static_cast<size_t>(before - previous.pods.data()) : 0;
    bool gone = pod.state == PodState::kDead || pod.state == PodState::kDrained;
    if (before && gone && !owns[index] && input.now_s - pod.since_s > kRememberedS) return;
    next.pods.push_back(std::move(pod));
    views.push_back(&view);
  };
  for (const AssignedPod& before : previous.pods) {
    while (v < input.pods.size() && input.pods[v].report.name < before.name) add_view(nullptr);
    if (v < input.pods.size() && input.pods[v].report.name == before.name) {
      add_view(&before);
      continue;
    }
    AssignedPod pod = before;
    if (pod.state != PodState::kDead) pod.state = PodState::kDead, pod.since_s = input.now_s;
    if (!owns[static_cast<size_t>(&before - previous.pods.data())] && input.now_s - pod.since_s > kRememberedS)
      continue;
    next.pods.push_back(std::move(pod));
    views.push_back(nullptr);
  }
  while (v < input.pods.size()) add_view(nullptr);

  std::vector<int32_t> place(previous.pods.size(), kNoPod);
  for (size_t i = 0; i < previous.pods.size(); i++) place[i] = next.find_pod(previous.pods[i].name);
  for (uint32_t& owner : next.slices.owner) owner = static_cast<uint32_t>(place[owner]);
  for (int32_t& standby : next.slices.standby)
    if (standby != kNoPod) standby = place[static_cast<size_t>(standby)];

  pods.resize(next.pods.size());
  fresh = true;
  for (size_t i = 0; i < pods.size(); i++) {
    PlanPod& pod = pods[i];
    const AssignedPod& entry = next.pods[i];
    pod.report = views[i] ? &views[i]->report : nullptr;
    pod.alive = views[i] && views[i]->alive;
    pod.ready = pod.alive && entry.state == PodState::kReady;
    pod.dying =
        entry.state == PodState::kDead || entry.state == PodState::kDraining || entry.state == PodState::kDrained;
    if (pod.report) {
      pod.capacity = std::max(1e-6, pod.report->capacity * pod.report->weight);
      pod.full = pod.report->memory_limit > 0 &&
                 static_cast<double>(pod.report->memory) > kMemoryFull * static_cast<double>(pod.report->memory_limit);
    }
    if (pod.ready && pod.report->generation != previous.generation) fresh = false;
  }
  load.assign(slices(), 0);
  bytes.assign(slices(), 0);
  moved_now.assign(slices(), false);

  // Loads as reported by who has the slice; the rest as dense as those.
  for (const PlanPod& pod : pods)
    if (pod.report)
      for (const SliceLoad& s : pod.report->slices) in_cpu |= s.cpu > 0;
  std::vector<bool> known_load(slices());
  double sum = 0, share = 0;
  for (size_t i = 0; i < slices(); i++) {
    const PlanPod& pod = pods[next.slices.owner[i]];
    bool young = next.slices.since[i] > 0 && pod.report &&
                 (pod.report->generation < next.slices.since[i] || input.now_s - next.slices.cutover_s[i] < kYoungS);
    if (!pod.report || (young && next.slices.cutover_s[i] != 0)) continue;
    const auto& reported = pod.report->slices;
    auto at = std::lower_bound(reported.begin(), reported.end(), next.slices.low[i],
                               [](const SliceLoad& s, uint64_t low) { return s.low < low; });
    if (at == reported.end() || at->low != next.slices.low[i]) continue;
    load[i] = in_cpu ? at->cpu : at->samples_per_s;
    bytes[i] = at->state_bytes;
    known_load[i] = true;
    sum += load[i], share += next.slices.share(i);
  }
  loads_known = share > 0.5 && sum > 0;
  double density = share > 0 && sum > 0 ? sum / share : 1;
  for (size_t i = 0; i < slices(); i++)
    if (!known_load[i]) load[i] = density * next.slices.share(i);
  if (!in_cpu) {
    // No unit of its own: as if all pods together were half busy.
    double total = 0, capacity = 0;
    for (double l : load) total += l;
    for (const PlanPod& pod : pods)
      if (pod.ready) capacity += pod.capacity;
    if (total > 0 && capacity > 0)
      for (double& l : load) l *= 0.5 * capacity / total;
  }
  index();
}

void PlanState::index() {
  for (PlanPod& pod : pods) pod.slices.clear(), pod.load = 0, pod.bytes = 0;
  for (uint32_t i = 0; i < slices(); i++) {
    PlanPod& pod = pods[next.slices.owner[i]];
    pod.slices.push_back(i);
    pod.load += load[i], pod.bytes += bytes[i];
  }
  constexpr int64_t kNever = std::numeric_limits<int64_t>::min();
  balanced_at.assign(slices(), kNever);
  moved_lately.assign(slices(), false);
  for (const Move& m : next.moved) {
    size_t i = static_cast<size_t>(std::upper_bound(next.slices.low.begin(), next.slices.low.end(), m.low) -
                                   next.slices.low.begin()) -
               1;
    for (; i < slices() && (m.high == 0 || next.slices.low[i] < m.high); i++) {
      moved_lately[i] = true;
      if (m.cause == MoveCause::kBalance || m.cause == MoveCause::kMerge || m.cause == MoveCause::kFill)
        balanced_at[i] = std::max(balanced_at[i], m.at_s);
    }
  }
}

void PlanState::move(uint32_t slice, uint32_t to, MoveCause cause) {
  Slices& s = next.slices;
  uint32_t from = s.owner[slice];
  int64_t cutover = input.now_s + (cause == MoveCause::kDeath ? 0 : config.cutover_delay_s);
  s.cutover_s[slice] = std::max(cutover, s.cutover_s[slice]);
  s.owner[slice] = to;
  s.since[slice] = next.generation;
  if (s.standby[slice] == static_cast<int32_t>(to)) s.standby[slice] = kNoPod;
  next.moved.push_back(
      {s.low[slice], s.high(slice), input.now_s, s.cutover_s[slice], cause, next.pods[from].name, next.pods[to].name});
  moved_now[slice] = true;
  auto& list = pods[from].slices;
  list.erase(std::find(list.begin(), list.end(), slice));
  auto& gains = pods[to].slices;
  gains.insert(std::upper_bound(gains.begin(), gains.end(), slice), slice);
  pods[from].load -= load[slice], pods[to].load += load[slice];
  pods[from].bytes -= std::min(pods[from].bytes, bytes[slice]), pods[to].bytes += bytes[slice];
  bool dying = cause == MoveCause::kDeath || cause == MoveCause::kDrain;
  counts[std::string(to_string(cause)) + (dying                       ? " " + next.pods[from].name
                                          : cause == MoveCause::kFill ? " " + next.pods[to].name
                                                                      : "")]++;
}

void PlanState::cut(const std::set<uint64_t>& borders) {
  if (borders.empty()) return;
  Slices old = std::move(next.slices);
  next.slices = {};
  std::vector<double> old_load = std::move(load);
  std::vector<uint64_t> old_bytes = std::move(bytes);
  std::vector<bool> old_moved = std::move(moved_now);
  load.clear(), bytes.clear(), moved_now.clear();
  auto border = borders.begin();
  for (size_t i = 0; i < old.size(); i++) {
    std::vector<uint64_t> lows{old.low[i]};
    uint64_t high = old.high(i);
    for (; border != borders.end() && (high == 0 || *border < high); ++border)
      if (*border > old.low[i]) lows.push_back(*border);
    double whole = old.share(i);
    for (size_t j = 0; j < lows.size(); j++) {
      double part = lows.size() == 1 ? 1 : key_share(lows[j], j + 1 < lows.size() ? lows[j + 1] : high) / whole;
      next.slices.low.push_back(lows[j]), next.slices.owner.push_back(old.owner[i]),
          next.slices.standby.push_back(old.standby[i]);
      next.slices.since.push_back(old.since[i]), next.slices.cutover_s.push_back(old.cutover_s[i]);
      load.push_back(old_load[i] * part),
          bytes.push_back(static_cast<uint64_t>(static_cast<double>(old_bytes[i]) * part));
      moved_now.push_back(old_moved[i]);
    }
  }
  index();
}

double PlanState::moved_share(MoveCause cause, int64_t from_s) const {
  double share = 0;
  for (const Move& m : next.moved)
    if (m.cause == cause && m.at_s > from_s) share += key_share(m.low, m.high);
  return share;
}

bool PlanState::has_ready() const {
  return std::any_of(pods.begin(), pods.end(), [](const PlanPod& p) { return p.ready; });
}

std::vector<uint32_t> PlanState::ready_pods() const {
  std::vector<uint32_t> ready;
  for (uint32_t i = 0; i < pods.size(); i++)
    if (pods[i].ready) ready.push_back(i);
  return ready;
}

double PlanState::target() const {
  double total = 0, capacity = 0;
  std::vector<double> pinned;
  for (size_t i = 0; i < slices(); i++) {
    total += load[i];
    if (next.slices.high(i) == next.slices.low[i] + 1) pinned.push_back(load[i]);
  }
  size_t ready = 0;
  for (const PlanPod& pod : pods)
    if (pod.ready && !pod.held) capacity += pod.capacity, ready++;
  if (ready == 0) return 0;
  double each = capacity / static_cast<double>(ready);
  std::sort(pinned.rbegin(), pinned.rend());
  for (double hot : pinned) {
    if (capacity <= each || hot / each <= total / capacity) break;
    total -= hot, capacity -= each;
  }
  return total / capacity;
}

}  // namespace limpet
