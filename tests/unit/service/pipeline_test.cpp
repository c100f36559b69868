// The aggregator without I/O, under a clock of the test's own.
#include "service/pipeline.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "tests/unit/service/quiet_log.h"

using namespace limpet;

namespace {

std::string rule_of(const std::string& period, const std::string& more) {
  return "[[rule]]\nname = \"m\"\nnamepass = [\"m\"]\nperiod = \"" + period +
         "\"\ngrace = \"1s\"\ndrop_original = true\n" + more + "\n[rule.fields]\nv = [\"count\"]\n";
}

std::string rule(const std::string& more) { return rule_of("10s", more); }

struct Bench {
  explicit Bench(const std::string& rules, uint64_t emit_rate = 1000)
      : pipeline({.engine = {}, .emit_rate_lines_per_s = emit_rate, .chunk_bytes = 4096}, log, mono()) {
    LoadedRules loaded = load_rules({{"r", rules}});
    REQUIRE(loaded.ok());
    pipeline.set_rules(loaded.rules, wall());
  }
  WallTime wall() const { return {at_ns}; }
  MonoTime mono() const { return {at_ns}; }

  void feed(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      std::span<char> room = buffer.room();
      size_t n = std::min(room.size(), text.size() - at);
      memcpy(room.data(), text.data() + at, n);
      buffer.added(n);
      at += n;
      pipeline.take_lines(source, buffer, wall());
    }
  }
  // One line for each of so many groups, stamped now.
  void feed_groups(int groups) {
    std::string text;
    for (int i = 0; i < groups; i++) text += "m,g=" + std::to_string(i) + " v=1 " + std::to_string(at_ns) + "\n";
    feed(text);
  }
  // Lets time pass in steps of 5 ms; stdout takes everything.
  void pass(int64_t span_ns) {
    for (int64_t end = at_ns + span_ns; at_ns < end; at_ns += 5 * kMillisecondNs) {
      pipeline.advance(wall(), mono());
      take();
    }
  }
  void take() {
    while (!pipeline.output().empty()) {
      std::string_view chunk = pipeline.output().chunk();
      out += chunk;
      pipeline.output().pop(chunk.size());
    }
  }
  size_t lines() const { return static_cast<size_t>(std::count(out.begin(), out.end(), '\n')); }

  int64_t at_ns = 1'000'000 * kSecondNs;
  QuietLog log;
  Pipeline pipeline;
  LineBuffer buffer{1 << 16};
  LineSource source{.name = "stdin", .may_shed = true};
  std::string out;
};

}  // namespace

TEST_CASE("a window's results leave at the pace, not at once") {
  Bench bench(rule(""));
  bench.feed_groups(3000);
  bench.pass(11 * kSecondNs);
  CHECK(bench.lines() <= 100);
  bench.pass(kSecondNs);
  CHECK(bench.lines() >= 900);
  CHECK(bench.lines() <= 1100);
  bench.pass(3 * kSecondNs);
  CHECK(bench.lines() == 3000);
  CHECK(!bench.pipeline.results_pending());
}

TEST_CASE("the pace rises where a window's results would not be out before the next ones") {
  Bench bench(rule_of("1s", ""));
  for (int second = 0; second < 5; second++) {
    bench.feed_groups(4000);
    bench.pass(kSecondNs);
  }
  CHECK(bench.pipeline.emit_rate_lines_per_s() == doctest::Approx(5000).epsilon(0.3));
  bench.pass(2 * kSecondNs);
  CHECK(bench.lines() == 20'000);
}

TEST_CASE(
    "samples for groups that are not written out yet change nothing of what was frozen, and the pace still holds") {
  Bench bench(rule(""));
  bench.feed_groups(3000);
  bench.pass(11 * kSecondNs + 20 * kMillisecondNs);
  size_t before = bench.lines();
  bench.feed_groups(3000);  // renders all that is frozen
  bench.pass(5 * kMillisecondNs);
  CHECK(bench.lines() - before <= 60);
  bench.pass(4 * kSecondNs);
  CHECK(bench.lines() == 3000);
  CHECK(bench.out.find("v_count=2i") == std::string::npos);
}

TEST_CASE("no pace at the stop") {
  Bench bench(rule(""));
  bench.feed_groups(3000);
  bench.pipeline.stop(bench.wall());
  for (int i = 0; i < 10 && bench.pipeline.results_pending(); i++) {
    bench.pipeline.advance(bench.wall(), bench.mono());
    bench.take();
  }
  CHECK(bench.lines() == 3000);
}

TEST_CASE("lines written back come before the results that the same moment gives") {
  Bench bench(rule(""));
  bench.feed_groups(1);
  bench.at_ns += 12 * kSecondNs;
  bench.feed("other v=1 1\n");
  bench.pipeline.advance(bench.wall(), bench.mono());
  bench.take();
  CHECK(bench.out.starts_with("other v=1 1\nm,g=0 v_count=1i "));
}

TEST_CASE("while stdout is stuck results wait in the engine and do not grow the queue") {
  Bench bench(rule(""), 0);
  bench.feed_groups(100'000);
  bench.at_ns += 12 * kSecondNs;
  for (int i = 0; i < 100; i++) bench.pipeline.advance(bench.wall(), bench.mono());
  CHECK(bench.pipeline.output().bytes() < size_t{3} << 20);
  CHECK(bench.pipeline.results_pending());
  for (int i = 0; i < 100; i++) bench.take(), bench.pipeline.advance(bench.wall(), bench.mono());
  bench.take();
  CHECK(bench.lines() == 100'000);
}

TEST_CASE("lines of stdin are shed beyond the limit, those of listeners never; both add up") {
  Bench bench(rule(""));
  std::string block;
  for (int i = 0; i < 4096; i++) block += "other,t=" + std::string(245, 'x') + " v=1 1\n";
  size_t fed = 0;
  while (bench.pipeline.has_room()) bench.feed(block), fed += 4096;
  size_t half = bench.pipeline.output().bytes();
  CHECK(half >= limits::kOutputBytesMax / 2);
  for (int i = 0; i < 100; i++) bench.feed(block), fed += 4096;
  const LineLedger& counts = bench.pipeline.engine().ledger().lines;
  CHECK(counts.read == fed);
  CHECK(counts.shed > 0);
  CHECK(counts.balances());
  CHECK(bench.pipeline.output().bytes() < limits::kOutputBytesMax + 2 * block.size());
  uint64_t shed = counts.shed;
  bench.source.may_shed = false;
  bench.feed(block);
  CHECK(bench.pipeline.engine().ledger().lines.shed == shed);
  bench.take();
  CHECK(bench.lines() == bench.pipeline.engine().ledger().lines.written_back);
  CHECK(bench.pipeline.has_room());
}

TEST_CASE("a body is applied slice by slice, and a line longer than a slice at once") {
  Bench bench(rule(""));
  std::string text, long_line = "other s=\"" + std::string(900'000, 'x') + "\" 1\n";
  for (int i = 0; i < 5; i++) text += long_line;
  text += "other v=1 1";  // a body's last line is whole
  std::string answered;
  WriteBody body{.text = text + std::string(kBlockPadding, '\0'),
                 .reply = HttpReply([&](HttpAnswer answer) { answered = std::to_string(answer.status); })};
  LineSource http{.name = "http", .rewrite_time = true};
  int slices = 1;
  while (!bench.pipeline.take_body(body, http, bench.wall())) slices++;
  CHECK(slices > 2);
  CHECK(body.bad == 0);
  bench.take();
  CHECK(bench.out == text + "\n");
}
