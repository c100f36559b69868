// Balance: what is moved because of load, how much of it, and when nothing is.
#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "planned_cluster.h"
#include "sharding/key.h"

namespace limpet {
namespace {

// Keys with Zipf's weights, spread at random; load by range from running sums.
class ZipfLoad {
 public:
  ZipfLoad(size_t keys, double exponent, double total, uint64_t seed) {
    std::mt19937_64 r(seed);
    std::vector<std::pair<uint64_t, double>> all(keys);
    double sum = 0;
    for (size_t i = 0; i < keys; i++) {
      all[i] = {r(), 1 / std::pow(static_cast<double>(i + 1), exponent)};
      sum += all[i].second;
    }
    for (size_t i = 0; i < 2000 && i < keys; i++) hot_.push_back({all[i].first, all[i].second * total / sum});
    std::sort(all.begin(), all.end());
    sums_.push_back(0);
    for (const auto& [key, weight] : all) keys_.push_back(key), sums_.push_back(sums_.back() + weight * total / sum);
  }
  double of(uint64_t low, uint64_t high) const {
    auto at = [&](uint64_t key) { return std::lower_bound(keys_.begin(), keys_.end(), key) - keys_.begin(); };
    return sums_[high == 0 ? keys_.size() : static_cast<size_t>(at(high))] - sums_[static_cast<size_t>(at(low))];
  }
  double hottest() const { return hot_[0].second; }
  // Names the keys that make 1 % of a pod, of those that the pod owns.
  void name_hot_keys(PodReport& report, const Assignment& a) const {
    report.hot_keys.clear();
    double floor = 0.01 * sums_.back() / static_cast<double>(a.pods.size());
    for (const auto& [key, load] : hot_) {
      if (load < floor || report.hot_keys.size() >= 64) break;
      auto slice = std::upper_bound(a.slices.low.begin(), a.slices.low.end(), key) - a.slices.low.begin() - 1;
      if (a.slices.size() > 0 && a.pods[a.slices.owner[static_cast<size_t>(slice)]].name == report.name)
        report.hot_keys.push_back({.key = key, .samples_per_s = 1e4 * load, .cpu = load});
    }
  }

 private:
  std::vector<uint64_t> keys_;
  std::vector<double> sums_;
  std::vector<std::pair<uint64_t, double>> hot_;
};

struct Zipf {
  ZipfLoad load;
  PlannedCluster c;
  Zipf(size_t pods, size_t keys, double exponent, uint64_t seed)
      : load(keys, exponent, 0.5 * static_cast<double>(pods), seed) {
    c.check_rest = false;
    c.add_many(pods);
    c.load = [this](uint64_t low, uint64_t high) { return load.of(low, high); };
    c.adjust = [this](PodReport& report) { load.name_hot_keys(report, c.now); };
    c.round();
  }
  double floor() const {
    return std::max(1.0, load.hottest() / 0.5);  // of a pod with nothing but the hottest key, over the mean
  }
};

TEST_CASE("stationary load within the tolerance: no moves and no generation in 1000 rounds") {
  PlannedCluster c;
  c.add_many(40, 2);
  std::mt19937_64 r(1);
  c.load = [](uint64_t low, uint64_t high) {
    return 20 * key_share(low, high) * (1 + 0.5 * std::sin(static_cast<double>(low >> 52)));
  };
  c.rounds(60);  // whatever it wants to change first
  double churn = c.churn;
  size_t generations = c.generations;
  c.rounds(1000);
  CHECK(c.churn == churn);
  CHECK(c.generations == generations);
}

// Of 30 pods: some parts of the key space make more load than others.
double uneven(uint64_t low, uint64_t high) {
  return 15 * key_share(low, high) * (1 + 0.5 * std::sin(static_cast<double>(low >> 55)));
}

// Rates that jump by up to 20 % from one look to the next, in the averages that reports have: looks every 2 s,
// half-life 30 s. Each pod's whole measurement jumps, and each slice's again.
class Noise {
 public:
  explicit Noise(uint64_t seed) : r_(seed) {}
  void add_to(PodReport& report) {
    double pod = next(pods_[report.name]);
    for (SliceLoad& s : report.slices) s.cpu *= pod * next(slices_[s.low]);
  }

