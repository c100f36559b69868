// A fleet of engines that share the keys gives what one engine gives, whatever moves and whoever hears of it late.
#include <algorithm>
#include <deque>
#include <random>

#include "sharding/key.h"
#include "tests/unit/engine/engine_fixture.h"

namespace limpet {
namespace {

constexpr const char* kRules = R"toml(
[[rule]]
name = "requests"
namepass = ["requests"]
without = ["pod"]
period = "20s"
every = "5s"
grace = "3s"
drop_original = true
[rule.fields]
value = ["count", "sum", "min", "max", "p90", "distinct"]
[[rule]]
name = "bytes"
namepass = ["bytes"]
without = ["pod"]
period = "10s"
grace = "2s"
first = "zero"
[rule.fields]
n = ["increase", "rate"]
)toml";

constexpr int64_t kStartS = 1'700'000'000;

Assignment first_assignment(size_t slices, size_t pods) {
  Assignment a;
  a.generation = 1;
  for (size_t i = 0; i < pods; i++) {
    AssignedPod& pod = a.pods.emplace_back();
    pod.name = "agg-" + std::to_string(i);
    pod.incarnation = "x";
  }
  for (size_t i = 0; i < slices; i++) {
    a.slices.low.push_back(i << 60);
    a.slices.owner.push_back(static_cast<uint32_t>(i % pods));
    a.slices.standby.push_back(kNoPod);
    a.slices.since.push_back(1);
    a.slices.cutover_s.push_back(0);
  }
  return a;
}

// Some slices change their owner; the new one's time begins at now + 10 s. `back_max_s`: the sharder's clock may step
// back so far, so that moves have equal times, or falling ones.
void move_some(Assignment& a, std::mt19937_64& r, int64_t now_s, int64_t back_max_s) {
  if (back_max_s > 0) now_s -= static_cast<int64_t>(r() % static_cast<uint64_t>(back_max_s + 1));
  a.generation++;
  for (size_t i = 0; i < a.slices.size(); i++) {
    if (r() % 4 != 0) continue;
    auto to = static_cast<uint32_t>(r() % a.pods.size());
    uint32_t from = a.slices.owner[i];
    if (to == from) continue;
    int64_t cutover_s = std::max(now_s + 10, a.slices.cutover_s[i]);
    a.moved.push_back(
        {a.slices.low[i], a.slices.high(i), now_s, cutover_s, MoveCause::kBalance, a.pods[from].name, a.pods[to].name});
    a.slices.owner[i] = to, a.slices.since[i] = a.generation, a.slices.cutover_s[i] = cutover_s;
  }
}

struct Pod {
  Pod(const std::string& name, bool shared, Log& log)
      : tracker(name),
        engine({.pod = name, .incarnation = "x", .started = {kStartS * kSecondNs}, .shared = shared}, log) {
    engine.set_rules(rules_of(kRules), {kStartS * kSecondNs});
  }
  void feed(const std::string& lines, WallTime now) {
    std::string text = lines;
    text.append(kBlockPadding, '\0');
    engine.ingest({.text = std::string_view(text).substr(0, lines.size())}, now);
    engine.advance(now);
    take();
  }
  void take() {
    engine.emit(SIZE_MAX);
    collect(engine.results(), results);
    collect(engine.written_back(), written_back);
  }
  static void collect(std::string& text, std::vector<std::string>& into) {
    for (size_t at = 0, end; at < text.size(); at = end + 1)
      into.push_back(text.substr(at, (end = text.find('\n', at)) - at));
    text.clear();
  }

  OwnershipTracker tracker;
  Engine engine;
  int64_t look_s = INT64_MAX;  // when it next reads the assignment
  std::vector<std::string> results, written_back;
};

std::string random_lines(std::mt19937_64& r, int64_t now_ns, std::vector<int64_t>& counters) {
  std::string lines;
  for (int i = 0; i < 12; i++) {
    int64_t time_ns = now_ns - static_cast<int64_t>(r() % 1500) * kMillisecondNs;
    std::string tags = ",path=/" + std::to_string(r() % 20) + ",pod=p" + std::to_string(r() % 3);
    lines += "requests" + tags + " value=" + std::to_string(r() % 1000) + " " + std::to_string(time_ns) + "\n";
  }
  // Each series of counters every 2 s.
  for (size_t s = (now_ns / kSecondNs) % 2; s < counters.size(); s += 2) {
    counters[s] += static_cast<int64_t>(r() % 100);
    lines += "bytes,if=e" + std::to_string(s % 15) + ",pod=p" + std::to_string(s / 15) +
             " n=" + std::to_string(counters[s]) + "i " + std::to_string(now_ns) + "\n";
  }
  lines += "other,host=h" + std::to_string(r() % 50) + " v=1i " + std::to_string(now_ns) + "\n";
  return lines;
}

std::vector<std::string> sorted(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

// The first lines that only one of both has.
std::string difference(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::string> left = sorted(a), right = sorted(b), missing, extra;
  std::set_difference(right.begin(), right.end(), left.begin(), left.end(), std::back_inserter(missing));
  std::set_difference(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(extra));
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(missing.size(), 5); i++) text += "\nmissing: " + missing[i];
  for (size_t i = 0; i < std::min<size_t>(extra.size(), 5); i++) text += "\nextra:   " + extra[i];
  return text;
}

void run(uint64_t seed, int64_t lag_max_s, bool nameless = false, int64_t back_max_s = 0) {
  CAPTURE(seed);
  std::mt19937_64 r(seed);
  NoLog log;
  Pod alone("alone", false, log);
  std::deque<Pod> fleet;
  for (int i = 0; i < 3; i++) fleet.emplace_back("agg-" + std::to_string(i), true, log);
  Assignment assignment = first_assignment(16, fleet.size());
  for (Pod& pod : fleet)
    pod.engine.set_ownership(pod.tracker.adopt(assignment, {kStartS * kSecondNs}), {kStartS * kSecondNs});
  std::vector<int64_t> counters(30);
  int64_t next_move_s = kStartS + 20;
  for (int64_t second = kStartS; second < kStartS + 240; second++) {
    if (second >= next_move_s) {
      next_move_s = second + 1 + static_cast<int64_t>(r() % (r() % 2 ? 25 : 3));
      move_some(assignment, r, second, back_max_s);
      if (nameless)
        for (Move& move : assignment.moved) move.from.clear(), move.to.clear();
      // A pod that is late reads what is newest then, and misses what was in between.
      for (Pod& pod : fleet)
        pod.look_s = std::min(pod.look_s, second + static_cast<int64_t>(r() % static_cast<uint64_t>(lag_max_s + 1)));
    }
    WallTime now{second * kSecondNs};
    std::string lines = random_lines(r, now.ns, counters);
    alone.feed(lines, now);
    for (Pod& pod : fleet) {
      if (pod.look_s <= second) {
        pod.engine.set_ownership(pod.tracker.adopt(assignment, now), now);
        pod.look_s = INT64_MAX;
      }
      pod.feed(lines, now);
    }
  }
  std::vector<std::string> results, written_back;
  uint64_t lines = 0, read = alone.engine.ledger().lines.read;
  for (Pod& pod : fleet) {
    results.insert(results.end(), pod.results.begin(), pod.results.end());
    written_back.insert(written_back.end(), pod.written_back.begin(), pod.written_back.end());
    const Ledger& ledger = pod.engine.ledger();
    CHECK(ledger.balances());
    CHECK(ledger.lines.read == read);
    lines += ledger.lines.written_back + ledger.lines.original_dropped;
  }
  CHECK(lines == read);
  CHECK(alone.results.size() > 500);
  CHECK(difference(results, alone.results) == "");
  CHECK(difference(written_back, alone.written_back) == "");
}

}  // namespace

