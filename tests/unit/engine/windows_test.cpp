#include <random>
#include <set>

#include "engine/window_clock.h"
#include "tests/unit/engine/engine_fixture.h"

namespace limpet {
namespace {

constexpr int64_t kS = kSecondNs;
constexpr int64_t kT0 = 1763640000 * kS;

std::string rule(const std::string& extra, const std::string& fields = "v = [\"count\", \"sum\"]") {
  return "[[rule]]\nname = \"r\"\nperiod = \"10s\"\ngrace = \"2s\"\n" + extra + "[rule.fields]\n" + fields + "\n";
}
std::string at(int64_t second, const std::string& tags = "") {
  return "m" + tags + " v=1 " + std::to_string(kT0 + second * kS) + "\n";
}

}  // namespace

TEST_CASE("a set of numbers, against a plain one") {
  std::mt19937_64 r(1);
  NumberSet set;
  std::set<int64_t> plain;
  for (int i = 0; i < 3000; i++) {
    auto n = static_cast<int64_t>(r() % 500) - 250;
    set.insert(n), plain.insert(n);
    auto probe = static_cast<int64_t>(r() % 520) - 260;
    CHECK(set.contains(probe) == plain.contains(probe));
    int64_t absent = probe;
    while (plain.contains(absent)) absent++;
    CHECK(set.next_absent(probe) == absent);
    CHECK(set.highest() == *plain.rbegin());
  }
}

TEST_CASE("rendering in small steps, between lines, gives what rendering at once gives") {
  std::mt19937_64 r(7);
  std::string rules = rule("every = \"5s\"\n", "v = [\"count\", \"sum\", \"first\", \"increase\", \"total\"]");
  TestEngine at_once(rules, TestEngine::live(kT0 - 100 * kS), kT0),
      slowly(rules, TestEngine::live(kT0 - 100 * kS), kT0);
  std::string wanted, got;
  for (int64_t i = 0; i < 3000; i++) {
    int64_t now = kT0 + i * kS / 20;
    std::string line = "m,g=" + std::to_string(r() % 50) + " v=" + std::to_string(i) + " " +
                       std::to_string(now - static_cast<int64_t>(r() % 4) * kS) + "\n";
    at_once.feed(line, now), slowly.feed(line, now);
    wanted += at_once.results();
    slowly.engine.emit(1);
    got += slowly.engine.results();
    slowly.engine.results().clear();
  }
  wanted += at_once.finish(kT0 + 150 * kS), got += slowly.finish(kT0 + 150 * kS);
  auto sorted = [](const std::string& text) {
    std::multiset<std::string> lines;
    for (size_t p = 0; p < text.size(); p = text.find('\n', p) + 1)
      lines.insert(text.substr(p, text.find('\n', p) - p));
    return lines;
  };
  CHECK(sorted(wanted) == sorted(got));
  CHECK(wanted.size() > 1000);
}

TEST_CASE("a clock that jumps ahead and comes back closes only what was emitted, and emits nothing twice") {
  TestEngine e(rule(""), TestEngine::live(kT0 - 1000 * kS), kT0);
  e.feed(at(1), kT0 + 1 * kS);
  e.engine.advance({kT0 + 3600 * kS});
  CHECK(e.results() == "m v_count=1i,v_sum=1 " + std::to_string(kT0 + 10 * kS) + "\n");
  e.engine.advance({kT0 + 5 * kS});
  e.feed(at(6) + at(12), kT0 + 12 * kS);  // the first window was emitted: late. The second is open
  CHECK(e.engine.ledger().rules.at("r").dropped[static_cast<size_t>(Drop::kLate)] == 1);
  e.engine.advance({kT0 + 22 * kS});
  CHECK(e.results() == "m v_count=1i,v_sum=1 " + std::to_string(kT0 + 20 * kS) + "\n");
  e.engine.advance({kT0 + 3600 * kS});
  CHECK(e.results().empty());
}

TEST_CASE("a window whose panes a clock far ahead freed is not corrected") {
  TestEngine e(rule("late = \"correct\"\nlate_limit = \"1m\"\n"), TestEngine::live(kT0 - 1000 * kS), kT0);
  e.feed(at(1), kT0 + 1 * kS);
  e.engine.advance({kT0 + 3600 * kS});
  CHECK(e.results() == "m v_count=1i,v_sum=1 " + std::to_string(kT0 + 10 * kS) + "\n");
  e.engine.advance({kT0 + 5 * kS});
  e.feed(at(6) + at(12), kT0 + 12 * kS);
  CHECK(e.engine.ledger().rules.at("r").dropped[static_cast<size_t>(Drop::kLate)] == 1);
  e.engine.advance({kT0 + 22 * kS});
  CHECK(e.results() == "m v_count=1i,v_sum=1 " + std::to_string(kT0 + 20 * kS) + "\n");
}

TEST_CASE("samples too far ahead of the clock are dropped and counted; replay has no such limit") {
  TestEngine live(rule("future_limit = \"1m\"\n"), TestEngine::live(kT0), kT0), replay(rule("future_limit = \"1m\"\n"));
  live.feed(at(60) + at(61), kT0), replay.feed(at(0) + at(6000));
  CHECK(live.engine.ledger().rules.at("r").dropped[static_cast<size_t>(Drop::kFuture)] == 1);
  CHECK(replay.engine.ledger().rules.at("r").aggregated == 2);
}

TEST_CASE("windows that were open when the process started are incomplete") {
  std::string first = std::to_string(kT0 + 10 * kS), second = std::to_string(kT0 + 20 * kS);
  auto run = [&](const std::string& policy) {
    TestEngine e(rule("incomplete = \"" + policy + "\"\n"), TestEngine::live(kT0 + 5 * kS), kT0 + 5 * kS);
    e.feed(at(7), kT0 + 7 * kS), e.feed(at(12), kT0 + 12 * kS);
    e.engine.advance({kT0 + 30 * kS});
    return e.results();
  };
  CHECK(run("emit") == "m v_count=1i,v_sum=1 " + first + "\nm v_count=1i,v_sum=1 " + second + "\n");
  CHECK(run("skip") == "m v_count=1i,v_sum=1 " + second + "\n");
  CHECK(run("tag") ==
        "m v_count=1i,v_sum=1 " + second + "\nm,limpet_incomplete=abc v_count=1i,v_sum=1 " + first + "\n");
}

TEST_CASE("a stop emits the windows that have ended and the next to end") {
  TestEngine e(rule("every = \"5s\"\n"), TestEngine::live(kT0 - 1000 * kS), kT0);
  e.feed(at(3), kT0 + 3 * kS), e.feed(at(8), kT0 + 8 * kS);
  CHECK(e.results() == "m v_count=1i,v_sum=1 " + std::to_string(kT0 + 5 * kS) + "\n");
  e.feed(at(11), kT0 + 11 * kS);
  std::string out = e.finish(kT0 + 11 * kS, StopMode::kFlush);
  auto line = [](const char* counts, int64_t end) {
    return std::string("m v_count=") + counts + " " + std::to_string(kT0 + end * kS) + "\n";
  };
  CHECK(out == line("2i,v_sum=2", 10) + line("2i,v_sum=2", 15));  // not 20; 5 was emitted before
  CHECK(e.engine.ledger().rules.at("r").windows_emitted == 3);
}

TEST_CASE("the next deadline is when a window is due") {
  TestEngine e(rule(""), TestEngine::live(kT0), kT0);
  CHECK(!e.engine.next_deadline());
  e.feed(at(1), kT0);
  CHECK(e.engine.next_deadline()->ns == kT0 + 12 * kS);
}

TEST_CASE("extreme timestamps") {
  TestEngine e(rule("every = \"5s\"\n"));
  e.feed(
      "m v=1 -9223372036854775808\nm v=1 -9223372036854775000\nm v=1 0\nm v=1 9223372036854775807\nm v=1 "
      "9223372036854775000\n");
  e.finish();
  CHECK(e.engine.ledger().balances());
  CHECK(e.engine.ledger().rules.at("r").seen == 5);
}

TEST_CASE("series and groups that are gone leave no memory behind") {
  TestEngine e(rule("without = [\"none\"]\n", "v = [\"count\", \"p50\", \"increase\"]"));
  uint64_t first = 0;
  for (int generation = 0; generation < 10; generation++) {
    std::string text;
    for (int i = 0; i < 2000; i++)
      text += "m,pod=" + std::to_string(generation) + "-" + std::to_string(i) + " v=1 " +
              std::to_string(kT0 + generation * 3600 * kS + i * 1000) + "\n";
    for (int i = 0; i < 3000; i++) text += "other v=1 " + std::to_string(kT0 + (generation * 3600 + i) * kS) + "\n";
    e.feed(text);
    e.results();
    uint64_t bytes = e.engine.gauges().state_bytes + e.engine.ledger().rules.at("r").state_bytes;
    if (generation == 0) first = bytes;
    uint64_t remembered = static_cast<uint64_t>(generation) * 2000 * 16;  // freed counters, for a day
    CHECK(bytes <= first + first / 5 + remembered);
    CHECK(e.engine.gauges().series < 2010);
  }
}

namespace {

// Rules a and b: both write the series of m, the results of b from one field each.
std::string two_writers(const std::string& pattern_a, const std::string& pattern_b) {
  return "[[rule]]\nname = \"a\"\nperiod = \"1s\"\n[rule.fields]\n\"" + pattern_a + "\" = [\"sum\"]\n" +
         "[[rule]]\nname = \"b\"\nperiod = \"1s\"\n[rule.fields]\n\"" + pattern_b + "\" = [\"sum\"]\n";
}

}  // namespace

TEST_CASE("rules that write different fields of one series do not collide") {
  TestEngine e(two_writers("x*", "*y"));
  e.feed("m x1=1,y=2 1000000000\nm x1=1 2000000000\n");
  e.finish();
  CHECK(e.log.texts == std::vector<std::string>());
  CHECK(e.engine.ledger().rules.at("b").collisions == 0);
}

TEST_CASE("a field that two rules write is logged once") {
  TestEngine e(two_writers("x*", "*y"));
  e.feed("m xy=1,y=2 1000000000\nm xy=1 2000000000\nm,t=1 xy=1 2000000000\n");
  CHECK(e.finish() ==
        "m xy_sum=1 2000000000\nm xy_sum=1 3000000000\nm y_sum=2 2000000000\nm,t=1 xy_sum=1 3000000000\n");
  REQUIRE(e.log.texts.size() == 1);
  CHECK(e.log.texts[0].starts_with(
      "rule \"b\": another rule writes the field \"xy_sum\" of the series m at the same time, and only that"));
  CHECK(e.engine.ledger().rules.at("b").collisions == 3);
}

}  // namespace limpet
