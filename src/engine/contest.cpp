#include "engine/contest.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/impl.h"
#include "window/result.h"

namespace limpet {
namespace {

// How many times of results a contested series remembers: enough for the graces of two rules to differ by as many
// slides.
constexpr size_t kTimesRemembered = 1024;

}  // namespace

std::string contest_key(std::string_view field, std::string_view le) {
  std::string key(field);
  if (!le.empty()) (key += '\0') += le;
  return key;
}

bool Contest::taken(std::string_view field, std::string_view le) {
  if (!written_) return false;
  std::string key = contest_key(field, le);
  bool lost = reserved_.contains(key) || written_->try_emplace(std::move(key), asker_).first->second != asker_;
  if (lost && lost_.empty()) lost_ = field;
  return lost;
}

void Contests::add(Group& group) {
  auto [it, fresh] = writers_.try_emplace(group.hash, &group);
  if (fresh || it->second->prefix() != group.prefix()) return;
  auto found = contested_.find(group.hash);
  if (found == contested_.end() && &it->second->epoch.state == &group.epoch.state) {
    it->second = &group;  // a newer definition of the same rule: others meet that one
    return;
  }
  auto& series = contested_[group.hash];
  if (!series) {
    series = std::make_unique<Series>();
    series->groups.push_back(it->second);
    it->second->contested = true;
  }
  series->groups.push_back(&group);
  group.contested = true;
}

void Contests::remove(Group& group) {
  if (auto it = contested_.find(group.hash); it != contested_.end()) {
    std::erase(it->second->groups, &group);
    if (it->second->groups.empty()) contested_.erase(it);
  }
  auto it = writers_.find(group.hash);
  if (it == writers_.end() || it->second != &group) return;
  auto rest = contested_.find(group.hash);
  if (rest == contested_.end())
    writers_.erase(it);
  else
    it->second = rest->second->groups.front();
}

Contests::Series* Contests::find(const Group& group) {
  auto it = contested_.find(group.hash);
  return it == contested_.end() ? nullptr : it->second.get();
}

// What is in preview writes nothing. Switched on it is another definition of the rule, with groups of its own.
void Engine::Impl::note_writer(Group& group) {
  if (!group.epoch.preview()) contests.add(group);
}

void Engine::Impl::log_collision(const Group& group, std::string_view field) {
  if (group.epoch.state.collision_logged) return;
  group.epoch.state.collision_logged = true;
  log.warning(fmt::format(
      "rule \"{}\": another rule writes the field \"{}\" of the series {} at the same time, and only that one's is "
      "kept; give one of them another measurement, field_name or tags",
      group.epoch.state.name, field, group.prefix()));
}

void Engine::Impl::log_clash(const Group& group, std::string_view field) {
  if (group.epoch.state.clash_logged) return;
  group.epoch.state.clash_logged = true;
  log.warning(
      fmt::format("rule \"{}\": two of its results in the series {} are named \"{}\": one of them is kept; field_name "
                  "can tell them apart",
                  group.epoch.state.name, group.prefix(), field));
}

void Engine::Impl::forget_writer(Group& group) { contests.remove(group); }

void Engine::Impl::forget_writers(const RuleEpoch& epoch) {
  for (Group* group : epoch.groups) contests.remove(*group);
}

// The window of an epoch whose results carry that time; kNever: none does.
int64_t Engine::Impl::window_stamped(const RuleEpoch& epoch, int64_t stamp_ns) const {
  int64_t end = stamp_ns;
  if (epoch.rule->timestamp == WindowStamp::kStart && __builtin_add_overflow(end, epoch.rule->period_ns, &end))
    return WindowClock::kNever;
  int64_t window = epoch.windows.pane_of(end);
  return epoch.windows.end_ns(window) == end && epoch.windows.in_force(window) ? window : WindowClock::kNever;
}

// After a reload: what later definitions of the same rule would write at that time, which is then theirs alone. A
// histogram's lines are series of their own.
LinesOfGroup Engine::Impl::superseded(const Group& group, int64_t stamp_ns) const {
  LinesOfGroup lines;
  const auto& definitions = group.epoch.state.epochs;
  for (size_t i = definitions.size(); i-- > 0 && definitions[i].get() != &group.epoch;) {
    const RuleEpoch& later = *definitions[i];
    int64_t window = later.preview() ? WindowClock::kNever : window_stamped(later, stamp_ns);
    if (window == WindowClock::kNever) continue;
    auto it = later.by_prefix.find(std::string_view(group.prefix()));
    if (it == later.by_prefix.end() || !owns(*it->second, window)) continue;
    std::set<std::string> fields;
    add_result_fields(*it->second, window, fields);
    for (const std::string& field : fields) {
      size_t end = field.find('\0');
      lines.insert(end == field.npos ? std::string() : field.substr(end + 1));
    }
  }
  return lines;
}

Contest Engine::Impl::contest_of(const Group& group, int64_t stamp_ns) {
  if (!group.contested) return {};
  Contests::Series* shared = contests.find(group);
  if (!shared) return {};
  std::set<std::string> reserved;
  for (const Group* rival : shared->groups) {
    if (rival->epoch.state.order >= group.epoch.state.order) continue;
    int64_t window = window_stamped(rival->epoch, stamp_ns);
    bool to_come =
        window != WindowClock::kNever && window >= rival->epoch.pending_from && !rival->epoch.windows.emitted(window);
    if (!to_come || !holds_samples(*rival, window)) continue;
    add_result_fields(*rival, window, reserved);
  }
  auto& written = shared->written[stamp_ns];
  if (shared->written.size() > kTimesRemembered) shared->written.erase(shared->written.begin());
  return Contest(group.epoch.state, written, std::move(reserved));
}

}  // namespace limpet
