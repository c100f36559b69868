#include "load_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "sharding/planner.h"

using namespace limpet;
using namespace limpet::sim;

namespace {

Assignment two_pods(std::vector<uint64_t> low) {
  Assignment a;
  a.generation = 7;
  a.pods.push_back({.name = "a"}), a.pods.push_back({.name = "b"});
  for (size_t i = 0; i < low.size(); i++)
    a.slices.owner.push_back(i % 2), a.slices.standby.push_back(kNoPod), a.slices.since.push_back(7),
        a.slices.cutover_s.push_back(0);
  a.slices.low = std::move(low);
  return a;
}

PodReport report_of(std::string name) {
  PodReport r;
  r.name = std::move(name);
  return r;
}

}  // namespace

TEST_CASE("keys are sorted, each once, and every rank has one") {
  Keys keys = make_keys(1000, 3);
  CHECK(std::is_sorted(keys.place.begin(), keys.place.end()));
  CHECK(std::adjacent_find(keys.place.begin(), keys.place.end()) == keys.place.end());
  std::vector<uint32_t> ranks = keys.rank, expected(1000);
  std::sort(ranks.begin(), ranks.end());
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(ranks == expected);
  CHECK(make_keys(1000, 3).place == keys.place);
  CHECK(make_keys(1000, 4).place != keys.place);
}

TEST_CASE("loads follow Zipf's law and add up to one") {
  Keys keys = make_keys(1'000'000, 1);
  for (auto [exponent, hottest] : {std::pair{0.0, 1e-6}, {0.8, 0.0134}, {1.0, 0.0695}, {1.2, 0.1895}}) {
    LoadModel model(keys, exponent);
    CHECK(model.hottest() == doctest::Approx(hottest).epsilon(0.005));
    CHECK(model.sum(0, keys.size()) == doctest::Approx(1));
    size_t at = static_cast<size_t>(std::find(keys.rank.begin(), keys.rank.end(), 0u) - keys.rank.begin());
    CHECK(model.loads()[at] == doctest::Approx(model.hottest()));
  }
  CHECK(LoadModel(keys, 1.0).floor(100) == doctest::Approx(6.95).epsilon(0.005));
  CHECK(LoadModel(keys, 0.8).floor(10) == 1);
}

TEST_CASE("the first keys of slices are those that a search finds") {
  Keys keys = make_keys(500, 9);
  Assignment a = two_pods({0, 1, keys.place[10], keys.place[10] + 1, 1ull << 63, UINT64_MAX});
  std::vector<size_t> first = first_keys(a.slices, keys);
  REQUIRE(first.size() == a.slices.size() + 1);
  for (size_t i = 0; i < a.slices.size(); i++) {
    auto below = std::count_if(keys.place.begin(), keys.place.end(), [&](uint64_t k) { return k < a.slices.low[i]; });
    CHECK(first[i] == static_cast<size_t>(below));
  }
  CHECK(first.back() == keys.size());
}

TEST_CASE("reports hold all the load, and name the keys that are hot") {
  Keys keys = make_keys(10'000, 2);
  LoadModel model(keys, 1.0);
  Assignment a = two_pods({0, 1ull << 62, 1ull << 63, 3ull << 62});
  std::vector<PodReport> reports = {report_of("b"), report_of("a"), report_of("stranger")};
  report_loads(model, 8, a, reports);
  CHECK(reports[0].cpu + reports[1].cpu == doctest::Approx(8));
  CHECK(reports[2].cpu == 0);
  CHECK(reports[2].slices.empty());
  for (const PodReport& r : std::span(reports).first(2)) {
    CHECK(r.generation == 7);
    REQUIRE(r.slices.size() == 2);
    CHECK(r.slices[0].cpu + r.slices[1].cpu == doctest::Approx(r.cpu));
    CHECK(!r.hot_keys.empty());
    CHECK(r.hot_keys.size() <= 100);
    for (size_t i = 1; i < r.hot_keys.size(); i++) CHECK(r.hot_keys[i - 1].cpu >= r.hot_keys[i].cpu);
  }
  double hottest = std::max(reports[0].hot_keys[0].cpu, reports[1].hot_keys[0].cpu);
  CHECK(hottest == doctest::Approx(8 * model.hottest()));
}