TEST_CASE("a fleet that shares the keys gives what one engine gives") {
  for (uint64_t seed = 1; seed <= 20; seed++) run(seed, 0);
}

TEST_CASE("nor does it matter that the assignment does not say between whom its slices moved") {
  for (uint64_t seed = 200; seed <= 220; seed++) run(seed, 0, true);
}

TEST_CASE("pods may hear late of a new generation, or not at all of one that another follows") {
  for (uint64_t seed = 100; seed <= 140; seed++) run(seed, 4);
}

TEST_CASE("moves of one time hold in the order of planning, whatever the sharder's clock does") {
  for (uint64_t seed = 300; seed <= 340; seed++) run(seed, 2, false, 5);
}

TEST_CASE("every aggregated sample is work of the slice of its group, also those that fold into the overflow group") {
  NoLog log;
  Pod pod("agg-0", true, log);
  pod.engine.set_rules(rules_of("[[rule]]\nname = \"r\"\nperiod = \"10s\"\nmax_groups = 3\n[rule.fields]\nv = "
                                "[\"count\", \"p50\"]\n"),
                       {kStartS * kSecondNs});
  auto ownership = pod.tracker.adopt(first_assignment(16, 2), {kStartS * kSecondNs});
  pod.engine.set_ownership(ownership, {kStartS * kSecondNs});
  std::vector<uint64_t> expected(16);
  std::string lines;
  for (int i = 0; i < 40; i++) {
    lines += "m,k=" + std::to_string(i) + " v=1 " + std::to_string((kStartS + 10) * kSecondNs) + "\n";
    lines += lines.substr(lines.rfind('\n', lines.size() - 2) + 1);
    uint32_t slice = ownership->slice_of(line_key("m", {{"k", std::to_string(i)}}));
    if (slice % 2 == 0) expected[slice] += 2;
  }
  pod.feed(lines, {kStartS * kSecondNs});
  const RuleLedger& ledger = pod.engine.ledger().rules.at("r");
  CHECK(ledger.folded > 10);
  uint64_t samples = 0;
  for (size_t i = 0; i < 16; i++) {
    CAPTURE(i);
    CHECK(pod.engine.slice_work()[i].samples == expected[i]);
    samples += pod.engine.slice_work()[i].samples;
  }
  CHECK(samples == ledger.aggregated);
  // What is held of groups in excess is no slice's.
  uint64_t groups = 0;
  for (const SliceState& state : pod.engine.slice_state()) groups += state.groups;
  CHECK(groups == 3);
}

TEST_CASE("hot keys are found whatever the rhythm of the input") {
  NoLog log;
  Pod pod("agg-0", true, log);
  pod.engine.set_rules(rules_of("[[rule]]\nname = \"r\"\nperiod = \"10s\"\n[rule.fields]\nv = [\"count\"]\n"),
                       {kStartS * kSecondNs});
  pod.engine.set_ownership(pod.tracker.adopt(first_assignment(1, 1), {kStartS * kSecondNs}), {kStartS * kSecondNs});
  std::string lines, end = " v=1 " + std::to_string((kStartS + 10) * kSecondNs) + "\n";
  for (int i = 0; i < 40'000; i++) lines += (i % 2 ? "m,k=hot" : "m,k=" + std::to_string(i / 2 % 100)) + end;
  pod.feed(lines, {kStartS * kSecondNs});
  std::vector<HotKeys::Entry> hottest = pod.engine.hot_keys().hottest();
  REQUIRE(hottest.size() > 1);
  CHECK(hottest[0].key == line_key("m", {{"k", "hot"}}));
  CHECK(hottest[0].samples > 18'000);
  CHECK(hottest[0].samples < 22'000);
  CHECK(hottest[1].samples < 1'000);
}

}  // namespace limpet
