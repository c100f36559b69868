// The planner over many rounds: how much moves, and how even the load gets. What single plans must be is checked by the
// simulator (tests/sim), with the same invariants.
#include "sharding/planner.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "sharding/invariants.h"
#include "tests/sim/cluster/load.h"

using namespace limpet;

namespace {

struct Node {
  std::string name, revision = "1";
  int life = 1;
  bool up = true;
  PodState state = PodState::kReady;
};

class Fleet {
 public:
  Fleet(size_t pods, double exponent, size_t keys, PlannerConfig config_ = {})
      : config(config_), load(keys, exponent, 0.5 * static_cast<double>(pods), r) {
    for (size_t i = 0; i < pods; i++) nodes.push_back({.name = fmt::format("agg-{:03}", i)});
    step(0);
  }

  // `seconds` pass, then a plan. Returns the share of the key space that moved.
  double step(int64_t seconds, double noise = 0) {
    now_s += seconds;
    PlanInput input = look(noise);
    Plan made = plan(assignment, input, config);
    if (!made.next) return 0;
    for (const std::string& broken : check_structure(*made.next)) FAIL_CHECK(broken);
    for (const std::string& broken : check_step(assignment, *made.next, input, config)) FAIL_CHECK(broken);
    double moved = 0;
    for (size_t i = 0; i < made.next->moved.size(); i++)
      if (const Move& m = made.next->moved[i];
          m.at_s == now_s && !m.from.empty() &&
          std::find(assignment.moved.begin(), assignment.moved.end(), m) == assignment.moved.end())
        moved += key_share(m.low, m.high);
    assignment = std::move(*made.next);
    return moved;
  }

  PlanInput look(double noise) {
    std::uniform_real_distribution<double> factor(1 - noise, 1 + noise);
    PlanInput input;
    input.now_s = now_s;
    for (const Node& node : nodes) {
      PodView view;
      view.alive = node.up;
      PodReport& report = view.report;
      report.name = node.name, report.incarnation = std::to_string(node.life), report.zone = "z";
      report.revision = node.revision, report.state = node.state, report.generation = assignment.generation;
      int32_t me = assignment.find_pod(node.name);
      for (size_t i = 0; me != kNoPod && i < assignment.slices.size(); i++) {
        if (assignment.slices.owner[i] != static_cast<uint32_t>(me)) continue;
        uint64_t low = assignment.slices.low[i], high = assignment.slices.high(i), key = 0;
        double cpu = load.of(low, high) * factor(r), hot = 0;
        report.slices.push_back({low, cpu * 1e6, cpu, 1000, 10});
        if (load.heaviest(low, high, key, hot) && hot >= 0.05 * cpu) report.hot_keys.push_back({key, hot * 1e6, hot});
      }
      input.pods.push_back(std::move(view));
    }
    std::sort(input.pods.begin(), input.pods.end(),
              [](const PodView& a, const PodView& b) { return a.report.name < b.report.name; });
    return input;
  }

  // One pod after another is drained, leaves, and comes back half a minute later with another revision.
  double rolling_restart() {
    double moved = 0;
    for (Node& node : nodes) {
      node.state = PodState::kDraining;
      moved += step(2);
      CHECK(owned(node.name) == 0);
      node.state = PodState::kDrained;
      moved += step(20);
      node.up = false;
      moved += step(12);
      node.up = true, node.life++, node.revision = "2", node.state = PodState::kReady;
      moved += step(16);
    }
    for (int round = 0; round < 200; round++) moved += step(30);
    return moved;
  }

