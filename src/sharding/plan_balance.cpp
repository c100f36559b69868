// Moves that somebody may wait for: a pod that owns nothing is filled, hot pods give to cold ones.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>

#include "sharding/plan_state.h"

namespace limpet {
namespace {

// Of the reference, section 5.5: how bad a pod's load is. Too much is worse than too little.
double badness(double load, double target) {
  double d = (load - target) / target;
  return d > 0 ? 4 * d * d : d * d;
}

// What a move costs beside its share of the key space: of the whole state, and for being a move at all.
constexpr double kBytesWeight = 0.5, kMoveCost = 1e-5;
constexpr double kBenefitMin = 1e-6;

// The largest piece of a slice that fits into what is left of a budget; 0: none.
bool fits(double share, double left) { return share <= left + 1e-12; }

struct Candidate {
  uint32_t slice = 0;
  double score = 0;
};

// It has not got its share yet, and owns nothing, or only what it got since it was first given something by filling, or
// by deaths and drains meanwhile.
bool is_filling(const PlanState& state, uint32_t pod, double target) {
  const PlanPod& p = state.pods[pod];
  if (p.held || p.full || p.utilisation() >= target * (1 - state.config.tolerance)) return false;
  auto is_filled = [&](uint32_t slice) { return state.filled[slice]; };
  auto is_gained = [&](uint32_t slice) { return state.filled[slice] || state.inherited[slice]; };
  return p.slices.empty() || (std::any_of(p.slices.begin(), p.slices.end(), is_filled) &&
                              std::all_of(p.slices.begin(), p.slices.end(), is_gained));
}

class Balancer {
 public:
  explicit Balancer(PlanState& state) : state_(state), target_(state.target()) {
    for (uint64_t b : state.bytes) bytes_total_ += static_cast<double>(b);
    // Who is being filled is left to that: it has its own budget, and what balance gave would end it.
    for (uint32_t pod : state.ready_pods())
      if (!state.pods[pod].held && !is_filling(state, pod, target_)) add(pod);
  }

  bool is_out_of_band(double tolerance) const {
    return target_ > 0 && !hottest_.empty() && !coldest_.empty() &&
           (hottest_.rbegin()->first > target_ * (1 + tolerance) ||
            coldest_.begin()->first < target_ * (1 - tolerance));
  }

  // Moves until everybody is within the tolerance or nothing helps any more; begins later than it ends, so that noise
  // at the border moves nothing. `left`: of the budget. False if more of it would have helped.
  bool run(double left) {
    double tolerance = 2 * state_.config.tolerance;
    bool enough = true;
    while (is_out_of_band(tolerance)) {
      uint32_t hot = hottest_.rbegin()->second, cold = coldest_.begin()->second;
      std::optional<Candidate> best = candidate(hot, cold, left, enough);
      if (!best) {
        // Nothing of it can go, or nothing can go there; which of both is out of the band is out of the game.
        bool hot_is_worse = hottest_.rbegin()->first - target_ >= target_ - coldest_.begin()->first;
        hot_is_worse ? hottest_.erase(std::prev(hottest_.end())) : coldest_.erase(coldest_.begin());
        continue;
      }
      left -= state_.next.slices.share(best->slice);
      forget(hot), forget(cold);
      state_.move(best->slice, cold, MoveCause::kBalance);
      add(hot), add(cold);
      tolerance = state_.config.tolerance;
    }
    return enough;
  }

 private:
  void forget(uint32_t pod) {
    hottest_.erase({state_.pods[pod].utilisation(), pod}), coldest_.erase({state_.pods[pod].utilisation(), pod});
  }
  void add(uint32_t pod) {
    hottest_.insert({state_.pods[pod].utilisation(), pod});
    if (!state_.pods[pod].full) coldest_.insert({state_.pods[pod].utilisation(), pod});
  }

  std::optional<Candidate> candidate(uint32_t hot, uint32_t cold, double left, bool& enough) const {
    const PlanPod &h = state_.pods[hot], &c = state_.pods[cold];
    if (hot == cold) return std::nullopt;
    std::optional<Candidate> best;
    double before = badness(h.utilisation(), target_) + badness(c.utilisation(), target_);
    for (uint32_t slice : h.slices) {
      double share = state_.next.slices.share(slice), load = state_.load[slice];
      if (state_.resting[slice] || state_.moved_now[slice] || load <= 0 || h.slices.size() <= 1) continue;
      double after_h = (h.load - load) / h.capacity, after_c = (c.load + load) / c.capacity;
      if (after_c >= h.utilisation()) continue;
      double benefit = before - badness(after_h, target_) - badness(after_c, target_);
      if (benefit < kBenefitMin) continue;
      if (!fits(share, left)) {
        enough = false;
        continue;
      }
      double bytes = bytes_total_ > 0 ? static_cast<double>(state_.bytes[slice]) / bytes_total_ : 0;
      double score = benefit / (share + kBytesWeight * bytes + kMoveCost);
      if (!best || score > best->score) best = Candidate{slice, score};
    }
    return best;
  }

