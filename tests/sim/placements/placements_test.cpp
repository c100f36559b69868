#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "placements/bounds.h"
#include "placements/limpet.h"
#include "placements/measure.h"
#include "placements/ring_points.h"

using namespace limpet;
using namespace limpet::sim;

namespace {

constexpr uint32_t kPods = 12;
constexpr uint64_t kSeed = 5;

const Keys& keys() {
  static const Keys all = make_keys(20'000, kSeed);
  return all;
}

using Owners = std::vector<uint32_t>;

}  // namespace

TEST_CASE("every scheme places every key on a pod that is there, and the same way again") {
  for (const Scheme& scheme : all_schemes()) {
    CAPTURE(scheme.name);
    auto placement = scheme.make(keys(), kPods, kSeed);
    REQUIRE(placement->owner().size() == keys().size());
    CHECK(*std::max_element(placement->owner().begin(), placement->owner().end()) == kPods - 1);
    CHECK(scheme.make(keys(), kPods, kSeed)->owner() == placement->owner());
    placement->remove(3);
    CHECK(std::count(placement->owner().begin(), placement->owner().end(), 3u) == 0);
  }
}

TEST_CASE("who is added is as if it had been there from the start") {
  for (const Scheme& scheme : all_schemes()) {
    CAPTURE(scheme.name);
    auto grown = scheme.make(keys(), kPods, kSeed);
    Owners before = grown->owner();
    grown->add(kPods);
    // Maglev's table has the size that the first pods wanted.
    bool maglev = scheme.name.starts_with("Maglev");
    auto made =
        maglev ? make_maglev(keys(), kPods + 1, kSeed, prime_from(100 * kPods)) : scheme.make(keys(), kPods + 1, kSeed);
    CHECK(grown->owner() == made->owner());
    grown->remove(kPods);
    CHECK(grown->owner() == before);
  }
}

TEST_CASE("ring, rendezvous and jump move only to who comes; ring and rendezvous only from who goes") {
  for (const Scheme& scheme : all_schemes()) {
    bool ring = scheme.name.starts_with("hash ring") || scheme.name.starts_with("rendezvous");
    if (!ring && !scheme.name.starts_with("jump")) continue;
    CAPTURE(scheme.name);
    auto placement = scheme.make(keys(), kPods, kSeed);
    Owners before = placement->owner();
    placement->add(kPods);
    for (size_t k = 0; k < before.size(); k++)
      if (placement->owner()[k] != before[k]) REQUIRE(placement->owner()[k] == kPods);
    placement->remove(kPods);
    if (!ring) continue;
    placement->remove(4);
    for (size_t k = 0; k < before.size(); k++) REQUIRE((placement->owner()[k] != before[k]) == (before[k] == 4));
    placement->add(4);
    CHECK(placement->owner() == before);
  }
}

TEST_CASE("hash mod N is what it says") {
  auto placement = make_mod_n(keys(), kPods);
  for (size_t k = 0; k < keys().size(); k++) REQUIRE(placement->owner()[k] == keys().place[k] % kPods);
}

TEST_CASE("a ring's owner is the one of the nearest point above, around the end") {
  RingPoints ring(kPods, kSeed, 3);
  auto placement = make_ring(keys(), kPods, kSeed, 3);
  for (size_t k = 0; k < keys().size(); k++) {
    uint64_t nearest = UINT64_MAX, pod = 0;
    for (const RingPoints::Point& p : ring.points())
      if (p.place - keys().place[k] <= nearest) nearest = p.place - keys().place[k], pod = p.pod;
    REQUIRE(placement->owner()[k] == pod);
  }
}

TEST_CASE("a bounded ring keeps its bound, and is a ring where the bound does not bite") {
  for (double bound : {1.0, 1.05, 1.25}) {
    auto placement = make_bounded_ring(keys(), kPods, kSeed, 100, bound);
    for (bool fewer : {false, true}) {
      if (fewer) placement->remove(2);
      std::vector<size_t> count(kPods);
      for (uint32_t pod : placement->owner()) count[pod]++;
      auto most = static_cast<size_t>(std::ceil(bound * static_cast<double>(keys().size()) / (kPods - fewer)));
      CHECK(*std::max_element(count.begin(), count.end()) <= most);
    }
  }
  CHECK(make_bounded_ring(keys(), kPods, kSeed, 100, kPods)->owner() == make_ring(keys(), kPods, kSeed, 100)->owner());
}

TEST_CASE("a jump hash's bucket falls to the holder of the last one, and may be taken back") {
  for (bool keeps : {false, true}) {
    auto placement = make_jump(keys(), kPods, keeps);
    Owners before = placement->owner();
    placement->remove(4);
    for (size_t k = 0; k < before.size(); k++)
      if (before[k] == 4) REQUIRE(placement->owner()[k] == kPods - 1);
    placement->add(4);
    if (keeps) {
      CHECK(placement->owner() == before);
      continue;
    }
    // The two have changed places.
    for (size_t k = 0; k < before.size(); k++) {
      uint32_t expected = before[k] == 4 ? kPods - 1 : before[k] == kPods - 1 ? 4 : before[k];
      REQUIRE(placement->owner()[k] == expected);
    }
  }
}

TEST_CASE("Maglev gives every pod as many slots, but for one") {
  // Keys that are the slots themselves.
  Keys slots;
  for (uint32_t i = 0; i < 1201; i++) slots.place.push_back(i), slots.rank.push_back(i);
  auto placement = make_maglev(slots, kPods, kSeed);
  CHECK(prime_from(100 * kPods) == 1201);
  std::vector<size_t> count(kPods);
  for (uint32_t pod : placement->owner()) count[pod]++;
  CHECK(*std::min_element(count.begin(), count.end()) == 100);
  CHECK(*std::max_element(count.begin(), count.end()) == 101);
  CHECK(prime_from(65'537) == 65'537);
  CHECK(prime_from(0) == 2);
}

TEST_CASE("a measurement counts what moves, and whose it was") {
  std::vector<LoadModel> models = {LoadModel(keys(), 0), LoadModel(keys(), 1.2)};
  Scheme mod = all_schemes().front();
  Measured m = measure(mod, models, kPods, kSeed, kPods);
  CHECK(m.add == doctest::Approx(12.0 / 13).epsilon(0.02));
  CHECK(m.remove == doctest::Approx(11.0 / 12).epsilon(0.02));
  CHECK(m.collateral == doctest::Approx(10.0 / 12).epsilon(0.02));
  CHECK(m.restart == doctest::Approx(22).epsilon(0.02));
  CHECK(m.imbalance[0] == doctest::Approx(1).epsilon(0.1));
  CHECK(m.imbalance[1] >= models[1].floor(kPods));
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == 2.5);
}

TEST_CASE("a drained pod's keys move, nobody else's, and a planner's cluster does the same again") {
  LoadModel model(keys(), 0);
  std::vector<std::string> violations;
  auto drained = [&] {
    LimpetCluster cluster(model, kPods, {});
    cluster.check_steps(violations);
    CHECK(!cluster.owns_nothing(4));
    cluster.drain(4);
    size_t moved = cluster.round();
    CHECK(cluster.owns_nothing(4));
    CHECK(cluster.collateral_of(4) == 0);
    return moved;
  };
  size_t moved = drained();
  CHECK(moved == doctest::Approx(static_cast<double>(keys().size()) / kPods).epsilon(0.1));
  CHECK(drained() == moved);
  CHECK(violations == std::vector<std::string>{});
}

TEST_CASE("a pod that comes to a planner's cluster gets its share, a hot key is found") {
  LoadModel model(keys(), 1.2);
  LimpetCluster cluster(model, kPods, {});
  double before = cluster.imbalance();
  cluster.settle(125, 500);
  CHECK(cluster.imbalance() < before);
  CHECK(cluster.imbalance() <= 1.1 * model.floor(kPods));
  cluster.add(kPods);
  CHECK(cluster.owns_nothing(kPods));
  CHECK(cluster.settle(3, 20) > 0);
  CHECK(!cluster.owns_nothing(kPods));
}

TEST_CASE("results that cannot be are found") {
  std::vector<LoadModel> models = {LoadModel(keys(), 0)};
  Comparison c;
  c.pods = kPods, c.keys = keys().size(), c.floors = {1};
  for (const Scheme& scheme : all_schemes())
    c.hashes.push_back({scheme.name, measure(scheme, models, kPods, kSeed, kPods)});
  c.limpet = measure_limpet(models, kPods, 0, {.restarts = kPods});
  CHECK(out_of_bounds(c) == std::vector<std::string>{});
  for (size_t i = 0; i < c.hashes.size(); i++) {
    Comparison wrong = c;
    wrong.hashes[i].second.add *= 20;
    CHECK(out_of_bounds(wrong).size() == 1);
  }
  c.limpet.moves.restart = 1.3;
  c.limpet.violations = {"I1: planted"};
  CHECK(out_of_bounds(c).size() == 2);
}
