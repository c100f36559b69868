// The load of each slice: what its owner's report says. Of a slice that has just come, the new owner's averages say too
// little yet; what the former owner still says is looked at, too.
#include <algorithm>

#include "sharding/plan_state.h"

namespace limpet {
namespace {

// A slice that came so lately looks colder in the report than it is.
constexpr int64_t kYoungS = 30;
// So many bytes nobody has; sums of them do not overflow.
constexpr uint64_t kBytesMax = uint64_t{1} << 50;

const SliceLoad* find(const PodReport* report, uint64_t low) {
  if (!report) return nullptr;
  auto at = std::lower_bound(report->slices.begin(), report->slices.end(), low,
                             [](const SliceLoad& s, uint64_t l) { return s.low < l; });
  return at != report->slices.end() && at->low == low ? &*at : nullptr;
}

class Estimate {
 public:
  explicit Estimate(PlanState& state) : state_(state), known_(state.slices()) {
    for (const PlanPod& pod : state.pods)
      if (pod.report)
        for (const SliceLoad& s : pod.report->slices) state.in_cpu |= s.cpu > 0;
    state.load.assign(state.slices(), 0);
    state.bytes.assign(state.slices(), 0);
  }

  void run() {
    for (size_t i = 0; i < state_.slices(); i++) {
      const PodReport* report = state_.pods[state_.next.slices.owner[i]].report;
      if (report && (!is_young(i) || report->generation >= state_.next.slices.since[i])) take(i, report);
    }
    look_at_former_owners();
    fill_gaps();
  }

 private:
  bool is_young(size_t i) const {
    const Slices& s = state_.next.slices;
    const PodReport* report = state_.pods[s.owner[i]].report;
    return s.cutover_s[i] != 0 &&
           (!report || report->generation < s.since[i] || state_.input.now_s - s.cutover_s[i] < kYoungS);
  }

  void take(size_t i, const PodReport* report) {
    const SliceLoad* s = find(report, state_.next.slices.low[i]);
    if (!s) return;
    state_.load[i] = std::max(state_.load[i], state_.in_cpu ? s->cpu : s->samples_per_s);
    state_.bytes[i] = std::max(state_.bytes[i], std::min(s->state_bytes, kBytesMax));
    // Nothing at all is what a pod says that has just begun.
    known_[i] = !is_young(i) || state_.load[i] > 0;
  }

  void look_at_former_owners() {
    for (auto m = state_.next.moved.rbegin(); m != state_.next.moved.rend(); ++m) {
      // `moved` is in order of time; a report may know a generation up to a minute late.
      if (m->at_s < state_.input.now_s - 3 * kYoungS) break;
      int32_t from = state_.next.find_pod(m->from);
      if (from == kNoPod) continue;
      size_t i = state_.slice_of(m->low);
      for (; i < state_.slices() && (m->high == 0 || state_.next.slices.low[i] < m->high); i++)
        if (is_young(i)) take(i, state_.pods[static_cast<size_t>(from)].report);
    }
  }

  // What nobody reports is as dense as the rest; where nobody has any load, a slice counts as much as it is wide, since
  // new pods want their part then, too. Without CPU times there is no unit: as if all were half busy.
  void fill_gaps() {
    double sum = 0, share = 0, total = 0, capacity = 0;
    for (size_t i = 0; i < state_.slices(); i++)
      if (known_[i]) sum += state_.load[i], share += state_.next.slices.share(i);
    bool idle = sum <= 0;
    state_.loads_known = share > 0.5 && !idle;
    double density = idle ? 1 : sum / share;
    for (size_t i = 0; i < state_.slices(); i++) {
      if (!known_[i] || idle) state_.load[i] = density * state_.next.slices.share(i);
      total += state_.load[i];
    }
    if (state_.in_cpu || total <= 0) return;
    for (const PlanPod& pod : state_.pods)
      if (pod.ready) capacity += pod.capacity;
    state_.load_per_sample = 0.5 * capacity / total;
    for (double& l : state_.load) l *= state_.load_per_sample;
  }

  PlanState& state_;
  std::vector<bool> known_;
};

}  // namespace

void estimate_loads(PlanState& state) { Estimate(state).run(); }

}  // namespace limpet
