#include "planted.h"

namespace limpet::sim {
namespace {

bool is_ready(const PlanInput& input, const std::string& name) {
  for (const PodView& view : input.pods)
    if (view.report.name == name) return view.alive && view.report.state == PodState::kReady;
  return false;
}

void give(Assignment& a, size_t slice, uint32_t to, MoveCause cause, int64_t now_s, int64_t cutover_s) {
  std::string from = a.pods[a.slices.owner[slice]].name;
  a.slices.owner[slice] = to;
  a.slices.standby[slice] = kNoPod;
  a.slices.since[slice] = a.generation;
  a.slices.cutover_s[slice] = cutover_s;
  a.moved.push_back({a.slices.low[slice], a.slices.high(slice), now_s, cutover_s, cause, from, a.pods[to].name});
}

bool fresh(const Move& move, const PlanInput& input) { return move.at_s == input.now_s && !move.from.empty(); }

void pass_over_standbys(const Assignment& previous, const PlanInput& input, Assignment& next) {
  for (Move& move : next.moved) {
    if (!fresh(move, input) || move.cause != MoveCause::kDeath) continue;
    for (size_t i = 0; i < next.slices.size(); i++) {
      if (next.slices.low[i] != move.low) continue;
      for (uint32_t to = 0; to < next.pods.size(); to++) {
        if (to == next.slices.owner[i] || !is_ready(input, next.pods[to].name)) continue;
        next.slices.owner[i] = to, move.to = next.pods[to].name;
        if (next.slices.standby[i] == static_cast<int32_t>(to)) next.slices.standby[i] = kNoPod;
        break;
      }
    }
  }
  (void)previous;
}

void move_the_innocent(const PlanInput& input, Assignment& next) {
  bool death = false;
  for (const Move& move : next.moved) death |= fresh(move, input) && move.cause == MoveCause::kDeath;
  if (!death) return;
  for (size_t i = 0; i < next.slices.size(); i++) {
    uint32_t owner = next.slices.owner[i];
    if (next.slices.since[i] == next.generation || !is_ready(input, next.pods[owner].name)) continue;
    for (uint32_t to = 0; to < next.pods.size(); to++)
      if (to != owner && is_ready(input, next.pods[to].name))
        return give(next, i, to, MoveCause::kDeath, input.now_s, std::max(input.now_s, next.slices.cutover_s[i]));
  }
}

void feed_the_draining(const PlanInput& input, Assignment& next) {
  for (const PodView& view : input.pods) {
    int32_t to = next.find_pod(view.report.name);
    if (!view.alive || view.report.state != PodState::kDraining || to == kNoPod) continue;
    for (size_t i = 0; i < next.slices.size(); i++)
      if (next.slices.owner[i] != static_cast<uint32_t>(to))
        return give(next, i, static_cast<uint32_t>(to), MoveCause::kBalance, input.now_s,
                    std::max(input.now_s + 10, next.slices.cutover_s[i]));
  }
}

void cut_at_once(const PlanInput& input, Assignment& next) {
  for (Move& move : next.moved)
    if (fresh(move, input)) move.cutover_s = input.now_s;
  for (size_t i = 0; i < next.slices.size(); i++)
    if (next.slices.since[i] == next.generation && next.slices.cutover_s[i] > input.now_s)
      next.slices.cutover_s[i] = input.now_s;
}

}  // namespace

PlannerConfig spoiled(Bug bug, PlannerConfig config) {
  if (bug == Bug::kNoBudget)
    config.round_budget = config.hour_budget = 1, config.tolerance = 0.001, config.utilisation_min = 0;
  if (bug == Bug::kNoBrake) config.dead_share_max = 2;
  return config;
}

void spoil(Bug bug, uint64_t calls, const Assignment& previous, const PlanInput& input, Plan& plan) {
  if (bug == Bug::kNeverAtRest && !plan.next && previous.generation > 0) {
    plan.next = previous;
    plan.next->generation++, plan.next->created_s = input.now_s, plan.next->cause = {"nothing"};
  }
  if (!plan.next || plan.next->slices.size() == 0) return;
  Assignment& next = *plan.next;
  if (bug == Bug::kGap) next.slices.low[0] = 1;
  if (bug == Bug::kUnknownOwner) next.slices.owner[0] = static_cast<uint32_t>(next.pods.size());
  if (bug == Bug::kGenerationRepeats && previous.generation > 0) next.generation = previous.generation;
  if (bug == Bug::kUndetermined)
    next.slices.standby[0] = calls % 2 ? kNoPod : next.slices.standby[0],
    next.created_s += static_cast<int64_t>(calls % 2);
  if (bug == Bug::kMovesTheInnocent) move_the_innocent(input, next);
  if (bug == Bug::kFeedsTheDraining) feed_the_draining(input, next);
  if (bug == Bug::kStandbyPassedOver) pass_over_standbys(previous, input, next);
  if (bug == Bug::kCutoverAtOnce) cut_at_once(input, next);
  if (bug == Bug::kMovesForgotten) next.moved.clear();
}

}  // namespace limpet::sim
