// The aggregator on recorded lines: time is the lines' own time, so that the same input always gives the same output.
// Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "io/input_file.h"
#include "io/memory.h"
#include "service/line_buffer.h"

namespace limpet {

struct ReplayOptions {
  Dialect dialect = Dialect::kTelegraf;
  bool all = false;  // written-back lines go to the output too, in the order of things
};

// A place where the data's clock moved on by more than an hour from one line to the next.
struct ClockJump {
  std::string file;
  uint64_t line = 0;  // in the file, from 1
  int64_t from_ns = 0, to_ns = 0;
};

struct ReplaySummary {
  uint64_t bytes_in = 0;  // after inflating
  uint64_t results = 0;   // result lines printed; those of rules in preview are not
  // What was printed: the results, with `all` the written-back lines, too.
  uint64_t lines_out = 0, bytes_out = 0;
  bool all = false;
  SeenEver seen;       // in all of the input
  double seconds = 0;  // from the first byte read to the last result rendered, without the time the output took
  Ledger ledger;
  std::vector<ClockJump> jumps;  // the first few
  uint64_t jump_count = 0;
  uint64_t bad_reported = 0;

  uint64_t samples() const;
  // {"lines":N,"bytes":N,"series":N,"samples":N,"results":N,"seconds":X,"ledger":{...}}; "series_estimated":true behind
  // "series" where that is an estimate.
  std::string to_json() const;
  // Several lines for a person.
  std::string to_text() const;
};

class Replay {
 public:
  struct Sinks {
    std::function<void(std::string_view)> results;    // whole lines, often
    std::function<void(const Diagnostic&)> bad_line;  // the first of each burst
    std::function<void(double share, uint64_t bytes)>
        progress;  // now and then; share of all files read, negative: unknown
  };

  Replay(std::shared_ptr<const RuleSet> rules, ReplayOptions options, Sinks sinks, Log& log);
  ~Replay();

  // Lines of several files are merged by their times: of all files' next lines the earliest comes first, at equal times
  // the one of the file named first. Lines of one file keep their order. The error is of a file that could not be read
  // to its end; what came before it was applied. Call once.
  std::expected<void, std::string> run(std::vector<InputFile> files);
  const ReplaySummary& summary() const { return summary_; }

 private:
  struct Input;
  void replay_one(Input& input);
  void merge(std::vector<std::unique_ptr<Input>>& inputs);
  bool fill(Input& input);
  size_t take(Input& input, std::string_view text, bool last);
  void report_bad(Input& input, std::string_view text, const IngestResult& result);
  void report(Input& input, std::string_view text, size_t at, const ParseError& error, std::string_view bad_text);
  void find_jumps(Input& input, std::string_view text, std::optional<WallTime> clock);
  uint64_t line_number(Input& input, std::string_view text, size_t offset);
  bool give_up_overlong(Input& input);
  void note_size();
  void flush(bool all);
  void finish();

  MemoryReturner memory_;
  ReplayOptions options_;
  Sinks sinks_;
  Engine engine_;
  ReplaySummary summary_;
  std::vector<std::string> errors_;
  uint64_t total_file_bytes_ = 0;
  std::vector<const Input*> all_inputs_;
  int64_t output_ns_ = 0;
  int64_t progress_due_ns_ = 0;
};

// The time at the end of a line; none: it has no timestamp. Right for every line that is well formed, without parsing
// it.
std::optional<int64_t> time_at_end(std::string_view line);

}  // namespace limpet
