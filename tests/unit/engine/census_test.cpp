// What the engine counts as it changes, against a walk over everything.
#include <random>

#include "engine_fixture.h"

namespace limpet {
namespace {

constexpr int64_t kS = 1'000'000'000;
constexpr int64_t kT0 = 1'763'640'000 * kS;

void check_groups(TestEngine& e) {
  auto walk = e.engine.walk_state();
  const Ledger& ledger = e.engine.ledger();
  for (const auto& [name, count] : walk) CHECK(ledger.rules.at(name).groups == count.groups);
}

void check_state(TestEngine& e) {
  check_groups(e);
  auto walk = e.engine.walk_state();
  const Ledger& ledger = e.engine.ledger();
  for (const auto& [name, count] : walk) CHECK(ledger.rules.at(name).state_bytes == count.bytes);
}

// Lines of some pods with some of some fields, their times a little before and after a clock that moves on.
class Traffic {
 public:
  std::string lines(int64_t now_ns) {
    std::string text;
    for (int i = 0; i < 40; i++) {
      text += "m,pod=" + std::to_string(random_() % 60) + " f" + std::to_string(random_() % 4) + "=" +
              std::to_string(random_() % 1000) + " " +
              std::to_string(now_ns - static_cast<int64_t>(random_() % 30) * kS) + "\n";
    }
    return text;
  }

 private:
  std::mt19937_64 random_{7};
};

}  // namespace

TEST_CASE("groups and bytes of plain state are exact at any time") {
  const char* before = R"([[rule]]
name = "few"
without = ["none"]
period = "20s"
every = "5s"
max_groups = 25
[rule.fields]
"f*" = ["sum", "max", "stddev"]
[[rule]]
name = "all"
by = ["pod"]
period = "1m"
late = "correct"
[rule.fields]
f1 = ["mean"]
)";
  const char* after = R"([[rule]]
name = "few"
by = ["pod"]
period = "10s"
[rule.fields]
"f*" = ["sum"]
)";
  TestEngine e(before, TestEngine::live(kT0), kT0);
  Traffic traffic;
  int64_t now = kT0;
  for (int step = 0; step < 300; step++) {
    now += (step % 90 == 89 ? 900 : 2) * kS;
    if (step == 150) e.engine.set_rules(rules_of(after), {now});
    e.feed(traffic.lines(now), now);
    check_state(e);
    e.engine.advance({now});
    e.engine.emit(7);
    check_state(e);
  }
  for (int i = 0; i < 400; i++) {
    e.engine.advance({now += 30 * kS});
    e.results();
  }
  check_state(e);
  CHECK(e.engine.ledger().rules.at("few").groups == 0);
}

TEST_CASE("bytes of sketches are exact after a round") {
  TestEngine e(R"_([[rule]]
name = "r"
by = ["pod"]
period = "20s"
every = "5s"
[rule.fields]
"f*" = ["p50", "distinct", "first", "histogram(1, 2)", "sum(last)"]
)_",
               TestEngine::live(kT0), kT0);
  Traffic traffic;
  int64_t now = kT0;
  uint64_t most = 0;
  for (int step = 0; step < 60; step++) {
    now += 11 * kS;
    e.feed(traffic.lines(now), now);
    e.engine.emit(11);
    check_groups(e);
    e.engine.advance({now});
    check_state(e);
    most = std::max(most, e.engine.ledger().rules.at("r").state_bytes);
  }
  CHECK(most > 100'000);
  for (int i = 0; i < 400; i++) {
    e.engine.advance({now += 30 * kS});
    e.results();
  }
  check_state(e);
}

TEST_CASE("idle counters are freed a few at a time, all of them, and forgotten after a day") {
  TestEngine e("[[rule]]\nname = \"r\"\nby = []\nperiod = \"10s\"\n[rule.fields]\nv = [\"increase\", \"total\"]\n",
               TestEngine::live(kT0), kT0);
  constexpr int kCounters = 40'000;
  std::string text;
  for (int i = 0; i < kCounters; i++) text += "m,pod=" + std::to_string(i) + " v=1 " + std::to_string(kT0) + "\n";
  e.feed(text, kT0);
  CHECK(e.engine.gauges().counters == kCounters);
  int64_t now = kT0 + 2 * kHourNs;
  uint64_t left = kCounters;
  for (int i = 0; i < 200; i++) {
    e.engine.advance({now += kS});
    e.results();
    uint64_t counters = e.engine.gauges().counters;
    CHECK(left - counters <= 10'000);
    left = counters;
  }
  CHECK(left == 0);
  CHECK(e.engine.ledger().rules.at("r").state_bytes == kCounters * 16);
  now += 24 * kHourNs;
  for (int i = 0; i < 200; i++) e.engine.advance({now += kS});
  CHECK(e.engine.ledger().rules.at("r").state_bytes == 0);
}

TEST_CASE("counters in use are kept, sweep after sweep") {
  TestEngine e("[[rule]]\nname = \"r\"\nby = []\nperiod = \"10s\"\nbaseline = \"1s\"\n[rule.fields]\nv = [\"total\"]\n",
               TestEngine::live(kT0), kT0);
  std::string last;
  for (int minute = 0; minute < 300; minute++) {
    int64_t now = kT0 + minute * kMinuteNs;
    std::string text;
    for (int i = 0; i < 100; i++)
      text += "m,pod=" + std::to_string(i) + " v=" + std::to_string(minute) + " " + std::to_string(now) + "\n";
    e.feed(text, now);
    e.engine.advance({now + 30 * kS});
    last = e.results();
  }
  CHECK(e.engine.gauges().counters == 100);
  CHECK(last.starts_with("m v_total=29900 "));
}

}  // namespace limpet
