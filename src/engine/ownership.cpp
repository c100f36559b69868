// Where keys are shared with other pods: which groups, windows and lines are this pod's. Every group is known, whoever
// owns it, so that all pods match alike; only samples of windows of its own are counted (sharding/ownership.h).
#include "base/hash.h"
#include "engine/impl.h"
#include "sharding/key.h"

namespace limpet {
namespace {

// Of groups looked at per call while slices are counted, and how often that begins anew.
constexpr size_t kCountedPerCall = 4096;
constexpr int64_t kCountEveryNs = 2 * kSecondNs;
// Every so many lines the keys they count for are noted.
constexpr uint64_t kHotKeyEvery = 16;

// What a sample costs, roughly in nanoseconds. Only the ratios matter.
uint64_t cost_of(const FieldProgram& program) {
  uint64_t cost = 10;
  if (program.needs & kNeedQuantiles) cost += 15;
  if (program.needs & kNeedDistinct) cost += 20;
  if (program.needs & kNeedNested) cost += 60;
  if (program.has_counter) cost += 30;
  return cost;
}

int64_t plus(int64_t ns, int64_t length_ns) {
  int64_t sum = 0;
  return __builtin_add_overflow(ns, length_ns, &sum) ? INT64_MAX : sum;
}

}  // namespace

// Groups look their owner up when they are touched next.
void Engine::Impl::set_ownership(std::shared_ptr<const Ownership> next) {
  ownership = std::move(next);
  ownership_number++;
  slice_work.assign(ownership->slices(), {});
  slice_state_so_far.assign(ownership->slices(), {});
  slice_state.assign(ownership->slices(), {});
  counted_epochs = counted_groups = 0;
  slices_counted_ns = INT64_MIN;
  for (RuleEpoch* epoch : epochs) begin_scan(*epoch);  // what is given up for good is freed
}

void Engine::Impl::take_key(Group& group, const RuleEpoch& epoch, const Head& head) const {
  group.key = key_of(*epoch.rule, head.name, head.tags);
  group.keyed = true;
  look_up_owner(group);
}

void Engine::Impl::look_up_owner(Group& group) const {
  group.owned_as_of = ownership_number;
  // What does not fit is counted where it came: the group's tag names the pod.
  if (!ownership || group.overflow) return;
  group.tenure = &ownership->tenure_of(group.key);
  group.slice = ownership->slices() > 0 ? ownership->slice_of(group.key) : 0;
  group.owned_from_ns = INT64_MAX, group.owned_to_ns = INT64_MIN;
  if (group.tenure->empty()) return;
  const Interval& last = group.tenure->intervals().back();
  auto all_windows_from = [&](int64_t begin_ns) {
    return begin_ns == Interval::kBegin ? begin_ns : plus(begin_ns, group.epoch.rule->period_ns);
  };
  group.owned_from_ns =
      last.after_death ? std::max(last.from_ns, all_windows_from(last.inherited_ns)) : all_windows_from(last.from_ns);
  group.owned_to_ns = last.to_ns;
  group.counted_since_ns = counted_since(group);
}

// A former time with the group counts on to the end of the last window that began in it: what came back by then was
// never out of sight.
int64_t Engine::Impl::counted_since(const Group& group) const {
  const std::vector<Interval>& intervals = group.tenure->intervals();
  const WindowClock& w = group.epoch.windows;
  size_t i = intervals.size() - 1;
  while (i > 0 && w.end_ns(w.pane_of(intervals[i - 1].to_ns - 1) + w.panes()) >= intervals[i].since_ns) i--;
  return intervals[i].since_ns;
}

// A sample of which not every window is this pod's, or none.
void Engine::Impl::place_partly(RuleEpoch& epoch, TakeLine& take) {
  using Status = TakeLine::Status;
  if (take.status == Status::kOutside) {
    if (!take.group->tenure || take.group->tenure->empty()) take.part = TakeLine::Part::kNone;
    return;
  }
  const WindowClock& w = epoch.windows;
  int64_t first = take.pane_number + 1, last = std::min(take.pane_number + w.panes(), w.last_window());
  int64_t newest = 0, mine = 0, open = 0;
  if (w.first_window() <= last) first = std::max(first, w.first_window());  // else they were a former definition's
  for (int64_t k = first; k <= last; k++) {
    if (!owns(*take.group, k)) continue;
    mine++, newest = k;
    open += w.open(k, clock_ns);
  }
  if (mine == 0) {
    // Before a cutover by which it gets the group, a pod learns where the counters stand.
    const Tenure* tenure = take.group->tenure;
    bool ahead = !tenure->empty() && w.begin_ns(take.pane_number + w.panes()) < tenure->intervals().back().from_ns;
    take.part = ahead && take.status != Status::kFuture ? TakeLine::Part::kStart : TakeLine::Part::kNone;
    take.missed = 0, take.lateness_s = 0;
    return;
  }
  if (take.status == Status::kFuture) return;
  take.missed = mine - open;
  bool correctable = epoch.rule->late == LatePolicy::kCorrect && is_correctable(epoch, newest);
  take.status = open > 0 || (take.missed > 0 && correctable) ? Status::kOpen : Status::kLate;
}

bool Engine::Impl::owns(Group& group, int64_t window) const {
  if (group.owned_as_of != ownership_number) look_up_owner(group);
  if (!group.tenure) return true;
  const WindowClock& w = group.epoch.windows;
  return group.tenure->owns_window(w.begin_ns(window), w.end_ns(window));
}

// From when on this process has all samples of the group.
int64_t Engine::Impl::held_since_ns(const Group& group, int64_t window) const {
  if (!group.tenure) return options.started.ns;
  const WindowClock& w = group.epoch.windows;
  const Interval* interval = group.tenure->interval_of(w.begin_ns(window), w.end_ns(window));
  return interval ? std::max(options.started.ns, interval->since_ns) : INT64_MAX;
}

bool Engine::Impl::owns_line(const Series& of, int64_t time_ns) const {
  return ownership->owns_line(of.line_key, time_ns, clock_ns);
}

// How many samples until the next one that is looked at: kHotKeyEvery on average, at random, since senders repeat
// themselves and a fixed step would see the same keys of each round (xorshift64*, Vigna 2016).
uint64_t Engine::Impl::next_hot_key() {
  hot_key_random ^= hot_key_random >> 12;
  hot_key_random ^= hot_key_random << 25;
  hot_key_random ^= hot_key_random >> 27;
  return 1 + ((hot_key_random * 0x2545F4914F6CDD1D) >> 32) % (2 * kHotKeyEvery - 1);
}

void Engine::Impl::count_work(const TakeLine& take, const FieldProgram& program) {
  if (!ownership || take.group->slice >= slice_work.size()) return;
  SliceWork& work = slice_work[take.group->slice];
  work.samples++;
  work.cost += cost_of(program);
  if (--until_hot_key == 0) {
    hot_keys.add(take.group->key, kHotKeyEvery);
    until_hot_key = next_hot_key();
  }
}

// Groups and bytes by slice: a few groups at each call.
void Engine::Impl::count_slices() {
  if (!ownership || (slices_counted_ns != INT64_MIN && clock_ns - slices_counted_ns < kCountEveryNs &&
                     clock_ns >= slices_counted_ns && counted_epochs == 0 && counted_groups == 0))
    return;
  for (size_t n = 0; n < kCountedPerCall; n++) {
    if (counted_epochs >= epochs.size()) {
      slice_state.swap(slice_state_so_far);
      slice_state_so_far.assign(slice_state.size(), {});
      counted_epochs = counted_groups = 0;
      slices_counted_ns = clock_ns;
      return;
    }
    const RuleEpoch& epoch = *epochs[counted_epochs];
    if (counted_groups >= epoch.groups.size()) {
      counted_epochs++, counted_groups = 0;
      continue;
    }
    const Group& group = *epoch.groups[counted_groups++];
    if (!group.active() || group.overflow || group.slice >= slice_state_so_far.size()) continue;
    slice_state_so_far[group.slice].groups++;
    slice_state_so_far[group.slice].bytes += group.state_bytes();
  }
}

// Whether a window that began before the last cutover by which something went may still have to be emitted.
bool Engine::Impl::finishing() const {
  if (!ownership || ownership->last_given_up_ns() == Interval::kBegin) return false;
  int64_t longest_ns = 0;
  for (const RuleEpoch* epoch : epochs)
    longest_ns = std::max(longest_ns, epoch->rule->period_ns + epoch->windows.kept_ns());
  if (plus(ownership->last_given_up_ns(), longest_ns) > clock_ns) return true;
  return std::any_of(epochs.begin(), epochs.end(), [](const RuleEpoch* e) { return !e->freezes.empty(); });
}

void Engine::set_ownership(std::shared_ptr<const Ownership> ownership, WallTime now) {
  if (impl_->options.clock == ClockSource::kCaller) impl_->set_clock(now.ns);
  impl_->set_ownership(std::move(ownership));
}

bool Engine::finishing() const { return impl_->finishing(); }

const std::vector<SliceWork>& Engine::slice_work() const { return impl_->slice_work; }
const std::vector<SliceState>& Engine::slice_state() const { return impl_->slice_state; }
const HotKeys& Engine::hot_keys() const { return impl_->hot_keys; }
void Engine::age_hot_keys() { impl_->hot_keys.age(); }

}  // namespace limpet
