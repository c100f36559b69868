#include "engine/rule_state.h"

#include <algorithm>

#include "base/hash.h"
#include "lineproto/format.h"

namespace limpet {

RuleEpoch::RuleEpoch(RuleState& state_, std::shared_ptr<const RuleSet> rules_, const Rule& rule_)
    : state(state_), rules(std::move(rules_)), rule(&rule_), windows(rule_) {}

RuleEpoch::~RuleEpoch() = default;

FieldSpace& RuleEpoch::space_of(std::string_view input_measurement) {
  std::string measurement;
  append_measurement(measurement, rule->result_measurement(input_measurement));
  auto& space = spaces[measurement];
  if (!space) {
    space = std::make_unique<FieldSpace>();
    space->measurement = measurement;
  }
  return *space;
}

uint64_t RuleState::total_key(const Group& group, const FieldProgram& program) {
  return hash64(program.field, group.hash);
}

RunningTotal* RuleState::total_of(const Group& group, const FieldProgram& program) {
  uint64_t key = total_key(group, program);
  auto& total = totals[key];
  if (!total) total = std::make_unique<RunningTotal>(), totals_swept.add(key);
  return total.get();
}

// In each definition of the rule, since each has panes of its own.
void RuleState::begin_total_anew(const Group& group, const FieldProgram& program, RunningTotal& total,
                                 int64_t time_ns) {
  uint64_t key = total_key(group, program);
  for (auto& epoch : epochs) {
    auto behind = epoch->totals_behind.find(key);
    auto found = epoch->by_prefix.find(group.prefix());
    const Group::Slot* slot = found == epoch->by_prefix.end() ? nullptr : found->second->slot_of_field(program.field);
    if (slot && found->second->active()) {
      TotalPast& past = epoch->totals_past[key];
      std::erase_if(past.lives, [&](const TotalPast::Life& life) {
        return life.next_pane <= epoch->keep_from_pane &&
               (life.panes.empty() || life.panes.back().first < epoch->keep_from_pane);
      });
      TotalPast::Life& life = past.lives.emplace_back();
      life.sum = total.sum;
      if (behind != epoch->totals_behind.end()) life.sum.add(-behind->second);
      life.next_pane = epoch->windows.pane_of(time_ns);
      for (const Pane* pane : found->second->panes())
        if (pane->lines > slot->line) life.panes.emplace_back(pane->number, pane->wide(slot->line + 1).increase);
    }
    if (behind != epoch->totals_behind.end()) epoch->totals_behind.erase(behind);
  }
  total.sum = {};
}

CounterEntry* RuleState::counter_of(uint64_t key) {
  auto& entry = counters[key];
  if (!entry) entry = std::make_unique<CounterEntry>(), counters_swept.add(key);
  return entry.get();
}

void RuleState::begin_sweep() {
  counters_swept.begin_round();
  freed_counters_swept.begin_round();
  totals_swept.begin_round();
}

void RuleState::sweep(size_t& budget, int64_t clock_ns) {
  if (epochs.empty()) return;
  int64_t expire_ns = epochs.back()->rule->expire_ns;
  counters_swept.step(budget, [&](uint64_t key) {
    auto it = counters.find(key);
    const CounterEntry& entry = *it->second;
    if (entry.users > 0 || between_ns(entry.last_clock_ns, clock_ns) < expire_ns) return false;
    auto [freed, fresh] = freed_counters.insert_or_assign(key, entry.last_clock_ns + expire_ns);
    if (fresh) freed_counters_swept.add(key);
    counters.erase(it);
    return true;
  });
  freed_counters_swept.step(budget, [&](uint64_t key) {
    auto it = freed_counters.find(key);
    if (between_ns(it->second, clock_ns) < kFreedCountersKeptNs) return false;
    freed_counters.erase(it);
    return true;
  });
  totals_swept.step(budget, [&](uint64_t key) {
    auto it = totals.find(key);
    if (it->second->users > 0 || between_ns(it->second->last_clock_ns, clock_ns) < expire_ns) return false;
    totals.erase(it);
    return true;
  });
}

uint64_t counter_key(uint64_t series_hash, std::string_view field) { return hash64(field, series_hash); }

CounterStep step_counter(RuleState& state, const Rule& rule, CounterEntry& entry, uint64_t key, Number value,
                         int64_t time_ns, int64_t clock_ns, uint64_t arrival, int64_t held_since_ns) {
  if (entry.last_arrival == arrival) return entry.last_step;
  RuleLedger& ledger = state.ledger;
  ledger.counter_samples++;
  bool from_zero = false;
  bool fresh = !entry.series.known();
  int64_t freed_ns = 0;
  bool was_freed = false;
  if (!fresh && between_ns(entry.last_clock_ns, clock_ns) >= rule.expire_ns) {
    fresh = was_freed = true;
    freed_ns = entry.last_clock_ns + rule.expire_ns;
    entry.series = CounterSeries();
  } else if (!fresh && entry.last_clock_ns < held_since_ns) {
    fresh = was_freed = true;
    freed_ns = entry.last_clock_ns;
    entry.series = CounterSeries();
  } else if (fresh) {
    auto it = state.freed_counters.find(key);
    if (it != state.freed_counters.end()) was_freed = true, freed_ns = it->second;
  }
  if (fresh) {
    bool only_start = was_freed && between_ns(freed_ns, clock_ns) < kFreedCountersKeptNs;
    from_zero = !only_start && rule.first == FirstSample::kZero &&
                between_ns(std::max(state.watch_began_ns, held_since_ns), clock_ns) >= rule.baseline_ns;
    if (from_zero) ledger.first_from_zero++;
    entry.last_step = entry.series.start(value, time_ns, from_zero);
  } else {
    CounterEvents events;
    entry.last_step = entry.series.step(value, time_ns, events);
    ledger.counter_resets += events.resets;
    ledger.counter_falls += events.falls;
  }
  entry.last_clock_ns = entry.last_arrival == 0 ? clock_ns : std::max(entry.last_clock_ns, clock_ns);
  entry.last_arrival = arrival;
  return entry.last_step;
}

}  // namespace limpet
