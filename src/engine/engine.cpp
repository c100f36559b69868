#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/impl.h"

namespace limpet {
namespace {

constexpr size_t kSweptCountersPerCall = 8192;
// Fewer samples of counters say nothing about how many of them are resets.
constexpr uint64_t kResetsAskedFrom = 20;

// Seeds the hash of series heads: whoever sends lines should not be able to choose ones that collide.
uint64_t table_seed(const void* address, WallTime started) {
  return hash64(std::string_view(reinterpret_cast<const char*>(&started), sizeof started),
                reinterpret_cast<uint64_t>(address) | 1);
}

}  // namespace

Engine::Impl::Impl(EngineOptions options_, Log& log_)
    : options(std::move(options_)),
      log(log_),
      series(table_seed(this, options.started)),
      undecided({}, {}, options.dialect) {
  uncached.decision = &undecided;
  if (options.shared) ownership = std::make_shared<Ownership>(), ownership_number = 1;
}

Engine::Impl::~Impl() {
  for (auto& state : states)
    for (auto& epoch : state->epochs)
      for (Group* group : epoch->groups) group->drop_all_panes(pool);
}

EngineGauges Engine::Impl::gauges() const {
  EngineGauges g;
  g.series = series.size();
  g.state_bytes = series.bytes() + pool.bytes();
  for (const auto& state : states) g.counters += state->counters.size();
  for (const RuleEpoch* epoch : epochs) {
    g.groups += epoch->active_groups;
    g.groups_held += epoch->groups.size();
    if (epoch->freezes.empty()) continue;
    g.frozen_groups += epoch->scan_left;
    g.emission_lag_ns = std::max(g.emission_lag_ns, clock_ns - epoch->freezes.front().due_ns);
  }
  return g;
}

SeenEver Engine::Impl::seen_ever() {
  SeenEver seen;
  seen.exact = series_tally.exact() && group_tally.exact();
  seen.series = series_tally.count(series.size(),
                                   [&](auto count) { series.for_each([&](const Series& each) { count(each.hash); }); });
  uint64_t groups = 0;
  for (const RuleEpoch* epoch : epochs)
    if (!epoch->preview()) groups += epoch->groups.size();
  seen.groups = group_tally.count(groups, [&](auto count) {
    for (const RuleEpoch* epoch : epochs)
      for (const Group* group : epoch->groups)
        if (!epoch->preview()) count(tally_key(*group));
  });
  return seen;
}

// Rules may write the same series.
uint64_t Engine::Impl::tally_key(const Group& group) { return hash64(group.epoch.state.name, group.hash); }

void Engine::Impl::note_incomplete(RuleEpoch& epoch) {
  if (epoch.state.incomplete_logged) return;
  epoch.state.incomplete_logged = true;
  log.info("rule \"" + epoch.state.name +
           "\": windows that were open when the process started or stopped are incomplete; `incomplete` "
           "says what becomes of them");
}

void Engine::Impl::note_resets(RuleState& state) {
  const RuleLedger& counts = state.ledger;
  if (state.resets_logged || counts.counter_samples < kResetsAskedFrom ||
      counts.counter_resets * 10 <= counts.counter_samples)
    return;
  state.resets_logged = true;
  log.warning(
      fmt::format("rule \"{}\": {} of its {} counter samples so far are resets: do two sources write one series? Then "
                  "a tag that tells "
                  "them apart is missing",
                  state.name, counts.counter_resets, counts.counter_samples));
}

Engine::Engine(EngineOptions options, Log& log) : impl_(std::make_unique<Impl>(std::move(options), log)) {}
Engine::~Engine() = default;

std::vector<PlannedChange> Engine::set_rules(std::shared_ptr<const RuleSet> rules, WallTime now) {
  if (impl_->options.clock == ClockSource::kCaller) impl_->set_clock(now.ns);
  return impl_->set_rules(std::move(rules));
}

IngestResult Engine::ingest(const Block& block, WallTime now) {
  if (impl_->options.clock == ClockSource::kCaller) impl_->set_clock(now.ns);
  return impl_->ingest(block);
}

void Engine::count_bad(BadLine bad) {
  impl_->ledger.lines.read++;
  impl_->ledger.lines.bad[static_cast<size_t>(bad)]++;
}

void Engine::count_shed(uint64_t lines) {
  impl_->ledger.lines.written_back -= lines;
  impl_->ledger.lines.shed += lines;
}

void Engine::advance(WallTime now) {
  if (impl_->options.clock == ClockSource::kCaller || now.ns > impl_->clock_ns) impl_->set_clock(now.ns);
  if (impl_->sweep_due) impl_->sweep(kSweptCountersPerCall);
  impl_->count_slices();
  impl_->count_heaps();
  impl_->retire_epochs();
}

std::optional<WallTime> Engine::next_deadline() const {
  if (impl_->next_due_ns == WindowClock::kNever) return std::nullopt;
  return WallTime{impl_->next_due_ns};
}

bool Engine::emission_pending() const {
  return std::any_of(impl_->epochs.begin(), impl_->epochs.end(), [](const RuleEpoch* e) { return e->scan_left > 0; });
}

size_t Engine::emit(size_t lines_max) { return impl_->emit(lines_max); }

void Engine::stop(StopMode mode, WallTime now) {
  if (impl_->options.clock == ClockSource::kCaller) impl_->set_clock(now.ns);
  impl_->stop(mode);
}

std::string& Engine::results() { return impl_->results; }
std::string& Engine::written_back() { return impl_->written_back; }
const Ledger& Engine::ledger() { return impl_->refreshed_ledger(); }
std::map<std::string, StateCount> Engine::walk_state() const { return impl_->walk_state(); }
EngineGauges Engine::gauges() const { return impl_->gauges(); }
SeenEver Engine::seen_ever() { return impl_->seen_ever(); }
const RuleSet& Engine::rules() const { return *impl_->rules; }

std::optional<WallTime> Engine::clock() const {
  if (!impl_->has_clock) return std::nullopt;
  return WallTime{impl_->clock_ns};
}

}  // namespace limpet
