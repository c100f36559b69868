// What happens once for each series: its head is parsed, the rules that match are found, its groups are found or made.
// And its end: what is idle is forgotten.
#include <algorithm>

#include "base/hash.h"
#include "base/limits.h"
#include "engine/impl.h"
#include "lineproto/format.h"
#include "sharding/key.h"

namespace limpet {
namespace {

// A series that was not seen for so long by the engine's clock is forgotten; the next line decides it anew.
constexpr int64_t kSeriesIdleNs = 10 * kMinuteNs;
constexpr int64_t kSweepEveryNs = kSecondNs;
constexpr size_t kSweepSlotsMin = 1024;
constexpr size_t kSweepShare = 64;  // a full round takes so many sweeps

void append_escaped(std::string& out, std::string_view text, std::string_view special) {
  for (char c : text) {
    if (special.find(c) != special.npos) out += '\\';
    out += c;
  }
}

// The head as most senders spell it. Empty where that spelling would read as something else.
std::string usual_spelling(const Head& head, Dialect dialect) {
  std::string out;
  append_escaped(out, head.name, ", ");
  for (const auto& [key, value] : head.tags) {
    append_escaped(out += ',', key, ", =");
    append_escaped(out += '=', value, ", =");
  }
  auto back = parse_head(out + " f=1", dialect);
  return back && back->name == head.name && back->tags == head.tags && back->size == out.size() ? out : std::string();
}

std::string identity_text(const Head& head) {
  std::string out = head.name;
  for (const auto& [key, value] : head.tags) {
    (out += '\0') += key;
    (out += '\0') += value;
  }
  return out;
}

}  // namespace

Series* Engine::Impl::see(const Line& line) {
  std::string_view text(line.begin, static_cast<size_t>(line.end - line.begin));
  auto size = static_cast<size_t>(line.head_end - line.begin);
  auto head = parse_head(text, options.dialect);
  if (!head || head->size != size || head->tags.size() > limits::kTagsMax) return nullptr;
  return see(&line.hash, *head, text.substr(0, size));
}

// Finds or makes the series of a head. `raw`: the hash of its bytes, by which it shall be found again.
Series* Engine::Impl::see(const HeadHash* raw, const Head& head, std::string_view raw_bytes) {
  std::string identity = identity_text(head);
  std::string usual = usual_spelling(head, options.dialect);
  HeadHash by_identity = usual.empty() ? series.hash_identity(identity) : series.hash_raw(usual.data(), usual.size());
  Series* found = series.find(by_identity);
  if (!found && series.size() >= options.series_max) return see_uncached(head, hash64(identity));
  if (!found) {
    found = series.add(by_identity);
    found->hash = hash64(identity);
    if (tallies()) series_tally.back(found->hash);
    found->decision = &undecided;
  }
  if (raw && raw_bytes != usual && !series.find(*raw)) series.link(*raw, found);
  if (found->decision == &undecided) decide(*found, head);
  return found;
}

// The table is full: the line's series lives until the next such line.
Series* Engine::Impl::see_uncached(const Head& head, uint64_t hash) {
  release(uncached);
  uncached.hash = hash;
  if (tallies()) series_tally.gone(hash);
  decide(uncached, head);
  return &uncached;
}

void Engine::Impl::decide(Series& of, const Head& head) {
  of.decision = &decision_for(head);
  of.last_seen_s = static_cast<uint32_t>(clock_ns / kSecondNs);
  if (ownership) of.line_key = line_key(head.name, head.tags);
  resolve(of, head);
}

// Finds the groups of the takes that came since the series was decided.
void Engine::Impl::resolve(Series& of, const Head& head) {
  const auto& all = of.decision->takes();
  if (of.resolved == all.size()) return;
  if (all.size() > 1) {
    auto more = std::make_unique<Group*[]>(all.size() - 1);
    if (of.resolved > 1) std::copy_n(of.more_groups.get(), of.resolved - 1, more.get());
    of.more_groups = std::move(more);
  }
  for (; of.resolved < all.size(); of.resolved++) {
    const Take& take = all[of.resolved];
    std::vector<Tag> tags = take.epoch->rule->kept_tags(head.tags);
    tags.insert(tags.end(), take.epoch->rule->tags.begin(), take.epoch->rule->tags.end());
    std::sort(tags.begin(), tags.end());
    Group& group = group_for(*take.epoch, *take.space, tags);
    if (ownership && !group.keyed) take_key(group, *take.epoch, head);
    group.series++;
    of.group(of.resolved) = &group;
  }
}

void Engine::Impl::resolve(Series& of, const Line& line) {
  auto head = parse_head({line.begin, static_cast<size_t>(line.end - line.begin)}, options.dialect);
  resolve(of, *head);
}

Decision& Engine::Impl::decision_for(const Head& head) {
  // Rules that match every line tell no lines apart: they are looked up only for a new decision.
  std::string key = head.name;
  size_t conditional = 0;
  for (const Generation& generation : generations) {
    matched_indexes.clear();
    generation.rules->match_conditional(head.name, head.tags, matched_indexes);
    for (size_t index : matched_indexes) {
      auto id = reinterpret_cast<uintptr_t>(generation.epochs[index]);
      key.append(reinterpret_cast<const char*>(&id), sizeof id);
    }
    conditional += matched_indexes.size();
  }
  key.append(reinterpret_cast<const char*>(&conditional), sizeof conditional);  // so that it reads in one way only
  auto& decision = decisions[key];
  if (decision) return *decision;
  matched.clear();
  match(head.name, head.tags, matched);
  decision = std::make_unique<Decision>(head.name, matched, options.dialect);
  return *decision;
}

Group& Engine::Impl::group_for(RuleEpoch& epoch, FieldSpace& space, const std::vector<Tag>& tags) {
  auto group = std::make_unique<Group>(epoch, space, tags, 0);
  auto it = epoch.by_prefix.find(group->prefix());
  if (it != epoch.by_prefix.end()) return *it->second;
  group->hash = hash64(group->prefix());
  if (tallies()) group_tally.back(tally_key(*group));
  group->written = epoch.freeze_number;
  Group& made = *group;
  epoch.groups.push_back(&made);
  if (epoch.scan_left > 0) epoch.scan_left++;  // it comes before those that the scan still has to reach
  epoch.by_prefix.emplace(std::string_view(made.prefix()), std::move(group));
  note_writer(made);
  account(made);
  return made;
}

Group& Engine::Impl::overflow_group(RuleEpoch& epoch, FieldSpace& space) {
  std::vector<Tag> tags = epoch.rule->tags;
  tags.emplace_back("limpet_overflow", options.pod);
  std::sort(tags.begin(), tags.end());
  Group& group = group_for(epoch, space, tags);
  group.overflow = true;
  return group;
}

uint16_t Engine::Impl::slot_for(Group& group, uint32_t id) {
  if (group.slots().size() >= options.group_fields_max) return Group::kNoSlot;
  uint16_t index = group.add_slot(id, pool);
  const FieldProgram& program = *group.slot(index).program;
  if (program.has_total) group.set_total(index, group.epoch.state.total_of(group, program));
  account(group);
  return index;
}

CounterEntry& Engine::Impl::counter_for(Series& of, const Target& target, RuleState& state, uint64_t& key) {
  key = counter_key(of.hash, target.program->field);
  if (!of.counters) of.counters = std::make_unique<std::vector<CounterEntry*>>();
  if (of.counters->size() <= target.counter) of.counters->resize(of.decision->counters(), nullptr);
  CounterEntry*& entry = (*of.counters)[target.counter];
  if (!entry) {
    entry = state.counter_of(key);
    entry->users++;
  }
  return *entry;
}

void Engine::Impl::release(Series& of) {
  for (size_t i = 0; i < of.resolved; i++) of.group(i)->series--;
  of.resolved = 0;
  if (of.counters)
    for (CounterEntry* entry : *of.counters)
      if (entry) entry->users--;
  of.first_group = nullptr;
  of.more_groups.reset();
  of.counters.reset();
}

// The rules in force changed: every series is decided again at its next line.
void Engine::Impl::undecide_all() {
  auto undecide = [&](Series& s) {
    release(s);
    s.decision = &undecided;
  };
  series.for_each(undecide);
  undecide(uncached);
  decisions.clear();
}

// The rest of the round, as far as `counters_max` goes. True if something is left.
bool Engine::Impl::sweep_counters(size_t counters_max) {
  for (; swept_states < states.size(); swept_states++) {
    states[swept_states]->sweep(counters_max, clock_ns);
    if (counters_max == 0) return true;
  }
  return false;
}

// A share of the table each time, and a few counters, so that no call takes long.
void Engine::Impl::sweep(size_t counters_max) {
  sweep_due = sweep_counters(counters_max);
  int64_t elapsed_ns = clock_ns - swept_ns;
  if (elapsed_ns >= 0 && elapsed_ns < kSweepEveryNs) return;
  bool all = elapsed_ns < 0 || elapsed_ns >= static_cast<int64_t>(kSweepShare) * kSweepEveryNs;  // the clock jumped
  swept_ns = clock_ns;
  auto now_s = static_cast<uint32_t>(clock_ns / kSecondNs);
  constexpr auto kIdleS = static_cast<uint32_t>(kSeriesIdleNs / kSecondNs);
  series.sweep(
      all ? series.slots() : std::max(kSweepSlotsMin, series.slots() / kSweepShare),
      [&](const Series& s) { return now_s > s.last_seen_s + kIdleS; },
      [&](Series& s) {
        release(s);
        if (tallies()) series_tally.gone(s.hash);
      });
  if (++sweeps % kSweepShare != 0 && !all) return;
  for (auto& state : states) state->begin_sweep();
  swept_states = 0;
  sweep_due = true;
  for (RuleEpoch* epoch : epochs) begin_scan(*epoch);
  if (options.clock == ClockSource::kData) emit(SIZE_MAX);
}

}  // namespace limpet
