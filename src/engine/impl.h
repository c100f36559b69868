// The engine's parts and state, shared by the files that implement it:
//   ingest.cpp       bytes -> lines -> samples -> panes: the hot path
//   first_sight.cpp  series -> decision -> groups, at first sight and after a reload
//   windows.cpp      which windows a sample counts in; freezing; what is kept how long
//   ownership.cpp    which of it is this pod's, where keys are shared with other pods
//   emission.cpp     frozen windows -> result lines
//   reload.cpp       rules -> rules in force
//   census.cpp       how many groups there are, and how much memory they hold
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/contest.h"
#include "engine/decision.h"
#include "engine/engine.h"
#include "engine/rule_state.h"
#include "engine/series.h"
#include "engine/tally.h"
#include "lineproto/fields.h"

namespace limpet {

// A field of the line at hand that some rule takes.
struct Item {
  uint32_t first_target = 0;
  uint16_t targets = 0;
  ScannedValue value;
};

// What a rule in force makes of the line at hand; found out when its first field comes.
struct TakeLine {
  enum class Status : uint8_t { kUnknown, kOpen, kLate, kFuture, kOutside };
  Status status = Status::kUnknown;
  Group* group = nullptr;
  Pane* pane = nullptr;
  int64_t pane_number = 0;
  int64_t missed = 0;     // windows
  double lateness_s = 0;  // grace that the line would have needed to be in all its windows
  uint64_t samples = 0;
  bool folded = false;
  bool full = false;      // the group has as many fields as it can have, and the last sample's is not among them
  bool all_late = false;  // by the clock, whoever owns its windows
  enum class Part : uint8_t { kOwned, kStart, kNone };
  Part part = Part::kOwned;  // kStart: of no window of its own; a counter takes it as a starting value
};

// What happens to the line itself.
struct LineFate {
  bool taken = false;
  bool dropped = false;    // a rule that takes it has drop_original
  bool all_late = true;    // in every rule that takes it
  bool pass_late = false;  // and one of them passes such lines on
  RuleEpoch* dropper = nullptr;
};

struct Engine::Impl {
  Impl(EngineOptions options, Log& log);
  ~Impl();

  // ingest.cpp
  struct Line {
    const char* begin;
    const char* head_end;
    const char* end;  // its '\n'
    HeadHash hash;
    Series* series;
    bool odd;  // for the full parser
  };
  IngestResult ingest(const Block& block);
  void ingest_tail(const Block& block, std::string_view text, IngestResult& result);
  size_t split(const char*& p, const char* end, Line* lines);
  const char* find_end(Line& line, const char* end);
  void find_series(Line* lines, size_t count);
  void apply_line(const Line& line, const Block& block, IngestResult& result);
  bool scan_fields(const Line& line, Decision& decision, int64_t& time, bool& has_time, const char*& fields_end);
  void apply_odd_line(const Line& line, const Block& block, IngestResult& result);
  bool line_time(int64_t scanned, bool has_time, Precision precision, int64_t& time_ns);
  void apply_samples(Series& series, int64_t time_ns, LineFate& fate);
  bool apply_target(Series& series, const Target& target, TakeLine& take, Sample& sample);
  void add_to_total(const Group& group, const Group::Slot& slot, const Sample& sample);
  void count_step(Series& series, const Target& target, TakeLine& take, Sample& sample);
  void finish_line(const Series& series, const LineFate& fate, const Line& line, const Block& block,
                   const char* fields_end, int64_t time_ns, bool has_time);
  void write_back(const Line& line, const Block& block, const char* fields_end, int64_t time_ns, bool has_time);
  void note_bad(IngestResult& result, const Line& line, ParseError error);
  void to_sample(const ScannedValue& value, Sample& sample);

  // first_sight.cpp
  Series* see(const Line& line);  // null: odd
  Series* see(const HeadHash* raw, const Head& head, std::string_view raw_bytes);
  Series* see_uncached(const Head& head, uint64_t hash);
  void decide(Series& series, const Head& head);
  void resolve(Series& series, const Head& head);
  void resolve(Series& series, const Line& line);
  Decision& decision_for(const Head& head);
  Group& group_for(RuleEpoch& epoch, FieldSpace& space, const std::vector<Tag>& tags);
  Group& overflow_group(RuleEpoch& epoch, FieldSpace& space);
  uint16_t slot_for(Group& group, uint32_t id);
  CounterEntry& counter_for(Series& series, const Target& target, RuleState& state, uint64_t& key);
  void release(Series& series);
  void undecide_all();
  void sweep(size_t counters_max);
  bool sweep_counters(size_t counters_max);

  // windows.cpp
  void set_clock(int64_t now_ns);
  void advance();
  void place(RuleEpoch& epoch, Group* group, int64_t time_ns, TakeLine& take);
  bool place_surely(RuleEpoch& epoch, int64_t time_ns, TakeLine& take);
  void place_with_care(RuleEpoch& epoch, int64_t time_ns, TakeLine& take);
  void remember_sure_range(RuleEpoch& epoch);
  double lateness_s(int64_t pane_end_ns) const;
  bool is_correctable(const RuleEpoch& epoch, int64_t window) const;
  void mark_corrections(RuleEpoch& epoch, Group& group, const TakeLine& take);
  void enter(RuleEpoch& epoch, TakeLine& take);
  Group* fold_if_full(RuleEpoch& epoch, Group* group, TakeLine& take);
  int64_t next_window(const RuleEpoch& epoch) const;
  int64_t next_due(const RuleEpoch& epoch) const;
  void find_next_due();
  void freeze(RuleEpoch& epoch, int64_t window, bool cut_short);
  void freeze_corrections(RuleEpoch& epoch);
  void begin_scan(RuleEpoch& epoch);
  void free_panes(RuleEpoch& epoch, Group& group, int64_t from_pane);
  void stop(StopMode mode);
  void retire_epochs();

