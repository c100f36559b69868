// Single plans: the first generation, restarts, drains, deaths. What a plan must be whatever happened is checked by the
// simulator (tests/sim), with the same invariants; what is moved over many rounds by the other tests of the planner.
#include "sharding/planner.h"

#include <doctest/doctest.h>

#include "planned_cluster.h"

namespace limpet {
namespace {

PlannedCluster cluster_of(size_t pods) {
  PlannedCluster c;
  c.add_many(pods);
  c.round();
  return c;
}

TEST_CASE("the first generation divides the key space evenly, and takes its number from the clock") {
  PlannedCluster c = cluster_of(5);
  CHECK(c.now.generation == static_cast<uint64_t>(c.now_s));
  CHECK(c.now.slices.size() == 160);
  for (const auto& [name, member] : c.members) CHECK(c.owned_by(name) == 32);
  for (size_t i = 0; i < c.now.slices.size(); i++) CHECK(c.now.slices.cutover_s[i] == 0);
}

TEST_CASE("the first generation of thousands of pods") {
  PlannedCluster c;
  c.config.slices_per_pod_initial = 10;
  c.check_rest = false;
  c.add_many(3000, 3);
  c.round();
  CHECK(c.now.slices.size() == 30'000);
  for (size_t i = 0; i < c.now.slices.size(); i++) {
    REQUIRE(c.now.slices.standby[i] != kNoPod);
    REQUIRE(c.now.pods[static_cast<size_t>(c.now.slices.standby[i])].zone != c.now.pods[c.now.slices.owner[i]].zone);
  }
}

TEST_CASE("a drain moves exactly what is drained") {
  PlannedCluster c = cluster_of(5);
  Slices before = c.now.slices;
  c.report("agg-001").state = PodState::kDraining;
  c.change();
  CHECK(c.churn == doctest::Approx(0.2));
  CHECK(c.owned_by("agg-001") == 0);
  REQUIRE(c.now.slices.low == before.low);
  for (size_t i = 0; i < before.size(); i++)
    CHECK((c.now.slices.owner[i] != before.owner[i]) == (before.owner[i] == 1));
}

TEST_CASE("a death moves exactly what was the dead one's, to the standbys") {
  PlannedCluster c = cluster_of(6);
  Slices before = c.now.slices;
  c.die("agg-002");
  c.change();
  REQUIRE(c.now.slices.low == before.low);
  for (size_t i = 0; i < before.size(); i++) {
    bool was = before.owner[i] == 2;
    CHECK(c.now.slices.owner[i] == (was ? static_cast<uint32_t>(before.standby[i]) : before.owner[i]));
  }
}

TEST_CASE("many dead at once are not believed, a lost zone is") {
  PlannedCluster c;
  c.add_many(12, 3);
  c.round();
  // Of all zones.
  for (size_t i = 0; i < 4; i++) c.die(PlannedCluster::name_of(i));
  Slices before = c.now.slices;
  c.change();
  CHECK(c.last.frozen);
  CHECK(c.now.slices.owner == before.owner);
  // Those of one.
  for (auto& [name, member] : c.members) member.alive = member.report.zone != "a";
  c.change();
  CHECK_FALSE(c.last.frozen);
  for (uint32_t owner : c.now.slices.owner) CHECK(c.now.pods[owner].zone != "a");
}

}  // namespace
}  // namespace limpet
