// Rolling restarts: what they cost in key spaces moved, one pod after another.
#include <doctest/doctest.h>

#include <cmath>

#include "planned_cluster.h"

namespace limpet {
namespace {

// What happens while a pod is away or on its way: rounds go on.
void pass(PlannedCluster& c, int64_t seconds) {
  for (int64_t s = 0; s < seconds; s += 10) c.step(10, s % 30 == 0);
}

// As a StatefulSet: each pod drains, goes, and comes back under its name.
void roll_in_place(PlannedCluster& c, const std::string& revision) {
  std::vector<std::string> names;
  for (const auto& [name, member] : c.members) names.push_back(name);
  for (const std::string& name : names) {
    c.report(name).state = PodState::kDraining;
    c.change();
    CHECK(c.owned_by(name) == 0);
    c.report(name).state = PodState::kDrained;
    c.change(12);
    c.die(name);
    pass(c, 30);
    c.restart(name, PodState::kStarting);
    c.report(name).revision = revision;
    c.change();
    c.report(name).state = PodState::kReady;
    c.change();
    pass(c, 10);
  }
}

// As a Deployment with one pod of surge: a new one is there before an old one goes.
void roll_with_surge(PlannedCluster& c, const std::string& revision) {
  std::vector<std::string> names;
  for (const auto& [name, member] : c.members) names.push_back(name);
  for (const std::string& name : names) {
    c.add("new-" + name, "", PodState::kStarting);
    c.report("new-" + name).revision = revision;
    c.change();
    c.report("new-" + name).state = PodState::kReady;
    c.change();
    c.report(name).state = PodState::kDraining;
    c.change();
    CHECK(c.owned_by(name) == 0);
    c.report(name).state = PodState::kDrained;
    c.change(12);
    c.die(name);
    pass(c, 30);
    c.members.erase(name);
  }
}

PlannedCluster cluster_of(size_t pods, bool carousel) {
  PlannedCluster c;
  c.config.carousel = carousel;
  c.check_rest = pods <= 20;
  c.add_many(pods);
  for (auto& [name, m] : c.members) m.report.revision = "old";
  double each = 0.5 * static_cast<double>(pods);
  c.load = [each](uint64_t low, uint64_t high) { return each * key_share(low, high); };
  c.round();
  REQUIRE(c.now.slices.size() == 32 * pods);
  return c;
}

struct Rolled {
  double churn = 0, imbalance = 0;
};

Rolled rolled(size_t pods, bool carousel, void (*roll)(PlannedCluster&, const std::string&)) {
  PlannedCluster c = cluster_of(pods, carousel);
  roll(c, "new");
  c.rounds(130);  // longer than any hold, and than an hour
  MESSAGE(pods, " pods, ", std::string(carousel ? "carousel" : "spread"), ": ", c.churn, " key spaces, imbalance ",
          c.imbalance());
  return {c.churn, c.imbalance()};
}

TEST_CASE("a rolling restart moves 1 + 2/N key spaces with the carousel") {
  for (size_t pods : {3, 10, 100}) {
    Rolled r = rolled(pods, true, roll_in_place);
    CHECK(r.churn <= 1 + 2 / static_cast<double>(pods) + 0.05);
    CHECK(r.churn >= 0.99);
    CHECK(r.imbalance < 1.12);
  }
}

TEST_CASE("a rolling restart moves at most 2.05 key spaces without the carousel") {
  Rolled r = rolled(100, false, roll_in_place);
  CHECK(r.churn <= 2.05);
  CHECK(r.churn >= 1);
  CHECK(r.imbalance < 1.12);
}

TEST_CASE("a rolling restart with surge moves each key once") {
  for (size_t pods : {3, 100}) {
    Rolled r = rolled(pods, true, roll_with_surge);
    CHECK(r.churn <= 1.05);
    CHECK(r.churn >= 0.99);
    CHECK(r.imbalance < 1.12);
  }
}

TEST_CASE("a pod that is kept empty for the next one that goes is no mystery") {
  PlannedCluster c = cluster_of(5, true);
  c.report("agg-001").state = PodState::kDraining;
  c.change();
  c.die("agg-001");
  c.change(10);
  c.restart("agg-001");
  c.round();
  CHECK(c.owned_by("agg-001") == 0);
  CHECK(c.last.notes == std::vector<std::string>{"fill: an idle pod is kept for the next one that goes"});
  c.rounds(20);
  CHECK(c.owned_by("agg-001") > 0);
  CHECK(c.last.notes.empty());
}

TEST_CASE("pods that restart without a word within the dead-after time keep their slices") {
  PlannedCluster c = cluster_of(10, true);
  Slices before = c.now.slices;
  for (const auto& [name, member] : c.members) {
    c.restart(name);
    c.change();
  }
  c.rounds(5);
  CHECK(c.now.slices.owner == before.owner);
  CHECK(c.churn == 0);
}

}  // namespace
}  // namespace limpet
