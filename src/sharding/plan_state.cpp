#include "sharding/plan_state.h"

#include <algorithm>
#include <cmath>

namespace limpet {
namespace {

constexpr int64_t kRememberedS = 3600;
constexpr double kMemoryFull = 0.9;

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

uint64_t next_generation(const Assignment& previous, const PlanInput& input) {
  uint64_t known = previous.generation;
  for (const PodView& view : input.pods)
    if (view.report.generation <= kReportedGenerationMax) known = std::max(known, view.report.generation);
  if (previous.generation > 0) return known + 1;
  return std::max(known + 1, static_cast<uint64_t>(std::max<int64_t>(input.now_s, 1)));
}

// The table of pods: who is there, and who was and still owns something or went within the hour.
class Table {
 public:
  Table(const Assignment& previous, const PlanInput& input) : previous_(previous), now_s_(input.now_s) {
    owns_.resize(previous.pods.size());
    for (uint32_t owner : previous.slices.owner) owns_[owner] = true;
    size_t before = 0;
    for (const PodView& view : input.pods) {
      while (before < previous.pods.size() && previous.pods[before].name < view.report.name) add_missing(before++);
      bool known = before < previous.pods.size() && previous.pods[before].name == view.report.name;
      if (known || view.alive)
        add(described(view, known ? &previous.pods[before] : nullptr, now_s_), &view, known ? &before : nullptr);
      before += known;
    }
    while (before < previous.pods.size()) add_missing(before++);
  }

  std::vector<AssignedPod> pods;
  std::vector<const PodView*> views;  // null: not in the input
  std::vector<int32_t> place;         // by index in the previous table

 private:
  void add_missing(size_t before) {
    AssignedPod pod = previous_.pods[before];
    if (pod.state != PodState::kDead) pod.state = PodState::kDead, pod.since_s = now_s_;
    add(std::move(pod), nullptr, &before);
  }
  void add(AssignedPod pod, const PodView* view, const size_t* before) {
    bool gone = pod.state == PodState::kDead || (pod.state == PodState::kDrained && !(view && view->alive));
    bool forgotten = before && gone && !owns_[*before] && now_s_ - pod.since_s > kRememberedS;
    if (before) place.push_back(forgotten ? kNoPod : static_cast<int32_t>(pods.size()));
    if (forgotten) return;
    pods.push_back(std::move(pod));
    views.push_back(view);
  }

  const Assignment& previous_;
  const int64_t now_s_;
  std::vector<bool> owns_;
};

PlanPod plan_pod(const AssignedPod& entry, const PodView* view) {
  PlanPod pod;
  pod.report = view ? &view->report : nullptr;
  pod.alive = view && view->alive;
  pod.ready = pod.alive && entry.state == PodState::kReady;
  pod.dying = entry.state == PodState::kDead || entry.state == PodState::kDraining || entry.state == PodState::kDrained;
  if (!pod.report) return pod;
  pod.capacity = std::max(1e-6, pod.report->capacity * pod.report->weight);
  pod.full = pod.report->memory_limit > 0 &&
             static_cast<double>(pod.report->memory) > kMemoryFull * static_cast<double>(pod.report->memory_limit);
  return pod;
}

}  // namespace

PlanState::PlanState(const Assignment& previous_, const PlanInput& input_, const PlannerConfig& config_)
    : previous(previous_), input(input_), config(config_) {
  next.cluster = config.cluster;
  next.created_s = input.now_s;
  next.generation = next_generation(previous, input);
  for (const Move& m : previous.moved)
    if (m.at_s > input.now_s - kRememberedS) next.moved.push_back(m);

  Table table(previous, input);
  next.pods = std::move(table.pods);
  next.slices = previous.slices;
  for (uint32_t& owner : next.slices.owner) owner = static_cast<uint32_t>(table.place[owner]);
  for (int32_t& standby : next.slices.standby)
    if (standby != kNoPod) standby = table.place[static_cast<size_t>(standby)];

  fresh = true;
  for (size_t i = 0; i < next.pods.size(); i++) {
    pods.push_back(plan_pod(next.pods[i], table.views[i]));
    if (pods[i].ready && pods[i].report->generation != previous.generation) fresh = false;
  }
  moved_now.assign(slices(), false);
  estimate_loads(*this);
  index();
}

size_t PlanState::slice_of(uint64_t key) const {
  const auto& low = next.slices.low;
  return static_cast<size_t>(std::upper_bound(low.begin(), low.end(), key) - low.begin()) - 1;
}

void PlanState::index() {
  for (PlanPod& pod : pods) pod.slices.clear(), pod.load = 0, pod.bytes = 0;
  for (uint32_t i = 0; i < slices(); i++) {
    PlanPod& pod = pods[next.slices.owner[i]];
    pod.slices.push_back(i);
    pod.load += load[i], pod.bytes += bytes[i];
  }
  resting.assign(slices(), false);
  moved_lately.clear();
  filled.assign(slices(), false);
  inherited.assign(slices(), false);
  // The file may be too full to name every move.
  for (int64_t cutover_s : next.slices.cutover_s) moved_lately.push_back(cutover_s > input.now_s - kRememberedS);
  if (slices() == 0) return;
  for (const Move& m : next.moved) {
    for (size_t i = slice_of(m.low); i < slices() && (m.high == 0 || next.slices.low[i] < m.high); i++) {
      moved_lately[i] = true;
      if (m.to == next.pods[next.slices.owner[i]].name) {
        filled[i] = m.cause == MoveCause::kFill;
        inherited[i] = m.cause == MoveCause::kDeath || m.cause == MoveCause::kDrain;
      }
      if (m.cause == MoveCause::kBalance || m.cause == MoveCause::kMerge || m.cause == MoveCause::kFill)
        resting[i] = resting[i] || is_within(m.at_s, config.cooldown_s);
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
  changes++;
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
  changes++;
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

double PlanState::moved_share(MoveCause cause, int64_t s) const {
  double share = 0;
  for (const Move& m : next.moved)
    if (m.cause == cause && is_within(m.at_s, s)) share += key_share(m.low, m.high);
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
