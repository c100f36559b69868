// Frozen windows become result lines: a little at a time, group by group, always before a new sample touches the
// group's panes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/limits.h"
#include "engine/impl.h"
#include "lineproto/format.h"
#include "window/result.h"

namespace limpet {
namespace {

// How many groups one call may look at beside the lines it writes: bounds the time of a call over groups with nothing
// to say.
constexpr size_t kGroupsPerCall = 8192;

// A line under construction; begins another of the same series and time where it would grow too long. A field that is
// too long for any line, a string or one of a series with very long tags, is left out.
class LineWriter {
 public:
  LineWriter(std::string& out, std::string_view prefix, int64_t stamp_ns) : out_(out), prefix_(prefix) {
    stamp_ = " " + std::to_string(stamp_ns) + "\n";
  }
  ~LineWriter() { close(); }

  void field(std::string_view name, const Value& value) {
    text_.clear();
    append_field_key(text_, name);
    text_ += '=';
    append_value(text_, value);
    if (prefix_.size() + 1 + text_.size() + stamp_.size() >= limits::kResultBytesMax) return void(too_long_++);
    if (open_ && out_.size() - begin_ + text_.size() + stamp_.size() + 1 >= limits::kResultBytesMax) close();
    if (!open_) {
      begin_ = out_.size();
      out_.append(prefix_);
      out_ += ' ';
    } else {
      out_ += ',';
    }
    open_ = true;
    out_ += text_;
  }
  size_t close() {
    if (open_) out_ += stamp_, lines_++;
    open_ = false;
    return lines_;
  }
  size_t too_long() const { return too_long_; }

