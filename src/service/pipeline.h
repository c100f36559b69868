// The aggregator between its sources and stdout, without any I/O: lines go through the engine, lines written back and
// results come to wait in the output queue, results at their pace. Clocks come from outside. One thread at a time.
//
// Where stdout is stuck: results stay in the engine as frozen windows as long as no new sample touches them; lines of
// stdin that were to be written back are dropped beyond limits::kOutputBytesMax, the newest first, and counted
// (`shed`), since stdin must be read always. Lines of listeners are never dropped: has_room() says when their senders
// have to wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "io/memory.h"
#include "service/inbox.h"
#include "service/line_buffer.h"
#include "service/output_queue.h"
#include "service/pacer.h"

namespace limpet {

// Where lines come from, as a log line names it, and whether the last one was bad: of a burst only the first is told.
struct LineSource {
  std::string name;
  bool may_shed = false;
  bool rewrite_time = false;
  uint64_t newlines = 0;  // in what was taken so far
  bool in_burst = false;
};

class Pipeline {
 public:
  struct Options {
    EngineOptions engine;
    uint64_t emit_rate_lines_per_s = 20'000;
    size_t chunk_bytes = 4096;
  };
  Pipeline(const Options& options, Log& log, MonoTime now);

  std::vector<PlannedChange> set_rules(std::shared_ptr<const RuleSet> rules, WallTime now);

  // Takes all whole lines off the buffer; gives up what is too long.
  void take_lines(LineSource& source, LineBuffer& buffer, WallTime now);
  // The stream ended: what is left was cut off.
  void end_lines(LineSource& source, LineBuffer& buffer);
  // Applies the next part of a body; true when all of it is applied.
  bool take_body(WriteBody& body, LineSource& source, WallTime now);
  // Lines that must not be dropped may come.
  bool has_room() const { return output_.bytes() < limits_half_; }

  // Freezes what is due and moves results to the output, as many as the pace allows.
  void advance(WallTime wall, MonoTime now);
  // Whole lines about the process itself; they go the way of results, without pace.
  void add_own_lines(std::string& lines) { output_.add(OutputQueue::Kind::kResults, lines); }
  // No more input: windows are frozen as a stop does, and there is no pace any more.
  void stop(WallTime now);

  // Nothing can be written any more: what waits is counted as lost (shed, results_dropped).
  void give_up();

  // Results are waiting that advance() could move if it were called again at once, or in wait_ns().
  bool results_pending();
  // How long until advance() has results to move; REQUIRES: results_pending().
  int64_t wait_ns(MonoTime now);

  OutputQueue& output() { return output_; }
  Engine& engine() { return engine_; }
  uint64_t results_waiting_bytes() { return waiting_.size() - waiting_at_ + engine_.results().size(); }
  uint64_t results_dropped() const { return results_dropped_; }
  double emit_rate_lines_per_s() const { return pacer_.lines_per_s(); }

 private:
  void report_bad(const LineSource& source, const LineBuffer& buffer, const IngestResult& result);
  void take_written_back(const LineSource& source);
  void move_results(MonoTime now);
  bool fetch_results(size_t lines_wanted);
  void bound_results();
  void update_pace(MonoTime now);
  double needed_lines_per_s();

  const Dialect dialect_;
  Log& log_;
  Engine engine_;
  MemoryReturner memory_;
  OutputQueue output_;
  Pacer pacer_;
  std::string waiting_;    // results that came out of the engine and wait for their turn
  size_t waiting_at_ = 0;  // those before are gone
  uint64_t results_dropped_ = 0;
  bool stopping_ = false;
  bool had_pending_ = false;
  MonoTime paced_{};  // when the pace was last thought over
  double needed_lines_per_s_ = 0;
  int64_t longest_every_ns_ = 0;
  size_t limits_half_;
};

}  // namespace limpet
