#include "service/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <utility>

#include "base/limits.h"
#include "service/excerpt.h"

namespace limpet {
namespace {

// Large enough that a read costs nothing beside its lines, small enough to stay in the cache until they are parsed.
constexpr size_t kReadBytes = size_t{512} << 10;
constexpr size_t kFlushBytes = size_t{256} << 10;
constexpr int64_t kJumpNs = kHourNs;
constexpr size_t kJumpsKept = 5;
constexpr uint64_t kBadReportsMax = 20;
constexpr int64_t kProgressEveryNs = 200 * kMillisecondNs;

int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

EngineOptions engine_options(const ReplayOptions& options) {
  EngineOptions engine;
  engine.dialect = options.dialect;
  engine.clock = ClockSource::kData;
  engine.interleave = options.all;
  return engine;
}

}  // namespace

std::optional<int64_t> time_at_end(std::string_view line) {
  auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!line.empty() && blank(line.back())) line.remove_suffix(1);
  size_t at = line.size();
  while (at > 0 && line[at - 1] >= '0' && line[at - 1] <= '9') at--;
  if (at == line.size()) return std::nullopt;
  if (at > 0 && line[at - 1] == '-') at--;
  if (at == 0 || !blank(line[at - 1])) return std::nullopt;
  int64_t time_ns = 0;
  auto [end, error] = std::from_chars(line.data() + at, line.data() + line.size(), time_ns);
  if (error != std::errc()) return std::nullopt;
  return time_ns;
}

struct Replay::Input {
  explicit Input(InputFile f) : file(std::move(f)), buffer(kReadBytes) {}

  InputFile file;
  LineBuffer buffer;
  bool ended = false;
  bool in_burst = false;       // the block before held a bad line
  bool overlong_told = false;  // and no block without a bad line came since
  uint64_t newlines = 0;       // among the first `newlines_to` bytes of the stream; else among those the engine took
  uint64_t newlines_to = 0;
  int64_t time_ns = std::numeric_limits<int64_t>::min();  // of the next line; of the last one that had a time
};

Replay::Replay(std::shared_ptr<const RuleSet> rules, ReplayOptions options, Sinks sinks, Log& log)
    : options_(options), sinks_(std::move(sinks)), engine_(engine_options(options), log) {
  engine_.set_rules(std::move(rules), WallTime{});
}

Replay::~Replay() = default;

std::expected<void, std::string> Replay::run(std::vector<InputFile> files) {
  std::vector<std::unique_ptr<Input>> inputs;
  for (InputFile& file : files) inputs.push_back(std::make_unique<Input>(std::move(file)));
  for (auto& input : inputs) {
    all_inputs_.push_back(input.get());
    total_file_bytes_ += input->file.file_bytes();
  }
  int64_t start = steady_ns();
  if (inputs.size() == 1)
    replay_one(*inputs.front());
  else
    merge(inputs);
  note_size();
  summary_.seen = engine_.seen_ever();
  engine_.stop(StopMode::kAll, WallTime{});
  while (engine_.emission_pending()) {
    engine_.emit(100'000);
    flush(false);
  }
  summary_.seconds = static_cast<double>(steady_ns() - start - output_ns_) * 1e-9;
  flush(true);
  finish();
  if (!errors_.empty()) return std::unexpected(errors_.front());
  return {};
}

void Replay::replay_one(Input& input) {
  while (!input.ended) {
    bool whole = fill(input);
    do {
      if (whole || input.ended) input.buffer.consume(take(input, input.buffer.text(), input.ended));
    } while (give_up_overlong(input));
    flush(false);
  }
}

// One read. True if there may be a whole line now.
bool Replay::fill(Input& input) {
  if (input.file.may_wait()) flush(true);
  auto n = input.file.read(input.buffer.room());
  if (!n) errors_.push_back(n.error());
  input.ended = !n || *n == 0;
  if (int64_t now = sinks_.progress ? steady_ns() : 0; now > progress_due_ns_) {
    progress_due_ns_ = now + kProgressEveryNs;
    uint64_t done = 0;
    for (const Input* each : all_inputs_) done += each->file.file_bytes_read();
    sinks_.progress(total_file_bytes_ ? static_cast<double>(done) / static_cast<double>(total_file_bytes_) : -1,
                    summary_.bytes_in);
  }
  note_size();
  return input.buffer.added(n ? *n : 0);
}

// True if the line at the buffer's front was longer than a line may be.
bool Replay::give_up_overlong(Input& input) {
  if (!input.buffer.is_overlong()) return false;
  engine_.count_bad(BadLine::kTooLong);
  std::string_view text = input.buffer.text();
  if (!input.in_burst && !std::exchange(input.overlong_told, true))
    report(input, text, 0, {BadLine::kTooLong, 0, "the line is longer than 1 MiB"}, text);
  input.buffer.give_up_overlong();
  return true;
}

// Gives text to the engine; returns how much of it was taken.
size_t Replay::take(Input& input, std::string_view text, bool last) {
  if (text.empty()) return 0;
  auto before = engine_.clock();
  IngestResult result = engine_.ingest({.text = text, .last = last}, WallTime{});
  if (result.bad > 0 && !input.in_burst) report_bad(input, text, result);
  if (result.lines > 0) input.in_burst = result.bad > 0;
  if (result.lines > 0 && result.bad == 0) input.overlong_told = false;
  auto after = engine_.clock();
  if (after && (!before || after->ns - before->ns > kJumpNs))
    find_jumps(input, text.substr(0, result.consumed), before);
  if (!input.file.can_reread())
    input.newlines += static_cast<uint64_t>(
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(result.consumed), '\n'));
  summary_.bytes_in += result.consumed;
  return result.consumed;
}