  // ownership.cpp
  void set_ownership(std::shared_ptr<const Ownership> next);
  void look_up_owner(Group& group) const;
  void take_key(Group& group, const RuleEpoch& epoch, const Head& head) const;
  void place_partly(RuleEpoch& epoch, TakeLine& take);
  int64_t counted_since(const Group& group) const;
  bool owns(Group& group, int64_t window) const;
  int64_t held_since_ns(const Group& group, int64_t window) const;
  bool owns_line(const Series& series, int64_t time_ns) const;
  void count_work(const TakeLine& take, const FieldProgram& program);
  uint64_t next_hot_key();
  void count_slices();
  bool finishing() const;

  // emission.cpp
  size_t emit(size_t lines_max);
  void settle(Group& group);
  void render(Group& group, const Freeze& freeze, int64_t window);
  bool holds_samples(const Group& group, int64_t window) const;
  size_t scan_some(RuleEpoch& epoch, size_t lines_max);

  void note_incomplete(RuleEpoch& epoch);
  void note_resets(RuleState& state);
  void add_result_fields(const Group& group, int64_t window, std::set<std::string>& out) const;

  // contest.cpp
  void note_writer(Group& group);
  void log_collision(const Group& group, std::string_view field);
  void log_clash(const Group& group, std::string_view field);
  void log_too_long(const Group& group);
  void forget_writer(Group& group);
  void forget_writers(const RuleEpoch& epoch);
  int64_t window_stamped(const RuleEpoch& epoch, int64_t stamp_ns) const;
  LinesOfGroup superseded(const Group& group, int64_t stamp_ns) const;
  Contest contest_of(const Group& group, int64_t stamp_ns);

  // reload.cpp
  std::vector<PlannedChange> set_rules(std::shared_ptr<const RuleSet> next);
  RuleEpoch& add_epoch(RuleState& state, const std::shared_ptr<const RuleSet>& rules, const Rule& rule);
  RuleState& state_of(const std::string& name);
  void match(std::string_view name, const std::vector<Tag>& tags, std::vector<RuleEpoch*>& out);

  // census.cpp
  static void account(Group& group);
  void count_heaps();
  const Ledger& refreshed_ledger();
  std::map<std::string, StateCount> walk_state() const;

  EngineGauges gauges() const;
  SeenEver seen_ever();
  bool tallies() const { return options.clock == ClockSource::kData; }
  static uint64_t tally_key(const Group& group);

  EngineOptions options;
  Log& log;
  Ledger ledger;
  int64_t clock_ns = 0;
  bool has_clock = false;
  uint64_t arrival = 0;                       // of the line at hand
  int64_t next_due_ns = WindowClock::kNever;  // when advance() has something to do
  uint32_t checkpoint = 0;
  uint64_t results_written = 0;

  // One rule set with those of its rules that are in force: the current one last, before it those that still have
  // windows to finish.
  struct Generation {
    std::shared_ptr<const RuleSet> rules;
    std::vector<RuleEpoch*> epochs;  // by index of the rule; null: not (or no longer) in force by this set
  };
  std::vector<Generation> generations;
  std::shared_ptr<const RuleSet> rules;
  std::vector<std::unique_ptr<RuleState>> states;
  std::unordered_map<std::string, RuleState*> states_by_name;
  std::vector<RuleEpoch*> epochs;  // all, in order of rules, older definitions first

  SeriesTable series;
  Series uncached;                  // the last one that found no place in the table
  Tally series_tally, group_tally;  // only by the data's clock: of a replay the summary says how many there were
  std::unordered_map<std::string, std::unique_ptr<Decision>> decisions;
  Decision undecided;
  PanePool pool;
  int64_t swept_ns = 0;
  bool sweep_due = false;
  uint64_t sweeps = 0;
  size_t swept_states = 0;  // of the round over counters

  std::vector<Item> items;
  uint64_t unused_fields = 0;  // of the line at hand
  std::vector<TakeLine> takes;
  std::string scratch;
  std::vector<RuleEpoch*> matched;
  std::vector<uint32_t> matched_indexes;

  // Null: keys are not shared. The number rises with each.
  std::shared_ptr<const Ownership> ownership;
  uint32_t ownership_number = 0;
  std::vector<SliceWork> slice_work;
  std::vector<SliceState> slice_state, slice_state_so_far;
  size_t counted_epochs = 0, counted_groups = 0;
  int64_t slices_counted_ns = INT64_MIN;
  HotKeys hot_keys;
  uint64_t until_hot_key = 1, hot_key_random = 0x9E3779B97F4A7C15;

  size_t heap_epoch = 0, heap_group = 0;  // whose sketches are counted next
  int64_t heaps_counted_ns = INT64_MIN;

  Contests contests;
  std::string scratch_results;  // of rules in preview

  std::string results;
  std::string written_back;
};

}  // namespace limpet