  size_t owned(const std::string& name) const {
    int32_t me = assignment.find_pod(name);
    return static_cast<size_t>(
        std::count(assignment.slices.owner.begin(), assignment.slices.owner.end(), static_cast<uint32_t>(me)));
  }
  // Highest load of a pod over the mean.
  double imbalance() const {
    std::vector<double> loads(assignment.pods.size());
    double sum = 0;
    for (size_t i = 0; i < assignment.slices.size(); i++) {
      double l = load.of(assignment.slices.low[i], assignment.slices.high(i));
      loads[assignment.slices.owner[i]] += l, sum += l;
    }
    return *std::max_element(loads.begin(), loads.end()) / (sum / static_cast<double>(nodes.size()));
  }
  // What no placement of whole keys gets below.
  double floor() const {
    uint64_t key = 0;
    double hot = 0;
    load.heaviest(0, 0, key, hot);
    return std::max(1.0, hot / (load.of(0, 0) / static_cast<double>(nodes.size())));
  }

  std::mt19937_64 r{7};
  PlannerConfig config;
  sim::Load load;
  int64_t now_s = 1'700'000'000;
  std::vector<Node> nodes;
  Assignment assignment;
};

}  // namespace

TEST_CASE("the first generation divides the key space evenly, and is at rest") {
  Fleet fleet(5, 0, 5000);
  CHECK(fleet.assignment.generation == 1'700'000'000);
  CHECK(fleet.assignment.slices.size() == 160);
  for (const Node& node : fleet.nodes) CHECK(fleet.owned(node.name) == 32);
  CHECK_FALSE(plan(fleet.assignment, fleet.look(0), fleet.config).next);
}

TEST_CASE("a restart within the dead-after time moves nothing, a drain only what is drained") {
  Fleet fleet(5, 0, 5000);
  fleet.nodes[2].life++;
  CHECK(fleet.step(5) == 0);
  fleet.nodes[1].state = PodState::kDraining;
  CHECK(fleet.step(1) == doctest::Approx(0.2));
  CHECK(fleet.owned("agg-001") == 0);
}

TEST_CASE("a rolling restart of 100 pods moves one key space and a little with the carousel, above two without") {
  PlannerConfig with, without;
  without.carousel = false;
  double carousel = Fleet(100, 0, 20'000, with).rolling_restart();
  double plain = Fleet(100, 0, 20'000, without).rolling_restart();
  CAPTURE(carousel);
  CAPTURE(plain);
  CHECK(carousel <= 1 + 2.0 / 100 + 0.05);
  CHECK(plain <= 2.4);
}

TEST_CASE("many dead at once are not believed, a lost zone is") {
  Fleet fleet(12, 0, 5000);
  for (size_t i = 0; i < 4; i++) fleet.nodes[i].up = false;
  PlanInput input = fleet.look(0);
  Plan frozen = plan(fleet.assignment, input, fleet.config);
  CHECK(frozen.frozen);
  for (PodView& view : input.pods) view.report.zone = view.alive ? "b" : "a";
  Plan lost = plan(fleet.assignment, input, fleet.config);
  CHECK_FALSE(lost.frozen);
  REQUIRE(lost.next);
  for (uint32_t owner : lost.next->slices.owner) CHECK(lost.next->pods[owner].state != PodState::kDead);
}

TEST_CASE("stationary load within the tolerance moves nothing in a thousand rounds") {
  Fleet fleet(20, 0, 200'000);
  for (int round = 0; round < 100; round++) fleet.step(30);
  double moved = 0;
  for (int round = 0; round < 1000; round++) moved += fleet.step(30);
  CHECK(moved == 0);
}

TEST_CASE("noise of 20 % moves little") {
  Fleet fleet(20, 0, 200'000);
  for (int round = 0; round < 100; round++) fleet.step(30, 0.2);
  double moved = 0;
  for (int round = 0; round < 360; round++) moved += fleet.step(30, 0.2);
  CHECK(moved / 3 <= 0.01);  // an hour
}

TEST_CASE("skewed load comes close to what is possible within the budgets") {
  Fleet fleet(100, 0.8, 1'000'000);
  int rounds = 0;
  while (rounds < 20 && fleet.imbalance() > 1.05 * fleet.floor()) fleet.step(30), rounds++;
  INFO(fmt::format("{} rounds, imbalance {:.3f}, floor {:.3f}", rounds, fleet.imbalance(), fleet.floor()));
  CHECK(fleet.imbalance() <= 1.05 * fleet.floor());
}
