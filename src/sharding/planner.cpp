#include "sharding/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "sharding/invariants.h"
#include "sharding/plan_state.h"

namespace limpet {
namespace {

// Reports come every 2 s; who has not heard of a generation after so long is not waited for.
constexpr int64_t kFreshAfterS = 60;

struct Phase {
  const char* name;
  void (*run)(PlanState&);
  bool needs_loads;
};
constexpr Phase kPhases[] = {{"evacuation", evacuate, false},   {"carousel", hold_idle_pods, false},
                             {"fill", fill_idle_pods, false},   {"isolation", isolate_hot_keys, true},
                             {"split", split_hot_slices, true}, {"merge", merge_cold_slices, true},
                             {"balance", balance, true}};
constexpr size_t kDone = std::size(kPhases);

// Runs the phases but those left out. The index of one whose result breaks an invariant, `why` says which; or kDone.
size_t run_phases(PlanState& state, const std::vector<bool>& left_out, const PhaseObserver& begins, std::string& why) {
  bool settled = state.fresh || state.input.now_s - state.previous.created_s >= kFreshAfterS;
  for (size_t i = 0; i < kDone; i++) {
    if (left_out[i] || (kPhases[i].needs_loads && !(settled && state.loads_known))) continue;
    begins(kPhases[i].name);
    size_t before = state.changes;
    kPhases[i].run(state);
    if (state.changes == before) continue;
    begins("check");
    std::vector<std::string> broken = check_moves(state.previous, state.next, state.input, state.config);
    if (!broken.empty()) return why = broken.front(), i;
  }
  return kDone;
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

// What moved is left out where readers would refuse the file for its length: the oldest first, which the fewest still
// ask for. What was moved for balance stays, since the hour's budget is counted by it; by what was filled only the
// round's is, and it goes last.
size_t trim_moves(PlanState& state) {
  size_t bytes = encoded_bytes_max(state.next), left_out = 0;
  for (bool fills : {false, true}) {
    std::vector<Move> kept;
    if (bytes <= state.config.file_bytes_max) break;
    for (Move& m : state.next.moved) {
      bool needed = m.cause == MoveCause::kBalance || (m.cause == MoveCause::kFill) != fills;
      if (needed || bytes <= state.config.file_bytes_max)
        kept.push_back(std::move(m));
      else
        bytes -= encoded_bytes_max(m), left_out++;
    }
    state.next.moved = std::move(kept);
  }
  return left_out;
}

}  // namespace

Plan plan(const Assignment& previous, const PlanInput& input, const PlannerConfig& config) {
  return plan_observed(previous, input, config, [](const char*) {});
}

Plan plan_observed(const Assignment& previous, const PlanInput& input, const PlannerConfig& config,
                   const PhaseObserver& begins) {
  Plan result;
  if (input.pods.empty()) return result;
  // A phase that went wrong is taken back by doing the others anew without it: that is rare, and copies of the state to
  // go back to would be made every time.
  std::vector<bool> left_out(kDone);
  std::vector<std::string> taken_back;
  std::optional<PlanState> state;
  for (size_t wrong = 0; wrong != kDone;) {
    begins("loads");
    state.emplace(previous, input, config);
    if (state->slices() == 0) {
      divide_first(*state);
      break;
    }
    std::string why;
    wrong = run_phases(*state, left_out, begins, why);
    if (wrong == kDone) break;
    left_out[wrong] = true;
    taken_back.push_back(fmt::format("{}: taken back, since it breaks {}", kPhases[wrong].name, why));
  }
  result.notes = std::move(taken_back);
  result.notes.insert(result.notes.end(), state->notes.begin(), state->notes.end());
  if (state->slices() == 0) return result;
  begins("standbys");
  place_standbys(*state);
  begins("commit");
  result.frozen = state->frozen;
  if (same_table(previous, state->next) && same_slices(previous, state->next)) return result;
  name_causes(*state);
  if (size_t trimmed = trim_moves(*state); trimmed > 0)
    result.notes.push_back(fmt::format("moved: {} moves are left out, since the file is full", trimmed));
  result.next = std::move(state->next);
  return result;
}

}  // namespace limpet