 private:
  struct Average {
    double value = 1;
  };
  double next(Average& average) {
    for (int look = 0; look < 15; look++) average.value += (jump_(r_) - average.value) * (1 - std::exp2(-2 / 30.0));
    return average.value;
  }
  std::mt19937_64 r_;
  std::uniform_real_distribution<double> jump_{0.8, 1.2};
  std::map<std::string, Average> pods_;
  std::map<uint64_t, Average> slices_;
};

TEST_CASE("20 % of noise moves at most 1 % of the key space an hour") {
  for (uint64_t seed = 1; seed <= 5; seed++) {
    PlannedCluster c;
    c.check_rest = false;
    c.add_many(30, 3);
    c.load = uneven;
    c.rounds(240);
    Noise noise(seed);
    c.adjust = [&](PodReport& report) { noise.add_to(report); };
    double churn = c.churn;
    c.rounds(10 * 120);
    MESSAGE("noise, seed ", seed, ": ", (c.churn - churn) / 10, " key spaces an hour");
    CHECK(c.churn - churn <= 10 * 0.01);
  }
}

TEST_CASE("20 % of noise of each slice in every report, not averaged, moves at most 1 % of the key space an hour") {
  PlannedCluster c;
  c.check_rest = false;
  c.add_many(30, 3);
  std::mt19937_64 r(1);
  std::uniform_real_distribution<double> noise(0.8, 1.2);
  c.adjust = [&](PodReport& report) {
    for (SliceLoad& s : report.slices) s.cpu *= noise(r);
  };
  c.load = uneven;
  c.rounds(240);
  double churn = c.churn;
  c.rounds(10 * 120);
  MESSAGE("noise of slices: ", (c.churn - churn) / 10, " key spaces an hour");
  CHECK(c.churn - churn <= 10 * 0.01);
}

TEST_CASE("Zipf 0.8, 100 pods, a million keys: within 1.05 of the floor in 20 rounds, and then at rest") {
  for (uint64_t seed : {1, 2, 3}) {
    Zipf z(100, 1'000'000, 0.8, seed);
    double begin = z.c.imbalance();
    int needed = 0;
    for (int i = 1; i <= 20; i++) {
      z.c.round();
      if (needed == 0 && z.c.imbalance() <= 1.05 * z.floor()) needed = i;
    }
    MESSAGE("Zipf 0.8, seed ", seed, ": ", begin, " -> ", z.c.imbalance(), ", floor ", z.floor(), ", after ", needed,
            " rounds, ", z.c.churn, " key spaces");
    CHECK(z.c.imbalance() <= 1.05 * z.floor());
    CHECK(needed > 0);
    z.c.rounds(130);
    double churn = z.c.churn;
    size_t generations = z.c.generations;
    z.c.rounds(200);
    CHECK(z.c.churn == churn);
    CHECK(z.c.generations == generations);
    CHECK(z.c.imbalance() <= 1.05 * z.floor());
  }
}

TEST_CASE("more skew: the floor is the hottest key") {
  for (double exponent : {1.0, 1.2}) {
    Zipf z(100, 200'000, exponent, 7);
    z.c.rounds(150);
    MESSAGE("Zipf ", exponent, ": ", z.c.imbalance(), ", floor ", z.floor(), ", ", z.c.churn, " key spaces");
    CHECK(z.c.imbalance() <= 1.05 * z.floor());
  }
}

// One hot pod of ten.
PlannedCluster hot_pod(double factor, double total = 5) {
  PlannedCluster c;
  c.add_many(10);
  c.round();
  uint64_t tenth = c.now.slices.low[32];
  c.load = [=](uint64_t low, uint64_t high) {
    return total * key_share(low, high) * (high != 0 && high <= tenth ? factor : 1);
  };
  return c;
}

TEST_CASE("balance keeps to the round's and the hour's budget, and says what it waits for") {
  PlannedCluster c = hot_pod(6);
  double first = c.churn;
  c.round();
  CHECK(c.churn - first <= c.config.round_budget + 1e-9);
  CHECK(c.churn - first > 0);
  double round = c.churn;
  c.step(5, true);
  CHECK(c.churn == round);
  c.config.hour_budget = 0.03;
  c.rounds(30);
  CHECK(c.churn - first <= 0.03 + 1e-9);
  // The hour's budget is read from the assignment: another sharder keeps to it, too.
  CHECK(c.last.notes == std::vector<std::string>{"balance: waits for the hour's budget"});
  c.rounds(125);
  CHECK(c.churn - first > 0.03);
}

TEST_CASE("nothing is moved for balance below 25 % utilisation") {
  PlannedCluster c = hot_pod(6, 0.3);
  double before = c.churn;
  c.rounds(10);
  CHECK(c.churn == before);
  REQUIRE(!c.last.notes.empty());
  CHECK(c.last.notes[0] == "balance: utilisation is low");
}

TEST_CASE("a slice that was moved for balance rests") {
  PlannedCluster c = hot_pod(6);
  c.round();
  std::vector<Move> first = c.now.moved;
  REQUIRE(!first.empty());
  // Now what was moved is what is hot.
  c.load = [&](uint64_t low, uint64_t high) {
    for (const Move& m : first)
      if (low >= m.low && high != 0 && high <= m.high) return 0.5;
    return 4 * key_share(low, high);
  };
  for (int i = 0; i < 9; i++) {
    c.round();
    for (size_t m = first.size(); m < c.now.moved.size(); m++)
      for (const Move& rests : first)
        CHECK((c.now.moved[m].low >= rests.high || rests.low >= c.now.moved[m].high ||
               c.now.moved[m].at_s - rests.at_s >= c.config.cooldown_s));
  }
}

TEST_CASE("a pod whose memory is nearly used up gains nothing by balance") {
  PlannedCluster c = hot_pod(6);
  for (int i = 1; i < 9; i++) {
    c.report(c.name_of(static_cast<size_t>(i))).memory_limit = 1000;
    c.report(c.name_of(static_cast<size_t>(i))).memory = 950;
  }
  std::vector<size_t> before;
  for (size_t i = 0; i < 10; i++) before.push_back(c.owned_by(c.name_of(i)));
  double churn = c.churn;
  c.rounds(4);
  CHECK(c.churn > churn);
  for (const Move& m : c.now.moved) CHECK((m.to == c.name_of(9) || m.to == c.name_of(0)));
}

TEST_CASE("pods get load by their weight and capacity") {
  PlannedCluster c;
  c.add_many(4);
  c.report(c.name_of(0)).weight = 2;
  c.report(c.name_of(1)).capacity = 2;
  c.load = [](uint64_t low, uint64_t high) { return 3 * key_share(low, high); };
  c.rounds(600);
  CHECK(c.share_of(c.name_of(0)) == doctest::Approx(1 / 3.0).epsilon(0.12));
  CHECK(c.share_of(c.name_of(1)) == doctest::Approx(1 / 3.0).epsilon(0.12));
  CHECK(c.share_of(c.name_of(3)) == doctest::Approx(1 / 6.0).epsilon(0.12));
}

TEST_CASE("without CPU times samples are balanced") {
  PlannedCluster c = hot_pod(4);
  c.adjust = [](PodReport& report) {
    for (SliceLoad& s : report.slices) s.cpu = 0;
  };
  CHECK(c.imbalance() > 2);
  c.rounds(150);
  CHECK(c.imbalance() < 1.15);
}

TEST_CASE("a hot key gets a slice of its own, which stays with its owner and is not cut") {
  PlannedCluster c;
  c.add_many(10);
  c.round();
  uint64_t key = c.now.slices.low[40] + 12345;
  auto load = [=](uint64_t low, uint64_t high) {
    return 5 * key_share(low, high) + (key >= low && (high == 0 || key < high) ? 0.6 : 0);
  };
  c.load = load;
  c.adjust = [&](PodReport& report) {
    report.hot_keys.clear();
    for (const SliceLoad& s : report.slices)
      if (s.cpu > 0.5) report.hot_keys.push_back({.key = key, .samples_per_s = 6000, .cpu = 0.6});
  };
  c.rounds(150);
  auto at = std::find(c.now.slices.low.begin(), c.now.slices.low.end(), key);
  REQUIRE(at != c.now.slices.low.end());
  auto slice = static_cast<size_t>(at - c.now.slices.low.begin());
  CHECK(c.now.slices.high(slice) == key + 1);
  CHECK(c.now.pods[c.now.slices.owner[slice]].name == c.name_of(1));
  // The others of that pod went; the target is that of the other nine.
  double owner = 0;
  for (size_t i = 0; i < c.now.slices.size(); i++)
    if (c.now.slices.owner[i] == c.now.slices.owner[slice]) owner += load(c.now.slices.low[i], c.now.slices.high(i));
  CHECK(owner < 0.68);
}

TEST_CASE("the last key of the key space, hot") {
  PlannedCluster c;
  c.add_many(4);
  c.round();
  c.load = [=](uint64_t low, uint64_t high) { return 2 * key_share(low, high) + (high == 0 ? 0.6 : 0); };
  c.adjust = [&](PodReport& report) {
    report.hot_keys.clear();
    for (const SliceLoad& s : report.slices)
      if (s.cpu > 0.5) report.hot_keys.push_back({.key = UINT64_MAX, .samples_per_s = 6000, .cpu = 0.6});
  };
  c.rounds(30);
  CHECK(c.now.slices.low.back() == UINT64_MAX);
}

TEST_CASE("hot slices are cut in two, cold neighbours become one again, and neither moves a key") {
  PlannedCluster c;
  c.config.slices_per_pod_initial = 8, c.config.slices_per_pod_min = 4;
  c.add_many(8);
  c.round();
  uint64_t half = uint64_t{1} << 63;
  c.load = [=](uint64_t low, uint64_t high) { return 4 * key_share(low, high) * (low % half < half / 16 ? 8 : 0.5); };
  c.rounds(100);
  CHECK(c.now.slices.size() > 64);
  for (const auto& [name, m] : c.members) CHECK(c.owned_by(name) <= c.config.slices_per_pod_max);
}

}  // namespace
}  // namespace limpet