  PlanState& state_;
  double target_;
  double bytes_total_ = 0;
  std::set<std::pair<double, uint32_t>> hottest_, coldest_;
};

// The slice of the pod that is most worth giving to one that has nothing: hot for its width, but not all there is.
std::optional<uint32_t> to_give(const PlanState& state, uint32_t from, double wanted_load, double left) {
  std::optional<uint32_t> best;
  for (uint32_t slice : state.pods[from].slices) {
    if (state.moved_now[slice] || state.resting[slice]) continue;
    if (!fits(state.next.slices.share(slice), left) || state.load[slice] > 1.2 * wanted_load ||
        state.pods[from].slices.size() <= 1)
      continue;
    if (!best || state.load[slice] > state.load[*best]) best = slice;
  }
  return best;
}

// Cuts the widest slices until each fits into one round's budget.
void cut_to_fit(PlanState& state) {
  double fitting = std::max(state.config.round_budget, kRoundBudgetMin);
  for (bool again = true; again;) {
    std::set<uint64_t> borders;
    for (size_t i = 0; i < state.slices(); i++) {
      uint64_t low = state.next.slices.low[i], high = state.next.slices.high(i);
      if (state.next.slices.share(i) <= fitting) continue;
      borders.insert(low + (high - low) / 2 + (low == 0 && high == 0 ? uint64_t{1} << 63 : 0));
      state.counts["split"]++;
    }
    state.cut(borders);
    again = !borders.empty();
  }
}

}  // namespace

void fill_idle_pods(PlanState& state) {
  std::set<std::pair<double, uint32_t>> emptiest, hottest;
  std::vector<uint32_t> ready = state.ready_pods();
  if (ready.size() < 2) return;
  double target = state.target();
  for (uint32_t pod : ready)
    (is_filling(state, pod, target) ? emptiest : hottest).insert({state.pods[pod].utilisation(), pod});
  if (emptiest.empty()) return;
  double left = state.config.round_budget - state.moved_share(MoveCause::kFill, state.config.round_s);
  if (left <= 1e-9) return state.notes.push_back("fill: waits for the next round");
  cut_to_fit(state);
  // The emptiest each time, so that all come along, however little a round gives.
  while (left > 0 && !hottest.empty()) {
    uint32_t to = emptiest.begin()->second, from = hottest.rbegin()->second;
    double wanted = target * state.pods[to].capacity - state.pods[to].load;
    if (wanted <= 0) break;
    hottest.erase(std::prev(hottest.end()));
    if (state.pods[from].utilisation() <= state.pods[to].utilisation()) continue;
    std::optional<uint32_t> slice = to_give(state, from, wanted, left);
    if (!slice) continue;
    left -= state.next.slices.share(*slice);
    emptiest.erase(emptiest.begin());
    state.move(*slice, to, MoveCause::kFill);
    hottest.insert({state.pods[from].utilisation(), from}), emptiest.insert({state.pods[to].utilisation(), to});
  }
}

void balance(PlanState& state) {
  // Now is no time for it, not even for single keys, which are too narrow to count.
  if (state.config.hour_budget <= 0) return;
  // Who was just evacuated onto others is enough for one generation.
  if (std::any_of(state.moved_now.begin(), state.moved_now.end(), [](bool moved) { return moved; })) return;
  Balancer balancer(state);
  if (!balancer.is_out_of_band(2 * state.config.tolerance)) return;
  // What balance moved stays in the file for an hour, and evacuations need the room more.
  if (encoded_bytes_max(state.next) > state.config.file_bytes_max / 8 * 7)
    return state.notes.push_back("balance: waits, since the file is nearly full");
  double highest = 0;
  for (const PlanPod& pod : state.pods) highest = std::max(highest, pod.utilisation());
  if (highest < state.config.utilisation_min) return state.notes.push_back("balance: utilisation is low");
  double round = state.config.round_budget - state.moved_share(MoveCause::kBalance, state.config.round_s);
  double hour = state.config.hour_budget - state.moved_share(MoveCause::kBalance, 3600);
  if (balancer.run(std::min(round, hour))) return;
  state.notes.push_back(hour <= round ? "balance: waits for the hour's budget" : "balance: waits for the next round");
}

}  // namespace limpet
