#include "engine/rule_state.h"

#include <algorithm>

#include "base/hash.h"

namespace limpet {

RuleEpoch::RuleEpoch(RuleState& state_, std::shared_ptr<const RuleSet> rules_, const Rule& rule_)
    : state(state_), rules(std::move(rules_)), rule(&rule_), windows(rule_) {}

RuleEpoch::~RuleEpoch() = default;

FieldSpace& RuleEpoch::space_of(std::string_view input_measurement) {
  std::string measurement = rule->result_measurement(input_measurement);
  auto& space = spaces[measurement];
  if (!space) {
    space = std::make_unique<FieldSpace>();
    space->measurement = measurement;
  }
  return *space;
}

RunningTotal* RuleState::total_of(const Group& group, const FieldProgram& program) {
  auto& total = totals[hash64(program.field, group.hash)];
  if (!total) total = std::make_unique<RunningTotal>();
  return total.get();
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
  if (!fresh && clock_ns - entry.last_clock_ns >= rule.expire_ns) {
    fresh = was_freed = true;
    freed_ns = entry.last_clock_ns + rule.expire_ns;
    entry.series = CounterSeries();
  } else if (!fresh && entry.last_clock_ns < held_since_ns) {
    fresh = was_freed = true;
    freed_ns = entry.last_clock_ns;
    entry.series = CounterSeries();
  } else if (fresh) {
    auto it = state.freed_counters.find(key);
    if (it != state.freed_counters.end()) was_freed = true, freed_ns = it->second, state.freed_counters.erase(it);
  }
  if (fresh) {
    bool only_start = was_freed && clock_ns - freed_ns < kFreedCountersKeptNs;
    from_zero = !only_start && rule.first == FirstSample::kZero &&
                clock_ns - std::max(state.watch_began_ns, held_since_ns) >= rule.baseline_ns;
    if (from_zero) ledger.first_from_zero++;
    entry.last_step = entry.series.start(value, time_ns, from_zero);
  } else {
    CounterEvents events;
    entry.last_step = entry.series.step(value, time_ns, events);
    ledger.counter_resets += events.resets;
    ledger.counter_falls += events.falls;
  }
  entry.last_clock_ns = std::max(entry.last_clock_ns, clock_ns);
  entry.last_arrival = arrival;
  return entry.last_step;
}

}  // namespace limpet
