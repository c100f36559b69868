// What happens once for each series: its head is parsed, the rules that match are found, its groups are found or made. And its end: what is
// idle is forgotten.
#include <algorithm>

#include "base/hash.h"
#include "base/limits.h"
#include "engine/impl.h"
#include "lineproto/format.h"

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
  if (!found) {
    found = series.add(by_identity);
    found->hash = hash64(identity);
    found->decision = &undecided;
  }
  if (raw && raw_bytes != usual && !series.find(*raw)) series.link(*raw, found);
  if (found->decision == &undecided) decide(*found, head);
  return found;
}

void Engine::Impl::decide(Series& of, const Head& head) {
  of.decision = &decision_for(head);
  of.last_seen_s = static_cast<uint32_t>(clock_ns / kSecondNs);
  const auto& all = of.decision->takes();
  of.more_groups = all.size() > 1 ? std::make_unique<Group*[]>(all.size() - 1) : nullptr;
  for (size_t i = 0; i < all.size(); i++) {
    std::vector<Tag> tags = all[i].epoch->rule->kept_tags(head.tags);
    const auto& own = all[i].epoch->rule->tags;
    tags.insert(tags.end(), own.begin(), own.end());
    std::sort(tags.begin(), tags.end());
    Group& group = group_for(*all[i].epoch, *all[i].space, std::move(tags));
    group.series++;
    of.group(i) = &group;
  }
}

Decision& Engine::Impl::decision_for(const Head& head) {
  matched.clear();
  match(head.name, head.tags, matched);
  std::string key = head.name;
  for (RuleEpoch* epoch : matched) key.append(1, '\0').append(reinterpret_cast<const char*>(&epoch), sizeof epoch);
  auto& decision = decisions[key];
  if (!decision) {
    std::vector<Take> all;
    for (RuleEpoch* epoch : matched) all.push_back({epoch, &epoch->space_of(head.name), false});
    for (size_t i = 0; i + 1 < all.size(); i++) all[i].same_state_as_next = &all[i].epoch->state == &all[i + 1].epoch->state;
    decision = std::make_unique<Decision>(head.name, std::move(all), options.dialect);
  }
  return *decision;
}

Group& Engine::Impl::group_for(RuleEpoch& epoch, FieldSpace& space, std::vector<Tag> tags) {
  auto group = std::make_unique<Group>(epoch, space, tags, 0);
  auto it = epoch.by_prefix.find(group->prefix());
  if (it != epoch.by_prefix.end()) return *it->second;
  group->hash = hash64(group->prefix());
  group->written = epoch.freeze_number;
  Group& made = *group;
  epoch.groups.push_back(&made);
  epoch.by_prefix.emplace(std::string_view(made.prefix()), std::move(group));
  note_writer(made);
  return made;
}

Group& Engine::Impl::overflow_group(RuleEpoch& epoch, FieldSpace& space) {
  std::vector<Tag> tags = epoch.rule->tags;
  tags.emplace_back("limpet_overflow", options.pod);
  std::sort(tags.begin(), tags.end());
  Group& group = group_for(epoch, space, std::move(tags));
  group.overflow = true;
  return group;
}

uint16_t Engine::Impl::slot_for(Group& group, uint32_t id) {
  uint16_t index = group.add_slot(id, pool);
  const FieldProgram& program = *group.slot(index).program;
  if (program.has_total) group.set_total(index, group.epoch.state.total_of(group, program));
  return index;
}

CounterEntry& Engine::Impl::counter_for(Series& of, const Target& target, RuleState& state, uint64_t& key) {
  key = counter_key(of.hash, target.program->field);
  if (!of.counters) of.counters = std::make_unique<std::vector<CounterEntry*>>();
  if (of.counters->size() <= target.counter) of.counters->resize(of.decision->counters(), nullptr);
  CounterEntry*& entry = (*of.counters)[target.counter];
  if (!entry) {
    auto& kept = state.counters[key];
    if (!kept) kept = std::make_unique<CounterEntry>();
    entry = kept.get();
    entry->users++;
  }
  return *entry;
}

void Engine::Impl::release(Series& of) {
  for (size_t i = 0; i < of.decision->takes().size(); i++) of.group(i)->series--;
  if (of.counters)
    for (CounterEntry* entry : *of.counters)
      if (entry) entry->users--;
  of.first_group = nullptr;
  of.more_groups.reset();
  of.counters.reset();
}

// The rules in force changed: every series is decided again at its next line.
void Engine::Impl::undecide_all() {
  series.for_each([&](Series& s) {
    release(s);
    s.decision = &undecided;
  });
  decisions.clear();
}

namespace {

// Frees the counters that were idle for `expire`, remembering for a day that they were there.
void sweep_counters(RuleState& state, int64_t clock_ns) {
  if (state.epochs.empty()) return;
  int64_t expire_ns = state.epochs.back()->rule->expire_ns;
  for (auto it = state.counters.begin(); it != state.counters.end();) {
    const CounterEntry& entry = *it->second;
    if (entry.users > 0 || clock_ns - entry.last_clock_ns < expire_ns) {
      ++it;
      continue;
    }
    state.freed_counters[it->first] = entry.last_clock_ns + expire_ns;
    state.counters.erase(it++);
  }
  for (auto it = state.freed_counters.begin(); it != state.freed_counters.end();)
    clock_ns - it->second >= kFreedCountersKeptNs ? state.freed_counters.erase(it++) : ++it;
  for (auto it = state.totals.begin(); it != state.totals.end();)
    it->second->users == 0 && clock_ns - it->second->last_clock_ns >= expire_ns ? state.totals.erase(it++) : ++it;
}

}  // namespace

// A share of the table each time, so that no call takes long.
void Engine::Impl::sweep() {
  sweep_due = false;
  if (clock_ns - swept_ns < kSweepEveryNs && clock_ns >= swept_ns) return;
  swept_ns = clock_ns;
  auto now_s = static_cast<uint32_t>(clock_ns / kSecondNs);
  constexpr auto kIdleS = static_cast<uint32_t>(kSeriesIdleNs / kSecondNs);
  series.sweep(
      std::max(kSweepSlotsMin, series.slots() / kSweepShare), [&](const Series& s) { return now_s > s.last_seen_s + kIdleS; },
      [&](Series& s) { release(s); });
  if (++sweeps % kSweepShare != 0) return;
  for (auto& state : states) sweep_counters(*state, clock_ns);
  for (RuleEpoch* epoch : epochs) begin_scan(*epoch);
}

}  // namespace limpet