 private:
  std::string& out_;
  std::string_view prefix_;
  std::string stamp_, text_;
  size_t begin_ = 0, lines_ = 0, too_long_ = 0;
  bool open_ = false;
};

struct Merged {
  CoreCell core;
  WideCell wide;
};

int64_t due_since(const RuleEpoch& epoch) { return epoch.freezes.empty() ? INT64_MAX : epoch.freezes.front().due_ns; }

bool is_finite(const Value& value) {
  const double* f = std::get_if<double>(&value);
  return !f || std::isfinite(*f);
}

// The panes of one group that belong to one window: [first, last).
struct PaneRange {
  const Pane* const* first;
  const Pane* const* last;
};

PaneRange panes_of(const Group& group, int64_t window) {
  const auto& panes = group.panes();
  int64_t from = window - group.epoch.windows.panes();
  auto below = [](const Pane* p, int64_t n) { return p->number < n; };
  auto first = std::lower_bound(panes.begin(), panes.end(), from, below);
  auto last = std::lower_bound(first, panes.end(), window, below);
  return {panes.data() + (first - panes.begin()), panes.data() + (last - panes.begin())};
}

void merge_panes(const Group::Slot& slot, PaneRange range, Merged& into) {
  for (auto p = range.first; p != range.last; ++p) {
    if ((*p)->lines <= slot.line) continue;
    into.core.merge((*p)->core(slot.line));
    if (slot.program->wide()) merge_wide(*slot.program, into.wide, (*p)->wide(slot.line + 1));
  }
}

// All increases before the window's end: the running sum less what lies behind it, in this group's panes and, where the
// rule's definition has ended, behind its last window. Of a total that started anew behind the window, what it was.
DoubleDouble total_before(const Group& group, const Group::Slot& slot, int64_t window, const TotalPast& past) {
  size_t life = past.lives.size();  // the one that goes on
  while (life > 0 && past.lives[life - 1].next_pane >= window) life--;
  const TotalPast::Life* ended = life < past.lives.size() ? &past.lives[life] : nullptr;
  const TotalPast::Life* before = life > 0 ? &past.lives[life - 1] : nullptr;
  DoubleDouble total = ended ? ended->sum : slot.total->sum;
  const auto& panes = group.panes();
  for (size_t i = panes.size(); i-- > 0 && panes[i]->number >= window;) {
    if (panes[i]->lines <= slot.line) continue;
    total.add(-(ended ? ended->held(panes[i]->number) : panes[i]->wide(slot.line + 1).increase));
    if (before) total.add(before->held(panes[i]->number));
  }
  if (ended) return total;
  const auto& behind = group.epoch.totals_behind;
  if (behind.empty()) return total;
  if (auto it = behind.find(RuleState::total_key(group, *slot.program)); it != behind.end()) total.add(-it->second);
  return total;
}

// The same, and where windows are emitted again what was emitted first.
DoubleDouble total_of_window(const Group& group, const Group::Slot& slot, int64_t window) {
  static const TotalPast kNone;
  RuleEpoch& epoch = group.epoch;
  bool corrects = epoch.rule->late == LatePolicy::kCorrect;
  if (!corrects && epoch.totals_past.empty()) return total_before(group, slot, window, kNone);
  uint64_t key = RuleState::total_key(group, *slot.program);
  if (!corrects) {
    auto it = epoch.totals_past.find(key);
    return total_before(group, slot, window, it == epoch.totals_past.end() ? kNone : it->second);
  }
  TotalPast& past = epoch.totals_past[key];
  for (const auto& [number, total] : past.emitted)
    if (number == window) return total;
  // Later windows may be corrected in the same turn, which is then their last.
  std::erase_if(past.emitted,
                [&](const auto& entry) { return entry.first <= epoch.keep_from_pane && entry.first < window; });
  return past.emitted.emplace_back(window, total_before(group, slot, window, past)).second;
}

}  // namespace

bool Engine::Impl::holds_samples(const Group& group, int64_t window) const {
  PaneRange range = panes_of(group, window);
  return range.first != range.last;
}

// The names of the result fields that a window of a group would have.
void Engine::Impl::add_result_fields(const Group& group, int64_t window, std::set<std::string>& out) const {
  for (const Group::Slot& slot : group.slots()) {
    Merged merged;
    merge_panes(slot, panes_of(group, window), merged);
    const FieldProgram& program = *slot.program;
    FieldWindow field{merged.core, program.wide() ? &merged.wide : nullptr, group.epoch.rule->period_ns, {}};
    for (size_t f = 0; f < program.functions.size(); f++) {
      const FunctionSpec& function = program.functions[f];
      if (function.kind == FunctionKind::kHistogram || function.kind == FunctionKind::kHistogramBounds)
        for_each_bucket(function, program, field,
                        [&](std::string_view le, uint64_t) { out.insert(contest_key(program.names[f], le)); });
      else if (auto value = result_of(function, program, field); value && is_finite(*value))
        out.insert(contest_key(program.names[f], {}));
    }
  }
}

// Renders what is frozen and not yet rendered of a group, and frees the panes that nothing needs any more.
void Engine::Impl::settle(Group& group) {
  RuleEpoch& epoch = group.epoch;
  if (group.written != epoch.freeze_number) {
    for (size_t i = 0; i < epoch.freezes.size(); i++) {
      const Freeze freeze = epoch.freezes[i];
      if (freeze.number <= group.written) continue;
      if (freeze.correction) {
        std::erase_if(group.to_correct, [&](int64_t window) { return !owns(group, window); });
        for (int64_t window : group.to_correct) render(group, freeze, window);
        epoch.state.ledger.corrected += group.to_correct.size();
        group.to_correct.clear();
      } else if (holds_samples(group, freeze.window) && owns(group, freeze.window)) {
        render(group, freeze, freeze.window);
      }
    }
    group.written = epoch.freeze_number;
  }
  if (group.owned_as_of != ownership_number) look_up_owner(group);
  bool given_up = group.tenure && group.tenure->empty();
  free_panes(epoch, group, given_up ? INT64_MAX : epoch.keep_from_pane);
}

void Engine::Impl::render(Group& group, const Freeze& freeze, int64_t window) {
  RuleEpoch& epoch = group.epoch;
  const Rule& rule = *epoch.rule;
  RuleLedger& counts = epoch.state.ledger;
  bool incomplete = freeze.cut_short || (options.clock == ClockSource::kCaller &&
                                         epoch.windows.begin_ns(window) < held_since_ns(group, window));
  if (incomplete) {
    counts.incomplete++;
    note_incomplete(epoch);
    if (rule.incomplete == IncompletePolicy::kSkip) return;
  }
  std::string_view tag =
      incomplete && rule.incomplete == IncompletePolicy::kTag ? std::string_view(options.incarnation) : "";
  int64_t stamp = rule.timestamp == WindowStamp::kEnd ? epoch.windows.end_ns(window) : epoch.windows.begin_ns(window);
  LinesOfGroup not_ours = superseded(group, stamp);
  Contest contest = contest_of(group, stamp);
  std::string& out = epoch.preview() ? scratch_results : results;
  std::string tagged = tag.empty() ? std::string() : group.prefix_with({}, tag);
  PaneRange range = panes_of(group, window);
  LineWriter line(out, tag.empty() ? std::string_view(group.prefix()) : std::string_view(tagged), stamp);
  std::string bucket_lines;
  size_t buckets = 0, too_long = 0;
  // Fields that give one name: the first in order of the input's names wins.
  bool clashes = group.space.clashes;
  std::set<std::string> written;
  auto clash = [&](std::string_view name, std::string_view le) {
    if (!clashes || written.insert(contest_key(name, le)).second) return false;
    log_clash(group, name);
    return true;
  };
  for (uint16_t index : group.by_name()) {
    const Group::Slot& slot = group.slot(index);
    Merged merged;
    merge_panes(slot, range, merged);
    FieldWindow field{merged.core, slot.program->wide() ? &merged.wide : nullptr, rule.period_ns, {}};
    // Where it is not written nothing of it is remembered either.
    if (slot.total && merged.core.numbers > 0) field.total = total_of_window(group, slot, window);
    const FieldProgram& program = *slot.program;
    for (size_t f = 0; f < program.functions.size(); f++) {
      const FunctionSpec& function = program.functions[f];
      if (function.kind == FunctionKind::kHistogram || function.kind == FunctionKind::kHistogramBounds) {
        for_each_bucket(function, program, field, [&](std::string_view le, uint64_t count) {
          if (not_ours.contains(le)) return;
          if (clash(program.names[f], le) || contest.taken(program.names[f], le)) return void(counts.collisions++);
          std::string with_le = group.prefix_with(le, tag);
          LineWriter bucket(bucket_lines, with_le, stamp);
          bucket.field(program.names[f], static_cast<int64_t>(count));
          buckets += bucket.close();
          too_long += bucket.too_long();
        });
        continue;
      }
      if (not_ours.contains(std::string_view())) continue;
      std::optional<Value> value = result_of(function, program, field);
      if (!value) continue;
      if (!is_finite(*value))
        counts.not_finite++;
      else if (clash(program.names[f], {}) || contest.taken(program.names[f], {}))
        counts.collisions++;
      else
        line.field(program.names[f], *value);
    }
  }
  if (!contest.lost().empty()) log_collision(group, contest.lost());
  size_t lines = line.close() + buckets;
  too_long += line.too_long();
  counts.too_long += too_long;
  if (too_long > 0) log_too_long(group);
  out += bucket_lines;
  counts.results += lines;
  if (epoch.preview())
    scratch_results.clear();
  else
    results_written += lines;
}

void Engine::Impl::log_too_long(const Group& group) {
  constexpr size_t kShownBytes = 100;
  if (group.epoch.state.too_long_logged) return;
  group.epoch.state.too_long_logged = true;
  log.warning(fmt::format(
      "rule \"{}\": results of the series {}{} are left out: with its tags each would make a line of {} KiB or more",
      group.epoch.state.name, group.prefix().substr(0, kShownBytes), group.prefix().size() > kShownBytes ? "..." : "",
      limits::kResultBytesMax / 1024));
}

size_t Engine::Impl::scan_some(RuleEpoch& epoch, size_t lines_max) {
  uint64_t before = results_written;
  size_t looked = 0;
  while (epoch.scan_left > 0 && !epoch.groups.empty()) {
    if (results_written - before >= lines_max || (lines_max != SIZE_MAX && ++looked > kGroupsPerCall)) break;
    if (epoch.scan_at >= epoch.groups.size()) epoch.scan_at = 0;
    Group& group = *epoch.groups[epoch.scan_at];
    settle(group);
    if (group.active() || group.series > 0) {
      epoch.scan_left--;
      epoch.scan_at++;
      continue;
    }
    // The last group takes the place of one that goes. It may have been looked at before, so this place does not count
    // as done.
    forget_writer(group);
    if (!epoch.totals_past.empty())
      for (const Group::Slot& slot : group.slots()) epoch.totals_past.erase(RuleState::total_key(group, *slot.program));
    if (tallies() && !epoch.preview()) group_tally.gone(tally_key(group));
    epoch.state_bytes -= group.accounted_bytes;
    epoch.groups[epoch.scan_at] = epoch.groups.back();
    epoch.groups.pop_back();
    epoch.by_prefix.erase(std::string_view(group.prefix()));
  }
  if (epoch.groups.empty()) epoch.scan_left = 0;
  if (epoch.scan_left == 0) epoch.freezes.clear();
  return results_written - before;
}

size_t Engine::Impl::emit(size_t lines_max) {
  size_t lines = 0;
  while (lines < lines_max) {  // what has been due longest goes first
    RuleEpoch* next = nullptr;
    for (RuleEpoch* epoch : epochs)
      if (epoch->scan_left > 0 && (!next || due_since(*epoch) < due_since(*next))) next = epoch;
    if (!next) break;
    lines += scan_some(*next, lines_max == SIZE_MAX ? SIZE_MAX : lines_max - lines);
    if (lines_max != SIZE_MAX && next->scan_left > 0) break;
  }
  return lines;
}

}  // namespace limpet
