// What the engine keeps of a rule. RuleState lives as long as a rule of that name does: its ledger, the counters' last
// values, the running totals. RuleEpoch is one definition of the rule, in force for the windows that begin while it is:
// after a reload the old definition finishes its windows beside the new one.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/group.h"
#include "engine/ledger.h"
#include "engine/window_clock.h"
#include "rules/rule_set.h"
#include "window/counter.h"

namespace limpet {

// The last value of one field of one input series, as one rule counts it.
struct CounterEntry {
  CounterSeries series;
  int64_t last_clock_ns = 0;
  uint64_t last_arrival = 0;  // a line is counted once, though two definitions of the rule may ask
  CounterStep last_step;
  uint32_t users = 0;  // remembered series that point here
};

// One freeze: a window whose value is fixed for all groups, or the corrections of windows already emitted.
struct Freeze {
  uint64_t number = 0;
  int64_t window = 0;
  bool correction = false;  // of each group's to_correct
  bool cut_short = false;   // the process stopped before the window was due
  int64_t due_ns = 0;
};

struct RuleState;

struct RuleEpoch {
  RuleEpoch(RuleState& state, std::shared_ptr<const RuleSet> rules, const Rule& rule);
  ~RuleEpoch();

  RuleState& state;
  std::shared_ptr<const RuleSet> rules;  // owns `rule`
  const Rule* rule;
  WindowClock windows;
  bool preview() const { return rule->mode == RuleMode::kPreview; }
  bool continues = false;  // a former definition that emitted: windows before this one's first are that one's

  // Cached answer to "do all windows of a sample's pane stand open?": yes for times in [sure_from, sure_to) while the
  // clock is in [sure_since, sure_until).
  int64_t sure_from_ns = 0, sure_to_ns = 0;
  int64_t sure_since_ns = 1, sure_until_ns = 0;
  // The pane that the last sample fell into.
  int64_t hot_pane = 0, hot_begin_ns = 1, hot_end_ns = 0;

  std::map<std::string, std::unique_ptr<FieldSpace>, std::less<>> spaces;  // by output measurement
  boost::unordered_flat_map<std::string_view, std::unique_ptr<Group>> by_prefix;
  std::vector<Group*> groups;  // in order of creation, but for those that took the place of freed ones
  uint64_t active_groups = 0;
  uint64_t state_bytes = 0;  // of all groups
  bool wide = false;         // of some group (Group::wide)
  boost::unordered_flat_map<uint64_t, int64_t>
      folded;                               // identity of a group folded into the overflow group -> its newest pane
  std::map<int64_t, uint64_t> pane_groups;  // pane -> how many groups have it

  int64_t pending_from = INT64_MIN;     // windows before it are closed: what comes late into their panes is not theirs
  std::vector<Freeze> freezes;          // not yet rendered by every group
  uint64_t freeze_number = 0;           // of the newest
  size_t scan_at = 0;                   // the group that is looked at next, in a circle
  size_t scan_left = 0;                 // groups to look at until all are rendered and freed of old panes
  int64_t keep_from_pane = INT64_MIN;   // panes before it are needed by no window any more
  int64_t whole_from_pane = INT64_MIN;  // some before it were freed, whatever the clock or the rule says today
  int64_t next_correction_ns = WindowClock::kNever;  // when windows already emitted are emitted again
  int64_t correct_from = INT64_MAX;                  // the lowest of those windows
  int64_t next_free_ns = WindowClock::kNever;        // when the oldest pane is no longer needed
  // Of a definition that ended: what its groups' totals took in from samples behind its last window, which only its
  // successor sees. By total_key().
  boost::unordered_flat_map<uint64_t, DoubleDouble> totals_behind;
  boost::unordered_flat_map<uint64_t, TotalPast> totals_past;  // by total_key()

  FieldSpace& space_of(std::string_view input_measurement);
};

// The keys of a map that others insert into at any time, looked at in turn, a few at each step.
class SweepQueue {
 public:
  void add(uint64_t key) { keys_.push_back(key); }  // once for each time it is inserted
  void begin_round() { left_ = keys_.size(); }
  // Looks at keys until the round is over or `budget`, which is lowered, is spent. `gone`: true if the key is not in
  // the map any more.
  template <typename Gone>
  void step(size_t& budget, Gone gone) {
    for (; left_ > 0 && budget > 0; left_--, budget--) {
      uint64_t key = keys_.front();
      keys_.pop_front();
      if (!gone(key)) keys_.push_back(key);
    }
  }

 private:
  std::deque<uint64_t> keys_;
  size_t left_ = 0;  // of the round
};

struct RuleState {
  explicit RuleState(std::string name_, RuleLedger& ledger_) : name(std::move(name_)), ledger(ledger_) {}

  std::string name;
  RuleLedger& ledger;
  bool removed = false;
  uint32_t order = 0;  // in the rules files

  bool collision_logged = false;
  bool too_long_logged = false;
  bool clash_logged = false;
  bool incomplete_logged = false;
  bool resets_logged = false;

  bool watching = false;
  int64_t watch_began_ns = 0;
  boost::unordered_flat_map<uint64_t, std::unique_ptr<CounterEntry>> counters;  // by counter_key
  boost::unordered_flat_map<uint64_t, int64_t> freed_counters;                  // key -> when it was last freed
  boost::unordered_flat_map<uint64_t, std::unique_ptr<RunningTotal>> totals;    // by (group, field)

  std::vector<std::unique_ptr<RuleEpoch>> epochs;  // oldest first; the last is current unless the rule was removed

  SweepQueue counters_swept, freed_counters_swept, totals_swept;

  CounterEntry* counter_of(uint64_t key);
  static uint64_t total_key(const Group& group, const FieldProgram& program);
  // The total of a group's field starts anew with a sample of that time.
  void begin_total_anew(const Group& group, const FieldProgram& program, RunningTotal& total, int64_t time_ns);
  RunningTotal* total_of(const Group& group, const FieldProgram& program);
  // Of the counters, those remembered, and totals.
  uint64_t counted_bytes() const {
    return (counters.size() + totals.size()) * sizeof(CounterEntry) + freed_counters.size() * 2 * sizeof(uint64_t);
  }
  // Frees the counters and totals that were idle for `expire`, remembering for a day that the counters were there: a
  // round in steps. What was not freed yet though it could be makes no difference to any result.
  void begin_sweep();
  void sweep(size_t& budget, int64_t clock_ns);
};

// How long a freed counter is remembered: its next first sample is then only a starting value.
inline constexpr int64_t kFreedCountersKeptNs = 24 * kHourNs;

// How a sample of a counter steps. Finds out first samples, idle series that came back, and samples out of order.
// `held_since_ns`: since when this process has the group; what it knows from before that is only a starting value, and
// a series that is new to it is none that began to count.
CounterStep step_counter(RuleState& state, const Rule& rule, CounterEntry& entry, uint64_t key, Number value,
                         int64_t time_ns, int64_t clock_ns, uint64_t arrival, int64_t held_since_ns);
uint64_t counter_key(uint64_t series_hash, std::string_view field);

}  // namespace limpet
