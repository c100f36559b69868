// The planner at the borders: no load at all, odd reports, budgets and numbers of slices at their limits, hosts.
#include <doctest/doctest.h>

#include <set>

#include "planned_cluster.h"

namespace limpet {
namespace {

void no_load(PodReport& report) {
  for (SliceLoad& slice : report.slices) slice = {.low = slice.low};
}

TEST_CASE("without any load a pod that owns nothing is filled all the same, and standbys are spread") {
  PlannedCluster c;
  c.adjust = no_load;
  c.add_many(4);
  c.round();
  c.rounds(5);
  c.add("new");
  c.rounds(40);
  CHECK(c.share_of("new") == doctest::Approx(0.2).epsilon(0.1));
  std::map<int32_t, size_t> standbys;
  for (int32_t pod : c.now.slices.standby) standbys[pod]++;
  CHECK(standbys.size() == 4);
}

TEST_CASE("the first generation gives each pod what its weight and capacity are of all") {
  PlannedCluster c;
  c.check_rest = false;
  c.add_many(4);
  c.report("agg-001").weight = 2;
  c.report("agg-002").capacity = 4;
  c.report("agg-003").weight = 1e-6;
  c.round();
  CHECK(c.owned_by("agg-000") == 18);
  CHECK(c.owned_by("agg-001") == 37);
  CHECK(c.owned_by("agg-002") == 73);
  CHECK(c.owned_by("agg-003") == 0);
}

TEST_CASE("a tiny budget of a round cuts no endless number of slices") {
  PlannedCluster c;
  c.config.round_budget = 1e-6;
  c.config.slices_per_pod_initial = 2, c.config.slices_per_pod_max = 6;
  c.config.slices_per_pod_min = 100'000;  // nothing is merged again
  c.check_rest = false;
  c.add_many(2);
  c.round();
  c.add("new");
  c.rounds(3);
  CHECK(c.now.slices.size() < 3000);
}

TEST_CASE("a pod that is drained and still there stays in the table") {
  PlannedCluster c;
  c.add_many(3);
  c.round();
  c.report("agg-001").state = PodState::kDraining;
  c.change();
  c.report("agg-001").state = PodState::kDrained;
  c.change();
  c.now_s += 7200;
  c.restart("agg-002");
  c.change();
  CHECK(c.now.find_pod("agg-001") != kNoPod);
  CHECK_FALSE(c.change().next);
}

TEST_CASE("a standby is on another host than the owner, where there is one") {
  PlannedCluster c;
  for (const char* name : {"a", "b", "c", "d"}) c.add(name).report.host = name < std::string("c") ? "n1" : "n2";
  c.round();
  auto shared = [&] {
    size_t same = 0;
    for (size_t i = 0; i < c.now.slices.size(); i++) {
      REQUIRE(c.now.slices.standby[i] != kNoPod);
      same += c.now.pods[c.now.slices.owner[i]].host == c.now.pods[static_cast<size_t>(c.now.slices.standby[i])].host;
    }
    return same;
  };
  CHECK(shared() == 0);
  // However it came about: it is mended.
  for (size_t i = 0; i < c.now.slices.size(); i++)
    if (c.now.slices.owner[i] == 0) c.now.slices.standby[i] = 1;
  c.change();
  CHECK(shared() == 0);
  c.config.carousel = false;
  c.report("a").state = PodState::kDraining;
  c.change();
  CHECK(shared() == 0);
  // One host is left: better a standby there than none.
  c.die("c"), c.die("d");
  c.report("a").state = PodState::kReady;
  c.change();
  CHECK(shared() == c.now.slices.size());
}

TEST_CASE("invariant I12: standby and owner on one host, though there is another") {
  PlannedCluster c;
  for (const char* name : {"a", "b", "c", "d"}) c.add(name).report.host = name < std::string("c") ? "n1" : "n2";
  c.round();
  PlanInput in = c.input();
  Assignment next = c.now;
  next.generation++;
  REQUIRE(check_step(c.now, next, in, c.config).empty());
  REQUIRE(next.slices.owner[0] == 0);
  next.slices.standby[0] = 1;
  std::vector<std::string> broken = check_step(c.now, next, in, c.config);
  REQUIRE(broken.size() == 1);
  CHECK(broken[0].starts_with("I12: "));
  // Who has no memory left is no choice.
  for (PodView& view : in.pods)
    if (view.report.host == "n2") view.report.memory = 95, view.report.memory_limit = 100;
  CHECK(check_step(c.now, next, in, c.config).empty());
}

TEST_CASE("invariant I13: slices per pod, above the most and below the least") {
  PlannedCluster c;
  c.add_many(3);
  c.round();
  PlanInput in = c.input();
  Assignment next = c.now;
  next.generation++;
  auto divide = [&](size_t times) {
    Assignment out = next;
    Slices& s = out.slices;
    for (size_t n = 0; n < times; n++) {
      s.low.insert(s.low.begin() + 1, s.low[1] / 2);
      s.owner.insert(s.owner.begin(), s.owner[0]), s.standby.insert(s.standby.begin(), s.standby[0]);
      s.since.insert(s.since.begin(), s.since[0]), s.cutover_s.insert(s.cutover_s.begin(), 0);
    }
    return out;
  };
  // Halves of the first slice: 32 there are.
  CHECK(check_step(c.now, divide(40), in, c.config).empty());
  PlannerConfig few = c.config;
  few.slices_per_pod_max = 40;
  CHECK(check_step(c.now, divide(8), in, few).empty());
  REQUIRE(check_step(c.now, divide(9), in, few).size() == 1);
  CHECK(check_step(c.now, divide(9), in, few)[0].starts_with("I13: "));
  Assignment merged = next;
  for (auto* column : {&merged.slices.low, &merged.slices.since})
    column->erase(column->begin() + 1, column->begin() + 20);
  merged.slices.owner.erase(merged.slices.owner.begin() + 1, merged.slices.owner.begin() + 20);
  merged.slices.standby.erase(merged.slices.standby.begin() + 1, merged.slices.standby.begin() + 20);
  merged.slices.cutover_s.erase(merged.slices.cutover_s.begin() + 1, merged.slices.cutover_s.begin() + 20);
  REQUIRE(check_step(c.now, merged, in, c.config).size() == 1);
  CHECK(check_step(c.now, merged, in, c.config)[0].starts_with("I13: "));
}

// A cluster in which every slice of the first pod has a key that makes nearly all its load.
struct HotSlices : PlannedCluster {
  std::set<uint64_t> hot;
  HotSlices() {
    add_many(4);
    round();
    for (size_t i = 0; i < now.slices.size(); i++)
      if (now.slices.owner[i] == 0) hot.insert(now.slices.low[i] + 12345);
    load = [this](uint64_t low, uint64_t high) {
      double l = 0.5 * key_share(low, high);
      for (uint64_t key : hot) l += key >= low && (high == 0 || key < high) ? 0.06 : 0;
      return l;
    };
    adjust = [this](PodReport& report) {
      report.hot_keys.clear();
      for (uint64_t key : hot) report.hot_keys.push_back({.key = key, .samples_per_s = 1, .cpu = 0.06});
    };
  }
};

TEST_CASE("isolation leaves a pod no more slices than it may have") {
  HotSlices c;
  c.config.slices_per_pod_max = 40;
  c.config.hour_budget = 1e-9;  // nothing moves away
  c.check_rest = false;
  c.rounds(10);
  CHECK(c.owned_by("agg-000") <= 40);
  CHECK(c.owned_by("agg-000") > 32);
}

TEST_CASE("outside of a round not even a single key is moved for balance") {
  HotSlices c;
  c.check_rest = false;
  double hour = c.config.hour_budget;
  c.config.hour_budget = 0;
  c.rounds(5);
  auto is_balance = [](const Move& move) { return move.cause == MoveCause::kBalance; };
  CHECK(std::none_of(c.now.moved.begin(), c.now.moved.end(), is_balance));
  CHECK(c.now.slices.size() > 150);  // isolated they are
  c.config.hour_budget = hour;
  c.round();
  CHECK(std::any_of(c.now.moved.begin(), c.now.moved.end(), is_balance));
}

TEST_CASE("hot keys at both ends of the key space, twice in a report") {
  PlannedCluster c;
  c.add_many(4);
  c.round();
  c.load = [](uint64_t low, uint64_t high) {
    return key_share(low, high) + (low == 0 ? 0.3 : 0) + (high == 0 ? 0.3 : 0);
  };
  c.adjust = [](PodReport& report) {
    report.hot_keys = {{.key = 0, .cpu = 0.3},
                       {.key = UINT64_MAX, .cpu = 0.3},
                       {.key = 0, .cpu = 0.3},
                       {.key = UINT64_MAX, .cpu = 0.29}};
  };
  c.check_rest = false;
  c.rounds(20);
  CHECK(c.now.slices.low[1] == 1);
  CHECK(c.now.slices.low.back() == UINT64_MAX);
}

TEST_CASE("a report with numbers beyond reason") {
  PlannedCluster c;
  c.check_rest = false;
  c.add_many(4);
  c.round();
  c.adjust = [&](PodReport& report) {
    if (report.name != "agg-001") return;
    report.generation = (uint64_t{1} << 53) - 1;
    report.capacity = 1e-6, report.weight = 1e-6;
    for (SliceLoad& slice : report.slices) slice.state_bytes = UINT64_MAX, slice.cpu = 1e15;
  };
  c.now_s += 120;
  c.add("new");
  c.rounds(5);
  // The number that it names is not believed: there would be none above it.
  CHECK(c.now.generation < uint64_t{1} << 40);
  PlanInput in = c.input();
  CHECK(plan({}, in, c.config).next->generation == static_cast<uint64_t>(c.now_s));
}

TEST_CASE("a single pod; all draining; draining and then dead") {
  PlannedCluster c;
  c.add("one");
  c.round();
  c.report("one").state = PodState::kDraining;
  c.change();
  CHECK(c.share_of("one") == doctest::Approx(1));
  c.die("one");
  c.change();
  CHECK(c.share_of("one") == doctest::Approx(1));
  CHECK_FALSE(c.last.frozen);
  c.add("two");
  c.change();
  CHECK(c.share_of("two") == doctest::Approx(1));
  CHECK(c.now.moved.back().cause == MoveCause::kDeath);
}

TEST_CASE("invariant I8: what rests is found among many moves") {
  PlannedCluster c;
  c.add_many(3);
  c.round();
  PlanInput in = c.input();
  Assignment next = c.now, before = c.now;
  const Slices& s = before.slices;
  before.moved.push_back({s.low[3], s.low[5], c.now_s - 299, c.now_s, MoveCause::kBalance, "agg-001", "agg-000"});
  before.moved.push_back({s.low[8], s.low[9], c.now_s - 1, c.now_s, MoveCause::kDrain, "agg-001", "agg-000"});
  next.moved = before.moved;
  next.generation++;
  auto moved = [&](size_t slice) {
    Assignment out = next;
    out.slices.owner[slice] = 1, out.slices.standby[slice] = 2, out.slices.since[slice] = next.generation;
    out.slices.cutover_s[slice] = in.now_s + 10;
    out.moved.push_back(
        {s.low[slice], s.high(slice), in.now_s, in.now_s + 10, MoveCause::kBalance, "agg-000", "agg-001"});
    std::vector<std::string> broken = check_step(before, out, in, c.config);
    return broken.empty() ? std::string() : broken[0].substr(0, 2);
  };
  // 1/96 each: within the budgets.
  c.config.round_budget = c.config.hour_budget = 1;
  CHECK(moved(2).empty());
  CHECK(moved(3) == "I8");
  CHECK(moved(4) == "I8");
  CHECK(moved(5).empty());
  CHECK(moved(8).empty());
}

}  // namespace
}  // namespace limpet