// The line of the file in which text[offset] stands, text being at the buffer's front.
uint64_t Replay::line_number(Input& input, std::string_view text, size_t offset) {
  uint64_t before = input.newlines + input.buffer.newlines_given_up();
  if (input.file.can_reread()) {
    input.newlines += input.file.count_newlines(input.newlines_to, input.buffer.offset());
    input.newlines_to = input.buffer.offset();
    before = input.newlines;
  }
  return before +
         static_cast<uint64_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n')) + 1;
}

void Replay::report_bad(Input& input, std::string_view text, const IngestResult& result) {
  size_t at = 0;
  for (uint64_t line = 1; line < result.first_bad_line && at < text.size(); line++)
    at += find_line_end(text.substr(at), options_.dialect).next;
  report(input, text, at, result.first_error, result.first_bad_text);
}

// Of the line at text[at], text being at the buffer's front.
void Replay::report(Input& input, std::string_view text, size_t at, const ParseError& error,
                    std::string_view bad_text) {
  if (summary_.bad_reported++ >= kBadReportsMax) return;
  Diagnostic bad{input.file.name(), static_cast<int>(line_number(input, text, at)), static_cast<int>(error.offset + 1),
                 fmt::format("{}: {}", error.text, quoted_excerpt(bad_text)), Diagnostic::Severity::kWarning};
  if (sinks_.bad_line) sinks_.bad_line(bad);
}

// The clock moved on by more than an hour within this text: at one line, or in small steps?
void Replay::find_jumps(Input& input, std::string_view text, std::optional<WallTime> clock) {
  for (size_t at = 0; at < text.size();) {
    LineEnd end = find_line_end(text.substr(at), options_.dialect);
    std::string_view line = text.substr(at, end.size);
    auto time_ns = time_at_end(line);
    if (time_ns && (!clock || *time_ns > clock->ns)) {
      bool jump = clock && *time_ns - clock->ns > kJumpNs;
      // Only a line that is right moves the clock; where nothing hangs on it that is not looked at.
      if (!jump || parse_line(line, options_.dialect)) {
        if (jump && summary_.jump_count++ < kJumpsKept)
          summary_.jumps.push_back({input.file.name(), line_number(input, text, at), clock->ns, *time_ns});
        clock = WallTime{*time_ns};
      }
    }
    at += end.next;
  }
}

// Hands lines over in runs: as long as one file's next line is the earliest of all, its lines go to the engine as one
// block.
void Replay::merge(std::vector<std::unique_ptr<Input>>& inputs) {
  std::vector<Input*> open;
  auto next_line = [&](Input& input, size_t at) {  // its time and end; end 0: there is none, within what was read
    std::string_view rest = input.buffer.text().substr(at);
    LineEnd end = find_line_end(rest, options_.dialect);
    if (rest.empty() || (!end.complete && !input.ended)) return size_t{0};
    if (auto time_ns = time_at_end(rest.substr(0, end.size))) input.time_ns = *time_ns;
    return std::max<size_t>(end.next, 1);
  };
  auto ready = [&](Input& input) {  // reads until there is a next line; false: the file is at its end
    while (next_line(input, 0) == 0) {
      if (input.ended) return false;
      fill(input);
      while (next_line(input, 0) == 0 && give_up_overlong(input)) {
      }
    }
    return true;
  };
  for (auto& input : inputs)
    if (ready(*input)) open.push_back(input.get());
  while (!open.empty()) {
    size_t first = 0;
    for (size_t i = 1; i < open.size(); i++)
      if (open[i]->time_ns < open[first]->time_ns) first = i;
    Input& input = *open[first];
    auto still_first = [&] {
      for (size_t i = 0; i < open.size(); i++)
        if (i != first && (open[i]->time_ns < input.time_ns || (open[i]->time_ns == input.time_ns && i < first)))
          return false;
      return true;
    };
    size_t run = 0;
    for (size_t size = next_line(input, 0); size > 0 && still_first(); size = next_line(input, run)) run += size;
    std::string_view text = input.buffer.text().substr(0, run);
    take(input, text, true);
    input.buffer.consume(run);
    flush(false);
    if (!ready(input)) open.erase(open.begin() + static_cast<std::ptrdiff_t>(first));
  }
}

void Replay::flush(bool all) {
  std::string& results = engine_.results();
  if (!options_.all) engine_.written_back().clear();
  if (results.empty() || (!all && results.size() < kFlushBytes)) return;
  int64_t start = steady_ns();
  sinks_.results(results);
  summary_.bytes_out += results.size();
  results.clear();
  output_ns_ += steady_ns() - start;
}

void Replay::note_size() {
  EngineGauges gauges = engine_.gauges();
  memory_.note(gauges.series + gauges.groups_held + gauges.counters);
}

void Replay::finish() {
  summary_.bytes_in = 0;
  for (const Input* input : all_inputs_) summary_.bytes_in += input->buffer.offset();
  all_inputs_.clear();
  summary_.ledger = engine_.ledger();
  for (const Rule& rule : engine_.rules().rules())
    if (rule.mode != RuleMode::kPreview) summary_.results += summary_.ledger.rules[rule.name].results;
  summary_.all = options_.all;
  summary_.lines_out = summary_.results + (options_.all ? summary_.ledger.lines.written_back : 0);
}

}  // namespace limpet
