#include "sharding/planner.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/invariants.h"
#include "sharding/plan_state.h"

namespace limpet {
namespace {

// Reports come every 2 s; who has not heard of a generation after so long is not waited for.
constexpr int64_t kFreshAfterS = 60;

// How long an idle pod is kept for the next victim of a roll: three times the usual time between two terminations.
int64_t hold_s(const PlanState& state) {
  std::vector<int64_t> ends;
  std::string last;
  for (const Move& m : state.next.moved) {
    if ((m.cause != MoveCause::kDrain && m.cause != MoveCause::kDeath) || m.from == last) continue;
    last = m.from;
    ends.push_back(m.at_s);
  }
  std::vector<int64_t> gaps;
  for (size_t i = 1; i < ends.size(); i++) gaps.push_back(ends[i] - ends[i - 1]);
  if (gaps.empty()) return state.config.hold_s;
  std::nth_element(gaps.begin(), gaps.begin() + static_cast<ptrdiff_t>(gaps.size() / 2), gaps.end());
  return std::max(state.config.hold_s, 3 * gaps[gaps.size() / 2]);
}

// A roll is under way while pods of several revisions are there, or one was terminated lately.
bool is_rolling(const PlanState& state, int64_t hold) {
  std::string_view revision;
  for (size_t i = 0; i < state.pods.size(); i++) {
    std::string_view each = state.next.pods[i].revision;
    if (!state.pods[i].alive || each.empty()) continue;
    if (!revision.empty() && each != revision) return true;
    revision = each;
  }
  return std::any_of(state.next.moved.begin(), state.next.moved.end(), [&](const Move& m) {
    return (m.cause == MoveCause::kDrain || m.cause == MoveCause::kDeath) && m.at_s > state.input.now_s - hold;
  });
}

void hold_idle_pods(PlanState& state) {
  if (!state.config.carousel) return;
  int64_t hold = hold_s(state);
  if (!is_rolling(state, hold)) return;
  for (size_t i = 0; i < state.pods.size(); i++)
    state.pods[i].held =
        state.pods[i].ready && state.pods[i].slices.empty() && state.next.pods[i].since_s > state.input.now_s - hold;
}

void run(PlanState& state, const char* name, void (*phase)(PlanState&)) {
  PlanData before = state;
  phase(state);
  std::vector<std::string> broken = check_moves(state.previous, state.next, state.input, state.config);
  if (broken.empty()) return;
  before.notes.push_back(fmt::format("{}: taken back, since it breaks {}", name, broken.front()));
  static_cast<PlanData&>(state) = std::move(before);
}

bool same_table(const Assignment& a, const Assignment& b) {
  // What went an hour ago is left out without being news.
  size_t i = 0;
  for (const AssignedPod& pod : b.pods) {
    while (i < a.pods.size() && a.pods[i].name < pod.name) i++;
    if (i == a.pods.size() || !(a.pods[i] == pod)) return false;
    i++;
  }
  return true;
}

bool same_slices(const Assignment& a, const Assignment& b) {
  if (a.slices.low != b.slices.low || a.slices.since != b.slices.since) return false;
  for (size_t i = 0; i < a.slices.size(); i++) {
    if (a.pods[a.slices.owner[i]].name != b.pods[b.slices.owner[i]].name) return false;
    int32_t x = a.slices.standby[i], y = b.slices.standby[i];
    if ((x == kNoPod) != (y == kNoPod)) return false;
    if (x != kNoPod && a.pods[static_cast<size_t>(x)].name != b.pods[static_cast<size_t>(y)].name) return false;
  }
  return true;
}

// "drain agg-17 (32 slices)", "balance (3 slices)", or what became of the pods.
void name_causes(PlanState& state) {
  constexpr size_t kCausesMax = 32;
  for (const auto& [what, count] : state.counts) {
    if (state.next.cause.size() >= kCausesMax) break;
    state.next.cause.push_back(fmt::format("{} ({} slice{})", what, count, count == 1 ? "" : "s"));
  }
  for (const AssignedPod& pod : state.next.pods) {
    if (state.next.cause.size() >= kCausesMax) break;
    int32_t before = state.previous.find_pod(pod.name);
    if (before == kNoPod)
      state.next.cause.push_back("new " + pod.name);
    else if (const AssignedPod& was = state.previous.pods[static_cast<size_t>(before)]; was.state != pod.state)
      state.next.cause.push_back(fmt::format("{} {}", to_string(pod.state), pod.name));
    else if (was.incarnation != pod.incarnation)
      state.next.cause.push_back("restart " + pod.name);
  }
}

}  // namespace

Plan plan(const Assignment& previous, const PlanInput& input, const PlannerConfig& config) {
  Plan result;
  if (input.pods.empty()) return result;
  PlanState state(previous, input, config);
  if (state.slices() == 0) {
    divide_first(state);
    if (state.slices() == 0) return result.notes = std::move(state.notes), result;
  } else {
    run(state, "evacuation", evacuate);
    hold_idle_pods(state);
    run(state, "fill", fill_idle_pods);
    bool settled = state.fresh || input.now_s - previous.created_s >= kFreshAfterS;
    if (settled && state.loads_known) {
      run(state, "isolation", isolate_hot_keys);
      run(state, "split", split_hot_slices);
      run(state, "merge", merge_cold_slices);
      run(state, "balance", balance);
    }
  }
  place_standbys(state);
  result.frozen = state.frozen;
  if (!same_table(previous, state.next) || !same_slices(previous, state.next)) {
    name_causes(state);
    result.next = std::move(state.next);
  }
  result.notes = std::move(state.notes);
  return result;
}

}  // namespace limpet
