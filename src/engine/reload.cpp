// Rules in force: what a reload keeps, what changes over at a window border, what ends.
#include <algorithm>

#include "engine/impl.h"

namespace limpet {

RuleState& Engine::Impl::state_of(const std::string& name) {
  if (auto it = states_by_name.find(name); it != states_by_name.end()) return *it->second;
  states.push_back(std::make_unique<RuleState>(name, ledger.rules[name]));
  return *(states_by_name[name] = states.back().get());
}

RuleEpoch& Engine::Impl::add_epoch(RuleState& state, const std::shared_ptr<const RuleSet>& set, const Rule& rule) {
  state.epochs.push_back(std::make_unique<RuleEpoch>(state, set, rule));
  return *state.epochs.back();
}

std::vector<PlannedChange> Engine::Impl::set_rules(std::shared_ptr<const RuleSet> next) {
  static const RuleSet kNoRules;
  bool reload = rules != nullptr;
  std::vector<PlannedChange> plan = plan_changes(reload ? *rules : kNoRules, *next);
  Generation generation{next, {}};
  for (size_t i = 0; i < next->rules().size(); i++) {
    const Rule& rule = next->rules()[i];
    Change change = plan[i].change;
    RuleState& state = state_of(rule.name);
    state.order = static_cast<uint32_t>(i);
    if (change == Change::kKept || change == Change::kLive) {
      RuleEpoch& epoch = *state.epochs.back();
      epoch.rules = next, epoch.rule = &rule;
      epoch.windows.set_limits(rule);
      epoch.sure_until_ns = INT64_MIN;
      for (Generation& old : generations)
        std::replace(old.epochs.begin(), old.epochs.end(), &epoch, static_cast<RuleEpoch*>(nullptr));
      generation.epochs.push_back(&epoch);
      continue;
    }
    if (change == Change::kReplaced) {
      RuleEpoch& former = *state.epochs.back();
      former.windows.end_after(clock_ns);
      former.sure_until_ns = INT64_MIN;
      // What it takes now and did not before was not watched.
      if (!watch_alike(*former.rule, rule)) state.watching = false;
    }
    bool continues = change == Change::kReplaced && !state.epochs.back()->preview();
    RuleEpoch& epoch = add_epoch(state, next, rule);
    epoch.continues = continues;
    state.removed = false;
    if (reload && has_clock) epoch.windows.begin_after(clock_ns);
    generation.epochs.push_back(&epoch);
  }
  for (const PlannedChange& change : plan) {
    if (change.change != Change::kEnds) continue;
    RuleState& state = state_of(change.rule);
    state.removed = true;
    state.order = UINT32_MAX;
    state.epochs.back()->windows.end_after(clock_ns);
    state.epochs.back()->sure_until_ns = INT64_MIN;
  }
  generations.push_back(std::move(generation));
  rules = std::move(next);
  undecide_all();
  std::stable_sort(states.begin(), states.end(), [](const auto& a, const auto& b) { return a->order < b->order; });
  epochs.clear();
  for (auto& state : states)
    for (auto& epoch : state->epochs) epochs.push_back(epoch.get());
  retire_epochs();
  find_next_due();
  return plan;
}

// All rules in force whose selectors match, by rule in file order, the older definition of a rule before the newer.
void Engine::Impl::match(std::string_view name, const std::vector<Tag>& tags, std::vector<RuleEpoch*>& out) {
  for (const Generation& generation : generations) {
    matched_indexes.clear();
    generation.rules->match(name, tags, matched_indexes);
    for (uint32_t index : matched_indexes)
      if (RuleEpoch* epoch = generation.epochs[index]) out.push_back(epoch);
  }
  if (generations.size() > 1)
    std::stable_sort(out.begin(), out.end(), [](const RuleEpoch* a, const RuleEpoch* b) {
      return a->state.order != b->state.order ? a->state.order < b->state.order : a->state.name < b->state.name;
    });
}

}  // namespace limpet
