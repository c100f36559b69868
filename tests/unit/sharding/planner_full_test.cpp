// The file is full: what moved within the hour takes more room than readers take, many pods and many drains.
#include <doctest/doctest.h>

#include "planned_cluster.h"

namespace limpet {
namespace {

constexpr size_t kMoveBytes = 160;  // more than a move takes here

size_t count(const Assignment& a, MoveCause cause) {
  return static_cast<size_t>(
      std::count_if(a.moved.begin(), a.moved.end(), [&](const Move& m) { return m.cause == cause; }));
}

// Drains, and comes back.
void drain(PlannedCluster& c, const std::string& name) {
  c.report(name).state = PodState::kDraining;
  c.change();
  CHECK(c.owned_by(name) == 0);
  CHECK(encode(c.now).size() <= c.config.file_bytes_max);
  c.restart(name);
  c.change();
}

TEST_CASE("a drain is published though the file is full: the oldest moves are left out") {
  PlannedCluster c;
  c.add_many(6);
  c.round();
  c.config.file_bytes_max = encoded_bytes_max(c.now) + 50 * kMoveBytes;
  drain(c, "agg-000"), drain(c, "agg-001");
  Move newest = c.now.moved.back();
  CHECK(count(c.now, MoveCause::kDrain) >= 50);
  drain(c, "agg-002");
  CHECK(std::find(c.now.moved.begin(), c.now.moved.end(), newest) != c.now.moved.end());
  CHECK(std::is_sorted(c.now.moved.begin(), c.now.moved.end(),
                       [](const Move& a, const Move& b) { return a.at_s < b.at_s; }));
}

TEST_CASE("a death is published though not even its own moves have room in the file") {
  PlannedCluster c;
  c.add_many(6);
  c.round();
  c.config.file_bytes_max = encoded_bytes_max(c.now) + 10 * kMoveBytes;
  c.die("agg-003");
  c.change();
  CHECK(c.owned_by("agg-003") == 0);
  CHECK(encode(c.now).size() <= c.config.file_bytes_max);
  REQUIRE(!c.last.notes.empty());
  CHECK(c.last.notes.back() == "moved: 21 moves are left out, since the file is full");
}

TEST_CASE("what was moved for balance stays in a full file, so that the hour's budget holds, and balance waits") {
  PlannedCluster c;
  c.check_rest = false;
  c.add_many(6);
  c.round();
  c.load = [](uint64_t low, uint64_t high) { return 3 * key_share(low, high) * (low >> 61 == 0 ? 2 : 0.85); };
  c.round();
  size_t balanced = count(c.now, MoveCause::kBalance);
  REQUIRE(balanced > 0);
  c.config.file_bytes_max = encoded_bytes_max(c.now) + 50 * kMoveBytes;
  for (const char* name : {"agg-001", "agg-002", "agg-003"}) drain(c, name);
  c.rounds(20);
  c.load = [](uint64_t low, uint64_t high) { return 3 * key_share(low, high) * (low >> 61 == 7 ? 4 : 0.6); };
  c.rounds(10);
  CHECK(count(c.now, MoveCause::kBalance) == balanced);
  CHECK(c.last.notes == std::vector<std::string>{"balance: waits, since the file is nearly full"});
  c.rounds(130);
  CHECK(count(c.now, MoveCause::kBalance) > 0);
  CHECK(c.imbalance() < 1.11);
}

TEST_CASE("what moved lately is not merged, though the file is too full to say that it moved") {
  PlannedCluster c;
  c.config.slices_per_pod_initial = 16;
  c.config.standbys = false;
  c.add_many(4);
  c.round();
  Slices first = c.now.slices;
  c.config.slices_per_pod_initial = 4, c.config.slices_per_pod_min = 2;
  c.config.utilisation_min = 1e9;
  // The last pod is so cold that its slices would become few.
  c.load = [](uint64_t low, uint64_t high) { return key_share(low, high) * (low >> 62 == 3 ? 0.01 : 1); };
  c.config.file_bytes_max = encoded_bytes_max(c.now) + 3 * kMoveBytes;
  c.add("new");
  c.report("agg-003").state = PodState::kDraining;
  c.change();
  REQUIRE(c.owned_by("new") == 16);
  REQUIRE(count(c.now, MoveCause::kDrain) < 3);
  c.rounds(100);
  CHECK(c.owned_by("new") >= 16);
  c.rounds(30);
  CHECK(c.owned_by("new") < 16);
}

TEST_CASE("invariant I7: what moved is forgotten only where the file is full, and what balance moved never") {
  PlannedCluster c;
  c.add_many(3);
  c.round();
  PlanInput in = c.input();
  Assignment before = c.now, next = c.now;
  const Slices& s = before.slices;
  before.moved.push_back({s.low[8], s.low[9], c.now_s - 9, c.now_s, MoveCause::kDrain, "agg-001", "agg-000"});
  next.generation++;
  auto broken = [&] {
    std::vector<std::string> all = check_step(before, next, in, c.config);
    return all.empty() ? std::string() : all[0].substr(0, 2);
  };
  CHECK(broken() == "I7");
  c.config.file_bytes_max = encoded_bytes_max(next);
  CHECK(broken().empty());
  before.moved[0].cause = MoveCause::kBalance;
  CHECK(broken() == "I7");
}

}  // namespace
}  // namespace limpet
