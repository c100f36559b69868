// The carousel: while a roll is under way, a pod that came back is kept empty, so that the next victim's slices go to
// it as one block. A full roll then moves 1 + 2/N key spaces, where filling each pod again would move 2.
#include <algorithm>

#include "sharding/plan_state.h"

namespace limpet {
namespace {

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
    return (m.cause == MoveCause::kDrain || m.cause == MoveCause::kDeath) && state.is_within(m.at_s, hold);
  });
}

}  // namespace

void hold_idle_pods(PlanState& state) {
  if (!state.config.carousel) return;
  int64_t hold = hold_s(state);
  if (!is_rolling(state, hold)) return;
  bool any = false;
  for (size_t i = 0; i < state.pods.size(); i++)
    any |= state.pods[i].held =
        state.pods[i].ready && state.pods[i].slices.empty() && state.is_within(state.next.pods[i].since_s, hold);
  if (any) state.notes.push_back("fill: an idle pod is kept for the next one that goes");
}

}  // namespace limpet
