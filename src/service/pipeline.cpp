#include "service/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/limits.h"
#include "service/excerpt.h"

namespace limpet {
namespace {

constexpr size_t kBodySliceBytes = size_t{1} << 20;
// Results in the output queue at once: enough to keep a fast reader busy; the rest waits where it costs less.
constexpr size_t kResultWindowBytes = size_t{1} << 20;
constexpr size_t kEmitLines = 4096;
constexpr int64_t kPaceEveryNs = 5 * kSecondNs;

std::ptrdiff_t newlines(std::string_view text) { return std::count(text.begin(), text.end(), '\n'); }

// Where line `number` (from 1) of the text begins.
size_t line_offset(std::string_view text, uint64_t number, Dialect dialect) {
  size_t at = 0;
  for (uint64_t line = 1; line < number && at < text.size(); line++)
    at += std::max<size_t>(find_line_end(text.substr(at), dialect).next, 1);
  return std::min(at, text.size());
}

// How many lines a window of one group becomes.
double lines_per_group(const Rule& rule) {
  constexpr double kBucketsOfPowers = 12;
  double lines = 1;
  for (const FieldFunctions& field : rule.fields)
    for (const FunctionSpec& function : field.functions) {
      if (function.kind == FunctionKind::kHistogram) lines += kBucketsOfPowers;
      if (function.kind == FunctionKind::kHistogramBounds) lines += static_cast<double>(function.bounds.size() + 1);
    }
  return lines;
}

}  // namespace

Pipeline::Pipeline(const Options& options, Log& log, MonoTime now)
    : dialect_(options.engine.dialect),
      log_(log),
      engine_(options.engine, log),
      output_(options.chunk_bytes, options.engine.dialect),
      pacer_(static_cast<double>(options.emit_rate_lines_per_s), now),
      limits_half_(limits::kOutputBytesMax / 2) {}

std::vector<PlannedChange> Pipeline::set_rules(std::shared_ptr<const RuleSet> rules, WallTime now) {
  return engine_.set_rules(std::move(rules), now);
}

void Pipeline::take_lines(LineSource& source, LineBuffer& buffer, WallTime now) {
  do {
    std::string_view text = buffer.text();
    if (!text.empty()) {
      IngestResult result = engine_.ingest({.text = text, .rewrite_time = source.rewrite_time}, now);
      if (result.bad > 0 && !source.in_burst) report_bad(source, buffer, result);
      if (result.lines > 0) source.in_burst = result.bad > 0;
      source.newlines += static_cast<uint64_t>(newlines(text.substr(0, result.consumed)));
      buffer.consume(result.consumed);
      take_written_back(source);
    }
    if (buffer.give_up_overlong() == 0) break;
    engine_.count_bad(BadLine::kTooLong);
    log_.warning(fmt::format("{}: a line longer than {} bytes is skipped", source.name, limits::kLineBytesMax));
  } while (true);
}

void Pipeline::end_lines(LineSource& source, LineBuffer& buffer) {
  std::string_view rest = buffer.text();
  if (is_blank(rest, dialect_)) return;
  engine_.count_bad(BadLine::kUnterminated);
  log_.info(fmt::format("{}: the last line was cut off and is left out: {}", source.name, quoted_excerpt(rest)));
  buffer.consume(rest.size());
}

bool Pipeline::take_body(WriteBody& body, LineSource& source, WallTime now) {
  std::string_view rest = body.rest();
  bool last = rest.size() <= kBodySliceBytes;
  size_t slice = last ? rest.size() : kBodySliceBytes;
  IngestResult result;
  for (;;) {
    result = engine_.ingest(
        {.text = rest.substr(0, slice), .precision = body.precision, .rewrite_time = true, .last = last}, now);
    if (result.consumed > 0 || last) break;
    slice = std::min(2 * slice, rest.size());  // a line longer than the slice
    last = slice == rest.size();
  }
  if (result.bad > 0 && body.bad == 0) {
    size_t at = body.at + line_offset(rest, result.first_bad_line, dialect_);
    body.first_bad_line = static_cast<uint64_t>(newlines(std::string_view(body.text).substr(0, at))) + 1;
    body.first_error = result.first_error;
    log_.warning(fmt::format("{}: line {}, column {}: {}: {}", source.name, body.first_bad_line,
                             result.first_error.offset + 1, result.first_error.text,
                             quoted_excerpt(result.first_bad_text)));
  }
  body.bad += result.bad;
  body.at += last ? rest.size() : result.consumed;
  take_written_back(source);
  return body.rest().empty();
}

void Pipeline::report_bad(const LineSource& source, const LineBuffer& buffer, const IngestResult& result) {
  std::string_view before = buffer.text().substr(0, line_offset(buffer.text(), result.first_bad_line, dialect_));
  uint64_t line = source.newlines + buffer.newlines_given_up() + static_cast<uint64_t>(newlines(before)) + 1;
  log_.warning(fmt::format("{}: line {}, column {}: {}: {}", source.name, line, result.first_error.offset + 1,
                           result.first_error.text, quoted_excerpt(result.first_bad_text)));
}

void Pipeline::take_written_back(const LineSource& source) {
  std::string& lines = engine_.written_back();
  if (lines.empty()) return;
  if (!source.may_shed || output_.bytes() < limits::kOutputBytesMax)
    return output_.add(OutputQueue::Kind::kWrittenBack, lines);
  engine_.count_shed(count_lines(lines, dialect_));
  lines.clear();
  log_.error("stdout is stuck: lines that were to be written back are dropped and counted (shed)");
}

void Pipeline::advance(WallTime wall, MonoTime now) {
  engine_.advance(wall);
  update_pace(now);
  move_results(now);
  bound_results();
}

void Pipeline::stop(WallTime now) {
  engine_.stop(StopMode::kFlush, now);
  stopping_ = true;
}

void Pipeline::give_up() {
  engine_.count_shed(output_.lines(OutputQueue::Kind::kWrittenBack));
  results_dropped_ += output_.lines(OutputQueue::Kind::kResults) + count_lines(engine_.results(), dialect_) +
                      count_lines(std::string_view(waiting_).substr(waiting_at_), dialect_);
}

bool Pipeline::results_pending() {
  return waiting_at_ < waiting_.size() || engine_.emission_pending() || !engine_.results().empty();
}

int64_t Pipeline::wait_ns(MonoTime now) {
  if (output_.result_bytes() >= kResultWindowBytes) return kSecondNs;  // stdout's readiness comes first
  return stopping_ ? 0 : pacer_.wait_ns(now);
}

// Makes waiting_ hold something if the engine has anything; false: nothing to be had now.
bool Pipeline::fetch_results(size_t lines_wanted) {
  if (waiting_at_ < waiting_.size()) return true;
  if (engine_.results().empty() && engine_.emission_pending()) engine_.emit(std::min(lines_wanted, kEmitLines));
  waiting_.clear();
  waiting_at_ = 0;
  waiting_.swap(engine_.results());
  return !waiting_.empty();
}

void Pipeline::move_results(MonoTime now) {
  size_t allowance = stopping_ ? SIZE_MAX : pacer_.allowance(now);
  while (allowance > 0 && output_.result_bytes() < kResultWindowBytes && fetch_results(allowance)) {
    size_t lines = 0;
    std::string_view rest = std::string_view(waiting_).substr(waiting_at_);
    size_t bytes = lines_bytes(rest, std::min(allowance, kEmitLines), dialect_, lines);
    std::string part(rest.substr(0, bytes));
    output_.add(OutputQueue::Kind::kResults, part);
    waiting_at_ += bytes;
    pacer_.took(lines);
    if (allowance != SIZE_MAX) allowance -= lines;
  }
}

// Samples that touch frozen groups make the engine render them, stuck stdout or not.
void Pipeline::bound_results() {
  std::string& fresh = engine_.results();
  if (waiting_.size() - waiting_at_ + fresh.size() <= limits::kResultsBytesMax) return;
  results_dropped_ += count_lines(fresh, dialect_);
  fresh.clear();
  fresh.shrink_to_fit();
  log_.error("stdout is stuck: results are dropped and counted (results_dropped)");
}

// A burst must be over before the next one of the same rule: what the rules need together is the least pace. Thought
// over when a burst begins; during it only raised, where it takes longer than any rule's step.
void Pipeline::update_pace(MonoTime now) {
  bool pending = engine_.emission_pending();
  bool begins = pending && !had_pending_;
  had_pending_ = pending;
  if (begins) {
    EngineGauges size = engine_.gauges();
    memory_.note(size.series + size.groups_held + size.counters);
  }
  if (stopping_ || pacer_.lines_per_s() == 0 || !pending) return;
  if (begins) {
    needed_lines_per_s_ = needed_lines_per_s();
    pacer_.set_needed(needed_lines_per_s_);
    paced_ = now;
  } else if (now.ns - paced_.ns >= kPaceEveryNs) {
    paced_ = now;
    if (engine_.gauges().emission_lag_ns > longest_every_ns_)
      pacer_.set_needed(2 * std::max(pacer_.lines_per_s(), needed_lines_per_s_));
  }
}

// Asks the engine for the groups of each rule only where that could matter, since it has to look at each group for
// that.
double Pipeline::needed_lines_per_s() {
  std::vector<RulePace> paces;
  double most_lines = 0;
  int64_t shortest_ns = INT64_MAX;
  longest_every_ns_ = 0;
  for (const Rule& rule : engine_.rules().rules()) {
    if (rule.mode != RuleMode::kOn) continue;
    paces.push_back({lines_per_group(rule), rule.every_ns});
    most_lines = std::max(most_lines, paces.back().lines);
    shortest_ns = std::min(shortest_ns, rule.every_ns);
    longest_every_ns_ = std::max(longest_every_ns_, rule.every_ns);
  }
  auto groups = static_cast<double>(engine_.gauges().groups);
  double at_most = needed_pace(std::array{RulePace{groups * most_lines, shortest_ns}});
  if (paces.size() <= 1 || at_most <= pacer_.least_lines_per_s()) return at_most;
  const Ledger& ledger = engine_.ledger();
  size_t i = 0;
  for (const Rule& rule : engine_.rules().rules()) {
    if (rule.mode != RuleMode::kOn) continue;
    auto counts = ledger.rules.find(rule.name);
    paces[i++].lines *= counts == ledger.rules.end() ? 0 : static_cast<double>(counts->second.groups);
  }
  return needed_pace(paces);
}

}  // namespace limpet
