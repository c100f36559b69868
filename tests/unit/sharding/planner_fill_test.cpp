// Filling: a pod that came and owns nothing gets its share, 2 % of the keys a round, whatever balance may still move.
#include <doctest/doctest.h>

#include "planned_cluster.h"

namespace limpet {
namespace {

// Those that come are planned for at once, between two rounds.
PlannedCluster joined(size_t pods, const std::vector<std::string>& names) {
  PlannedCluster c;
  c.add_many(pods);
  c.round();
  c.rounds(4);
  c.now_s += 10;
  for (const std::string& name : names) {
    c.add(name);
    c.change();
  }
  c.step(12, true);
  return c;
}

// The share of the key space that came to a pod.
double came(const PlannedCluster& c, const std::string& name, MoveCause cause) {
  double share = 0;
  for (const Move& m : c.now.moved)
    if (m.to == name && m.cause == cause) share += key_share(m.low, m.high);
  return share;
}

TEST_CASE("a pod that comes between two rounds is filled in as many as it takes, and balance keeps off") {
  PlannedCluster c = joined(1, {"new"});
  c.rounds(30);
  CHECK(c.share_of("new") >= 0.95 * 0.5);
  CHECK(came(c, "new", MoveCause::kBalance) == 0);
}

TEST_CASE("several pods that come one after another are filled evenly") {
  PlannedCluster c = joined(1, {"new-a", "new-b", "new-c"});
  for (int i = 0; i < 50; i++) {
    c.round();
    double least = 1, most = 0;
    for (const char* name : {"new-a", "new-b", "new-c"})
      least = std::min(least, c.share_of(name)), most = std::max(most, c.share_of(name));
    CHECK(most - least <= 1.5 * c.config.round_budget);
  }
  for (const char* name : {"new-a", "new-b", "new-c"}) {
    CHECK(c.share_of(name) >= 0.95 * 0.25);
    CHECK(came(c, name, MoveCause::kBalance) == 0);
  }
}

TEST_CASE("a pod goes on being filled after it took over slices of one that died") {
  PlannedCluster c;
  c.config.standbys = false;
  c.add_many(4);
  c.report("agg-003").weight = 0.2;
  c.round();
  c.add("new");
  c.change();
  c.die("agg-003");
  c.change();
  REQUIRE(came(c, "new", MoveCause::kDeath) > 0);
  REQUIRE(c.share_of("new") < 0.1);
  c.step(26, true);
  c.rounds(12);
  CHECK(c.share_of("new") >= 0.95 / 4);
  CHECK(came(c, "new", MoveCause::kBalance) == 0);
}

TEST_CASE("balance gives to a pod again that got its share and grew cold") {
  PlannedCluster c = joined(1, {"new"});
  c.rounds(30);
  double share = c.share_of("new");
  std::vector<Slices> at{c.now.slices};
  int32_t pod = c.now.find_pod("new");
  c.load = [=](uint64_t low, uint64_t high) {
    const Slices& s = at[0];
    auto i = static_cast<size_t>(std::upper_bound(s.low.begin(), s.low.end(), low) - s.low.begin()) - 1;
    return key_share(low, high) * (s.owner[i] == static_cast<uint32_t>(pod) ? 0.5 : 1.5);
  };
  c.rounds(125);
  CHECK(c.share_of("new") > share);
  CHECK(c.imbalance() < 1.11);
}

TEST_CASE("a clock that was ahead and stepped back does not stop filling") {
  for (int64_t ahead_s : {5, 100, 3600, 100'000'000}) {
    PlannedCluster c;
    c.add_many(3);
    c.round();
    c.rounds(4);
    c.now_s += ahead_s;
    c.report("agg-001").state = PodState::kDraining;
    c.change();
    c.restart("agg-001");
    c.change();
    c.step(90, true);
    REQUIRE(c.owned_by("agg-001") > 0);
    c.now_s -= ahead_s;
    c.rounds(40);
    CHECK(c.share_of("agg-001") >= 0.95 / 3);
  }
}

TEST_CASE("a clock that was ahead and stepped back does not keep a pod empty") {
  PlannedCluster c;
  c.add_many(3);
  c.round();
  c.now_s += 3600;
  c.report("agg-001").state = PodState::kDraining;
  c.change();
  c.restart("agg-001");
  c.change();
  c.now_s -= 3600;
  c.rounds(40);
  CHECK(c.share_of("agg-001") >= 0.95 / 3);
}

TEST_CASE("two sharders whose clocks differ keep to one budget of a round") {
  PlannedCluster c = joined(1, {});
  c.add("new");
  c.change();
  double share = c.share_of("new");
  REQUIRE(share > 0);
  c.step(-3, false);
  CHECK(c.share_of("new") == share);
}

}  // namespace
}  // namespace limpet
