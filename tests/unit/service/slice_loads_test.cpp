#include "service/slice_loads.h"

#include <doctest/doctest.h>

using namespace limpet;

namespace {

Assignment slices(uint64_t generation, std::vector<uint64_t> low, std::vector<uint32_t> owner) {
  Assignment a;
  a.generation = generation;
  a.pods = {{.name = "me", .incarnation = "1"}, {.name = "other", .incarnation = "1"}};
  a.slices.low = std::move(low);
  a.slices.owner = std::move(owner);
  a.slices.standby.assign(a.slices.low.size(), kNoPod);
  a.slices.since.assign(a.slices.low.size(), 1);
  a.slices.cutover_s.assign(a.slices.low.size(), 0);
  return a;
}

constexpr uint64_t kQuarter = uint64_t{1} << 62;

MonoTime at(double s) { return {static_cast<int64_t>(s * 1e9) + 1}; }

}  // namespace

TEST_CASE("samples and CPU of the slices add up to those of the process") {
  OwnershipTracker tracker("me");
  auto owned = tracker.adopt(slices(1, {0, kQuarter, 2 * kQuarter}, {0, 1, 0}), {});
  SliceLoads loads;
  loads.adopt(owned);
  std::vector<SliceWork> work(3);
  loads.add(work, 1.0, at(0));
  for (int i = 1; i <= 60; i++) {
    work[0].samples += 300, work[0].cost += 300;
    work[2].samples += 100, work[2].cost += 900;
    loads.add(work, 1.0 + 0.5 * i, at(i));
  }
  PodReport report;
  loads.describe({{7, 70}, {}, {9, 90}}, HotKeys(), report);
  REQUIRE(report.slices.size() == 2);
  CHECK(report.slices[0].low == 0);
  CHECK(report.slices[1].low == 2 * kQuarter);
  CHECK(report.slices[0].samples_per_s == doctest::Approx(300));
  CHECK(report.slices[1].samples_per_s == doctest::Approx(100));
  CHECK(report.slices[0].cpu == doctest::Approx(0.125));  // by cost
  CHECK(report.slices[1].cpu == doctest::Approx(0.375));
  CHECK(report.slices[1].groups == 9);
  CHECK(report.slices[1].state_bytes == 90);
  CHECK(report.cpu == doctest::Approx(0.5));
  CHECK(loads.samples_per_s() == doctest::Approx(400));
}

TEST_CASE("CPU time spent while no sample came is that of the slices whose samples came before") {
  OwnershipTracker tracker("me");
  SliceLoads loads;
  loads.adopt(tracker.adopt(slices(1, {0, kQuarter, 2 * kQuarter}, {0, 1, 0}), {}));
  std::vector<SliceWork> work(3);
  loads.add(work, 0, at(0));
  auto add = [&, cpu_s = 0.0](int i, double cpu) mutable { loads.add(work, cpu_s += cpu, at(2 * i)); };
  auto cpu_of_slices = [&] {
    PodReport report;
    loads.describe({}, HotKeys(), report);
    REQUIRE(report.slices.size() == 2);
    CHECK(report.slices[0].cpu + report.slices[1].cpu == doctest::Approx(report.cpu));
    return std::pair(report.slices[0].cpu, report.slices[1].cpu);
  };
  // Nothing ever came: by their shares of the key space.
  for (int i = 1; i <= 10; i++) add(i, 0.2);
  auto [idle_first, idle_last] = cpu_of_slices();
  CHECK(idle_first == doctest::Approx(0.1 / 3));
  CHECK(idle_last == doctest::Approx(0.2 / 3));
  // A burst every 10 s, most of the CPU time in between.
  for (int i = 11; i <= 200; i++) {
    if (i % 5 == 0) work[0].cost += 300, work[2].cost += 100;
    add(i, i % 5 == 0 ? 0.1 : 0.5);
  }
  auto [first, last] = cpu_of_slices();
  CHECK(first == doctest::Approx(3 * last).epsilon(0.01));
}

TEST_CASE("averages follow what changes with the half-life") {
  OwnershipTracker tracker("me");
  SliceLoads loads;
  loads.adopt(tracker.adopt(slices(1, {0}, {0}), {}));
  std::vector<SliceWork> work(1);
  loads.add(work, 0, at(0));
  for (int i = 1; i <= 300; i++) work[0].samples += 1000, loads.add(work, 0, at(i));
  for (int i = 301; i <= 330; i++) loads.add(work, 0, at(i));
  CHECK(loads.samples_per_s() == doctest::Approx(500).epsilon(0.01));
}

TEST_CASE("where slices are split, joined or given away their averages go with their share of the key space") {
  OwnershipTracker tracker("me");
  SliceLoads loads;
  loads.adopt(tracker.adopt(slices(1, {0, 2 * kQuarter}, {0, 0}), {}));
  std::vector<SliceWork> work(2);
  loads.add(work, 0, at(0));
  work[0].samples = 400, work[1].samples = 800;
  loads.add(work, 0, at(1));
  loads.adopt(tracker.adopt(slices(2, {0, kQuarter, 2 * kQuarter, 3 * kQuarter}, {0, 0, 0, 0}), {}));
  PodReport split;
  loads.describe({}, HotKeys(), split);
  REQUIRE(split.slices.size() == 4);
  CHECK(split.slices[1].samples_per_s == doctest::Approx(200));
  CHECK(split.slices[2].samples_per_s == doctest::Approx(400));
  loads.adopt(tracker.adopt(slices(3, {0, 3 * kQuarter}, {0, 0}), {}));
  PodReport joined;
  loads.describe({}, HotKeys(), joined);
  REQUIRE(joined.slices.size() == 2);
  CHECK(joined.slices[0].samples_per_s == doctest::Approx(800));
  CHECK(joined.slices[1].samples_per_s == doctest::Approx(400));
  loads.adopt(tracker.adopt(slices(4, {0, 3 * kQuarter}, {0, 1}), {}));
  CHECK(loads.samples_per_s() == doctest::Approx(800));
}

TEST_CASE("a key that makes a good part of the work is named, with its share") {
  OwnershipTracker tracker("me");
  SliceLoads loads;
  loads.adopt(tracker.adopt(slices(1, {0, 2 * kQuarter}, {0, 0}), {}));
  std::vector<SliceWork> work(2);
  loads.add(work, 0, at(0));
  work[0] = {900, 900}, work[1] = {100, 100};
  loads.add(work, 1, at(1));
  HotKeys hot;
  hot.add(5, 500);
  for (uint64_t key = 100; key < 600; key++) hot.add(key, 1);
  PodReport report;
  loads.describe({}, hot, report);
  REQUIRE(report.hot_keys.size() == 1);
  CHECK(report.hot_keys[0].key == 5);
  CHECK(report.hot_keys[0].samples_per_s == doctest::Approx(500));
  CHECK(report.hot_keys[0].cpu == doctest::Approx(0.5));
}
