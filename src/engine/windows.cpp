// Time: which windows a sample counts in, when windows freeze, how long panes are kept.
#include <algorithm>

#include "engine/impl.h"

namespace limpet {

void Engine::Impl::set_clock(int64_t now_ns) {
  clock_ns = now_ns;
  has_clock = true;
  if (now_ns >= next_due_ns) advance();
  if (now_ns - swept_ns >= kSecondNs || now_ns < swept_ns) sweep_due = true;
}

// Freezes what is due, in order of the time it was due. In replay each window is written out before the next one
// freezes.
void Engine::Impl::advance() {
  for (;;) {
    RuleEpoch* first = nullptr;
    int64_t due = WindowClock::kNever;
    for (RuleEpoch* epoch : epochs)
      if (int64_t d = next_due(*epoch); d < due) first = epoch, due = d;
    if (!first || due > clock_ns) break;
    int64_t window = next_window(*first);
    int64_t window_due = window == WindowClock::kNever ? WindowClock::kNever : first->windows.due_ns(window);
    // What is to be written goes first, whatever could be freed already.
    if (first->next_correction_ns <= std::min(clock_ns, window_due))
      freeze_corrections(*first);
    else if (window_due <= clock_ns)
      freeze(*first, window, false);
    else
      begin_scan(*first);
    if (options.clock == ClockSource::kData) emit(SIZE_MAX);
  }
  find_next_due();
}

// The lowest window that holds samples, was not emitted, and was open when the newest of its panes came; kNever: none.
int64_t Engine::Impl::next_window(const RuleEpoch& epoch) const {
  const WindowClock& w = epoch.windows;
  for (const auto& [pane, groups] : epoch.pane_groups) {
    int64_t last = std::min(pane + w.panes(), w.last_window());
    int64_t k = w.next_not_emitted(std::max({pane + 1, w.first_window(), epoch.pending_from}));
    if (k <= last) return k;
  }
  return WindowClock::kNever;
}

int64_t Engine::Impl::next_due(const RuleEpoch& epoch) const {
  int64_t window = next_window(epoch);
  int64_t due = window == WindowClock::kNever ? WindowClock::kNever : epoch.windows.due_ns(window);
  return std::min({due, epoch.next_correction_ns, epoch.next_free_ns});
}

void Engine::Impl::find_next_due() {
  next_due_ns = WindowClock::kNever;
  for (const RuleEpoch* epoch : epochs) next_due_ns = std::min(next_due_ns, next_due(*epoch));
}

void Engine::Impl::freeze(RuleEpoch& epoch, int64_t window, bool cut_short) {
  epoch.windows.mark_emitted(window);
  epoch.sure_until_ns = INT64_MIN;
  epoch.freezes.push_back({++epoch.freeze_number, window, false, cut_short, epoch.windows.due_ns(window)});
  epoch.state.ledger.windows_emitted++;
  begin_scan(epoch);
}

void Engine::Impl::freeze_corrections(RuleEpoch& epoch) {
  epoch.freezes.push_back({++epoch.freeze_number, 0, true, false, epoch.next_correction_ns});
  epoch.next_correction_ns = WindowClock::kNever;
  epoch.correct_from = INT64_MAX;
  begin_scan(epoch);
}

// Every group of the rule is looked at once: what is frozen is rendered, panes that no window needs are freed, and what
// is empty goes.
void Engine::Impl::begin_scan(RuleEpoch& epoch) {
  const WindowClock& w = epoch.windows;
  // The lowest window that may still be emitted or corrected, then its first pane. By bisection: forgotten_ns rises
  // with the window.
  int64_t low = w.pane_of(clock_ns) - 2 * w.panes() - 4, high = w.pane_of(clock_ns) + 2;
  while (low > INT64_MIN / 4 && w.forgotten_ns(low) > clock_ns) low -= (high - low);
  while (low + 1 < high) {
    int64_t middle = low + (high - low) / 2;
    (w.forgotten_ns(middle) > clock_ns ? high : low) = middle;
  }
  epoch.keep_from_pane = (w.forgotten_ns(low) > clock_ns ? low : high) - w.panes();
  // Where the clock jumped, windows that are due still wait for their turn to freeze.
  if (int64_t window = next_window(epoch); window != WindowClock::kNever)
    epoch.keep_from_pane = std::min(epoch.keep_from_pane, window - w.panes());
  if (epoch.correct_from != INT64_MAX)
    epoch.keep_from_pane = std::min(epoch.keep_from_pane, epoch.correct_from - w.panes());
  epoch.whole_from_pane = std::max(epoch.whole_from_pane, epoch.keep_from_pane);
  epoch.scan_left = epoch.groups.size();  // in a circle from where the last one stopped
  epoch.next_free_ns = WindowClock::kNever;
  // What this scan will not free: the oldest pane it leaves is looked at when its last window is forgotten.
  auto it = epoch.pane_groups.lower_bound(epoch.keep_from_pane);
  if (it != epoch.pane_groups.end()) epoch.next_free_ns = w.forgotten_ns(it->first + w.panes());
  if (epoch.next_free_ns <= clock_ns)
    epoch.next_free_ns = epoch.next_correction_ns;  // kept for the corrections to come
}

void Engine::Impl::free_panes(RuleEpoch& epoch, Group& group, int64_t from_pane) {
  if (group.panes().empty() || group.panes().front()->number >= from_pane) return;
  for (const Pane* pane : group.panes()) {
    if (pane->number >= from_pane) break;
    auto it = epoch.pane_groups.find(pane->number);
    if (--it->second == 0) epoch.pane_groups.erase(it);
  }
  group.drop_panes_before(from_pane, pool);
  account(group);
  if (!group.active() && !group.overflow) epoch.active_groups--;
}

// Most samples fall into the newest pane while the clock stands before any border: two comparisons.
bool Engine::Impl::place_surely(RuleEpoch& epoch, int64_t time_ns, TakeLine& take) {
  if (time_ns < epoch.sure_from_ns || time_ns >= epoch.sure_to_ns) return false;
  if (clock_ns < epoch.sure_since_ns || clock_ns >= epoch.sure_until_ns) return false;
  if (time_ns < epoch.hot_begin_ns || time_ns >= epoch.hot_end_ns) {
    epoch.hot_pane = epoch.windows.pane_of(time_ns);
    epoch.hot_begin_ns = epoch.windows.end_ns(epoch.hot_pane);
    epoch.hot_end_ns = epoch.windows.end_ns(epoch.hot_pane + 1);
  }
  take.pane_number = epoch.hot_pane;
  take.status = TakeLine::Status::kOpen;
  take.lateness_s = lateness_s(epoch.hot_end_ns);
  return true;
}

void Engine::Impl::place(RuleEpoch& epoch, Group* group, int64_t time_ns, TakeLine& take) {
  take.group = group;
  RuleState& state = epoch.state;
  if (!state.watching) state.watching = true, state.watch_began_ns = clock_ns;
  if (!place_surely(epoch, time_ns, take)) place_with_care(epoch, time_ns, take);
  take.all_late = take.status == TakeLine::Status::kLate;
  if (group->owned_as_of != ownership_number) look_up_owner(*group);
  if (time_ns < group->owned_from_ns || time_ns >= group->owned_to_ns) place_partly(epoch, take);
  if (take.status != TakeLine::Status::kOpen || take.part != TakeLine::Part::kOwned) return;
  enter(epoch, take);
  if (take.missed > 0 && epoch.rule->late == LatePolicy::kCorrect) mark_corrections(epoch, *take.group, take);
}

void Engine::Impl::place_with_care(RuleEpoch& epoch, int64_t time_ns, TakeLine& take) {
  using Status = TakeLine::Status;
  const WindowClock& w = epoch.windows;
  take.pane_number = w.pane_of(time_ns);
  int64_t last = std::min(take.pane_number + w.panes(), w.last_window());
  if (std::max(take.pane_number + 1, w.first_window()) > last) {
    bool before = last < w.first_window();
    bool former_is_done = epoch.continues && epoch.state.epochs.front().get() == &epoch;
    if (before && former_is_done && clock_ns >= w.due_ns(last)) {
      take.status = Status::kLate;
      take.lateness_s = lateness_s(w.end_ns(take.pane_number + 1));
      return;
    }
    take.status = Status::kOutside;
    // Before its first window a rule learns where the counters stand.
    if (before) take.part = TakeLine::Part::kStart;
    return;
  }
  bool too_far =
      options.clock == ClockSource::kCaller && time_ns > clock_ns && time_ns - clock_ns > epoch.rule->future_limit_ns;
  // The ends of all its windows, and what is kept of them, must be times too.
  if (too_far || w.forgotten_ns(take.pane_number + w.panes() + 1) == INT64_MAX)
    return void(take.status = Status::kFuture);
  if (w.begin_ns(take.pane_number) == INT64_MIN) return void(take.status = Status::kLate);
  WindowClock::Fate fate = w.fate(take.pane_number, clock_ns);
  take.lateness_s = lateness_s(w.end_ns(take.pane_number + 1));
  take.missed = fate.missed;
  take.status = fate.open > 0 ? Status::kOpen : Status::kLate;
  if (fate.missed == 0) return remember_sure_range(epoch);
  if (epoch.rule->late == LatePolicy::kCorrect && is_correctable(epoch, last)) take.status = Status::kOpen;
}

// How long after its pane ended a sample comes.
double Engine::Impl::lateness_s(int64_t pane_end_ns) const {
  return clock_ns < pane_end_ns ? 0 : (static_cast<double>(between_ns(pane_end_ns, clock_ns)) + 1) * 1e-9;
}

// Whether a closed window can be emitted again: its panes are kept, and this process holds them whole.
bool Engine::Impl::is_correctable(const RuleEpoch& epoch, int64_t window) const {
  const WindowClock& w = epoch.windows;
  bool whole = (options.clock == ClockSource::kData || w.begin_ns(window) >= options.started.ns) &&
               w.in_force(window) && window - w.panes() >= epoch.whole_from_pane;
  return whole && clock_ns < w.forgotten_ns(window);
}

void Engine::Impl::remember_sure_range(RuleEpoch& epoch) {
  const WindowClock& w = epoch.windows;
  int64_t window = std::max({w.first_unclosed(clock_ns), w.highest_emitted() + 1, w.first_window()});
  epoch.sure_from_ns = w.end_ns(window - 1);
  epoch.sure_until_ns = w.due_ns(window);
  epoch.sure_since_ns = clock_ns;
  epoch.sure_to_ns = INT64_MAX - 2 * (epoch.rule->period_ns + epoch.rule->grace_ns + epoch.rule->late_limit_ns);
  if (options.clock == ClockSource::kCaller)
    epoch.sure_to_ns = std::min(epoch.sure_to_ns, clock_ns + epoch.rule->future_limit_ns + 1);
  epoch.sure_to_ns = std::min(epoch.sure_to_ns, w.end_ns(w.last_window() - w.panes() + 1));
}

// Notes the windows that a sample missed, to be emitted again with it.
void Engine::Impl::mark_corrections(RuleEpoch& epoch, Group& group, const TakeLine& take) {
  const WindowClock& w = epoch.windows;
  bool any = false;
  int64_t last = std::min(take.pane_number + w.panes(), w.last_window());
  for (int64_t k = std::max(take.pane_number + 1, w.first_window()); k <= last; k++) {
    if (w.open(k, clock_ns) || !owns(group, k)) continue;
    if (!is_correctable(epoch, k)) {
      epoch.state.ledger.uncorrectable++;
      continue;
    }
    any = true;
    epoch.correct_from = std::min(epoch.correct_from, k);
    auto at = std::lower_bound(group.to_correct.begin(), group.to_correct.end(), k);
    if (at == group.to_correct.end() || *at != k) group.to_correct.insert(at, k);
    epoch.windows.mark_emitted(k);
  }
  if (any && epoch.next_correction_ns == WindowClock::kNever) {
    epoch.next_correction_ns = w.due_ns(w.first_unclosed(clock_ns));
    next_due_ns = std::min(next_due_ns, epoch.next_correction_ns);
  }
}

// The group's pane for an open sample; made if need be, in the overflow group where the rule has too many groups.
void Engine::Impl::enter(RuleEpoch& epoch, TakeLine& take) {
  if (take.group->written != epoch.freeze_number) settle(*take.group);
  Pane* pane = take.group->find_pane(take.pane_number);
  if (!pane) {
    if (!take.group->active()) {
      take.group = fold_if_full(epoch, take.group, take);
      if (take.group->written != epoch.freeze_number) settle(*take.group);
      pane = take.group->find_pane(take.pane_number);
    }
    if (!pane) {
      if (!take.group->active() && !take.group->overflow) epoch.active_groups++;
      pane = take.group->add_pane(take.pane_number, pool);
      account(*take.group);
      epoch.pending_from = epoch.windows.first_unclosed(clock_ns);
      if (epoch.pane_groups[take.pane_number]++ == 0) next_due_ns = std::min(next_due_ns, next_due(epoch));
    }
  }
  take.pane = pane;
  pane->version = checkpoint;
  take.group->changed = checkpoint;
}

Group* Engine::Impl::fold_if_full(RuleEpoch& epoch, Group* group, TakeLine& take) {
  auto known = epoch.folded.find(group->hash);
  bool folded = known != epoch.folded.end();
  if (folded && epoch.windows.first_unclosed(clock_ns) > known->second + epoch.windows.panes()) {  // idle: a new chance
    epoch.folded.erase(known);
    folded = false;
  }
  if (!folded && epoch.active_groups < epoch.rule->max_groups) return group;
  auto& newest = epoch.folded.try_emplace(group->hash, take.pane_number).first->second;
  newest = std::max(newest, take.pane_number);
  take.folded = true;
  Group& others = overflow_group(epoch, group->space);
  others.slice = group->slice, others.key = group->key;  // whose work this line is (count_work)
  return &others;
}

void Engine::Impl::stop(StopMode mode) {
  if (options.clock == ClockSource::kCaller) advance();
  if (mode == StopMode::kKeep) return;
  for (;;) {  // in order of time, as ever
    RuleEpoch* first = nullptr;
    int64_t due = WindowClock::kNever;
    for (RuleEpoch* epoch : epochs) {
      int64_t window = next_window(*epoch);
      int64_t d =
          std::min(window == WindowClock::kNever ? window : epoch->windows.due_ns(window), epoch->next_correction_ns);
      bool wanted =
          mode == StopMode::kAll || epoch->next_correction_ns <= d || window <= epoch->windows.pane_of(clock_ns) + 1;
      if (wanted && d < due) first = epoch, due = d;
    }
    if (!first) break;
    if (first->next_correction_ns <= due)
      freeze_corrections(*first);
    else
      freeze(*first, next_window(*first), mode == StopMode::kFlush);
    if (options.clock == ClockSource::kData) emit(SIZE_MAX);
  }
}

// Definitions whose last window is done are taken out of force.
void Engine::Impl::retire_epochs() {
  auto done = [&](const RuleState& state, const RuleEpoch& epoch) {
    bool current = !state.removed && state.epochs.back().get() == &epoch;
    return !current && epoch.scan_left == 0 && epoch.pane_groups.empty() &&
           epoch.windows.forgotten_ns(epoch.windows.last_window()) <= clock_ns;
  };
  bool any = false;
  for (auto& state : states)
    for (auto& epoch : state->epochs) any |= done(*state, *epoch);
  if (!any) return;
  undecide_all();
  for (auto& state : states) {
    for (size_t i = 0; i < state->epochs.size();) {
      RuleEpoch* epoch = state->epochs[i].get();
      if (!done(*state, *epoch)) {
        i++;
        continue;
      }
      std::erase(epochs, epoch);
      for (Generation& g : generations)
        std::replace(g.epochs.begin(), g.epochs.end(), epoch, static_cast<RuleEpoch*>(nullptr));
      forget_writers(*epoch);
      state->epochs.erase(state->epochs.begin() + static_cast<ptrdiff_t>(i));
    }
  }
  std::erase_if(generations, [&](const Generation& g) {
    return g.rules != rules && std::all_of(g.epochs.begin(), g.epochs.end(), [](const RuleEpoch* e) { return !e; });
  });
  std::erase_if(states, [&](const std::unique_ptr<RuleState>& state) {
    if (!state->epochs.empty()) return false;
    states_by_name.erase(state->name);
    return true;
  });
}

}  // namespace limpet
