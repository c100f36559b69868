// The aggregator's heart: bytes of line protocol and the time go in; lines written back and results come out. No clock,
// file, socket or thread of its own. One thread at a time may call it.
//
//   engine.set_rules(rules, now);
//   loop:  engine.ingest(block, now)        applies whole lines; fills written_back()
//          engine.advance(now)              freezes the windows that are due (ingest does it too)
//          engine.emit(n)                   renders up to about n result lines of frozen windows into results()
//          write out and clear written_back() and results(), in whichever order and pace
//   end:   engine.stop(...), engine.emit(all)
//
// Freezing a window is one step for all groups of a rule and costs nothing per group; rendering may take its time,
// since a group that is not rendered yet is rendered before a new sample touches it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/ledger.h"
#include "lineproto/parse.h"
#include "rules/rule_set.h"
#include "sharding/hot_keys.h"
#include "sharding/ownership.h"

namespace limpet {

// Bytes that must be readable behind the end of a block: the scanner loads whole vectors. Their content does not
// matter.
inline constexpr size_t kBlockPadding = 64;

enum class ClockSource : uint8_t {
  kCaller,  // the wall clock, given with each call
  kData     // the largest timestamp of any line so far (replay); `now` is ignored
};

struct EngineOptions {
  Dialect dialect = Dialect::kTelegraf;
  ClockSource clock = ClockSource::kCaller;
  std::string pod = "limpet";              // value of the tag limpet_overflow
  std::string incarnation;                 // value of the tag limpet_incomplete
  WallTime started;                        // kCaller: windows that began before are incomplete
  size_t series_max = limits::kSeriesMax;  // remembered at once
  size_t group_fields_max = limits::kGroupFieldsMax;
  bool shared = false;      // keys are shared with other pods: nothing is owned before set_ownership()
  bool interleave = false;  // written-back lines go into results() too, in the order of things (replay --all)
};

struct Block {
  std::string_view text;  // REQUIRES: kBlockPadding readable bytes behind it
  Precision precision = Precision::kNs;
  bool rewrite_time =
      false;  // lines to be written back get a timestamp in ns where precision or absence demands it (listeners)
  bool last = false;  // an unterminated last line is a whole line (files, HTTP bodies); false: it stays unconsumed
};

// What a sender is told, and what the log says once per burst.
struct IngestResult {
  size_t consumed = 0;  // bytes of whole lines; the caller keeps the rest and brings it again with more behind it
  uint64_t lines = 0;   // without blank ones and comments
  uint64_t bad = 0;
  uint64_t first_bad_line = 0;  // counted from 1 within the block, over all its lines (a string with newlines is one)
  ParseError first_error;
  std::string first_bad_text;  // its beginning
};

enum class StopMode : uint8_t {
  kFlush,  // emit the windows that have ended and, of those still running, the next to end
  kAll,    // emit every window that holds a sample (replay)
  kKeep    // emit nothing
};

struct EngineGauges {
  uint64_t series = 0;
  uint64_t groups = 0;
  uint64_t groups_held = 0;     // with those that have no samples just now
  uint64_t counters = 0;        // series whose last value is kept, of all rules
  uint64_t state_bytes = 0;     // an estimate of all memory held for series and groups
  uint64_t frozen_groups = 0;   // at most this many groups still wait to be rendered
  int64_t emission_lag_ns = 0;  // how long the oldest frozen window that is not written out has been due
};

// All different ones there have been, those that are freed included.
struct SeenEver {
  uint64_t series = 0;
  uint64_t groups = 0;  // output series, summed over the rules, without those in preview
  bool exact = true;    // false: one of the two is an estimate within 2 % or so, as more than 100 000 are freed
};

struct SliceWork {
  uint64_t samples = 0;  // aggregated
  uint64_t cost = 0;     // of aggregating them, in units of no meaning but to each other
};

struct SliceState {
  uint64_t groups = 0;
  uint64_t bytes = 0;
};

// Of a rule, counted by a walk over all its groups.
struct StateCount {
  uint64_t groups = 0;
  uint64_t bytes = 0;
};

class Engine {
 public:
  Engine(EngineOptions options, Log& log);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // The first rules, or others at run time (state is kept as section 5 "Reload" of the design says). Returns what
  // changed, in order.
  std::vector<PlannedChange> set_rules(std::shared_ptr<const RuleSet> rules, WallTime now);

  IngestResult ingest(const Block& block, WallTime now);
  // Which keys are this pod's from now on. What it gave up is finished (windows that began before the cutover) and then
  // freed. REQUIRES: EngineOptions::shared.
  void set_ownership(std::shared_ptr<const Ownership> ownership, WallTime now);
  // As of the last clock: windows of slices that this pod gave up may still have to be emitted.
  bool finishing() const;
  // The work done for each slice since the ownership in force came.
  const std::vector<SliceWork>& slice_work() const;
  // What each slice held when it was last counted; counted a little at each call of advance().
  const std::vector<SliceState>& slice_state() const;
  // The keys with the most samples of late, hottest first: estimates (sharding/hot_keys.h).
  const HotKeys& hot_keys() const;
  // Forgets a part of what hot_keys() counted, so that it follows the present.
  void age_hot_keys();

  // A line that the caller had to give up before it could be ingested; counts as read and bad.
  void count_bad(BadLine bad);
  // `lines` lines that were to be written back and were dropped since stdout was stuck: moved from written_back to
  // shed.
  void count_shed(uint64_t lines);

  // kData: moves the data's clock on to `now`, if it is behind, as a line of that time would.
  void advance(WallTime now);
  // When advance() next has something to freeze; none while there is no open window with samples.
  std::optional<WallTime> next_deadline() const;

  bool emission_pending() const;
  // Renders until about `lines_max` result lines were added or nothing is pending. Returns the lines added. Bounded
  // work per call.
  size_t emit(size_t lines_max);
  // Freezes what a stop emits. Afterwards only emit() and the accessors may be called.
  void stop(StopMode mode, WallTime now);

  std::string& results();       // whole lines; the caller takes bytes from it
  std::string& written_back();  // likewise, byte for byte as they came

  // Refreshed; costs nothing per group. RuleLedger::groups is exact. So is state_bytes, but for what sketches, texts
  // and series' parts hold: they are counted in turn at calls of advance(), a round in about 10 s.
  const Ledger& ledger();
  // What ledger() says of groups and bytes, by a walk over everything: for tests.
  std::map<std::string, StateCount> walk_state() const;
  EngineGauges gauges() const;
  SeenEver seen_ever();  // kData only; may walk over all series and groups
  const RuleSet& rules() const;
  // The clock by which windows close: the caller's, or the data's. None before the first line (kData).
  std::optional<WallTime> clock() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace limpet
