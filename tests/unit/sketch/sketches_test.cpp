#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "sketch/bounds_histogram.h"
#include "sketch/double_double.h"
#include "sketch/hyperloglog.h"
#include "sketch/power_histogram.h"
#include "sketch/value_hash.h"

namespace limpet {
namespace {

template <typename T>
std::string encoded(const T& value) {
  std::string out;
  Writer writer(out);
  value.encode(writer);
  return out;
}

uint64_t mixed(uint64_t i) { return hash_of(i * 0x9E3779B97F4A7C15); }

}  // namespace

TEST_CASE("double-double: sums of integers are exact far beyond 2^53") {
  std::mt19937_64 r(1);
  DoubleDouble sum;
  int128 exact = 0;
  for (int i = 0; i < 100'000; i++) {
    if (r() % 2) {
      auto v = static_cast<int64_t>(r());
      sum.add_int(v), exact += v;
    } else {
      uint64_t v = r();
      sum.add_uint(v), exact += v;
    }
  }
  CHECK(sum.value() == static_cast<double>(exact));
  CHECK(static_cast<int128>(sum.hi) + static_cast<int128>(sum.lo) == exact);
}

TEST_CASE("double-double: what cancels leaves the small part") {
  DoubleDouble sum;
  for (double v : {1e30, 1.0, -1e30, 1e-10}) sum.add(v);
  CHECK(sum.value() == 1.0 + 1e-10);
  CHECK(DoubleDouble::product(1e8 + 1, 1e8 - 1).hi + DoubleDouble::product(1e8 + 1, 1e8 - 1).lo == 9999999999999999.0);
  DoubleDouble huge;
  huge.add(1.7e308), huge.add(1.7e308);
  CHECK(!std::isfinite(huge.value()));
}

TEST_CASE("double-double: split anywhere, merge in any order agrees to the last bit or the one before") {
  std::mt19937_64 r(2);
  std::lognormal_distribution<double> values(0, 5);
  for (int round = 0; round < 100; round++) {
    DoubleDouble whole, parts[5], merged;
    for (int i = 0; i < 1000; i++) {
      double v = values(r) * (r() % 3 ? 1 : -1);
      whole.add(v), parts[r() % 5].add(v);
    }
    for (const DoubleDouble& p : parts) merged.add(p);
    CHECK(std::fabs(merged.value() - whole.value()) <= std::fabs(whole.value()) * 3e-16);
  }
}

TEST_CASE("HyperLogLog: exact while few, within five standard errors later, order leaves no trace") {
  for (uint64_t n : {0, 1, 63, 64, 256, 257, 300, 1000, 4096, 20'000, 300'000}) {
    HyperLogLog all, even, odd;
    for (uint64_t i = 0; i < n; i++) {
      all.add(mixed(i)), all.add(mixed(i));
      (i % 2 ? odd : even).add(mixed(i));
    }
    if (n <= 256) CHECK(all.estimate() == n);
    CHECK(std::fabs(static_cast<double>(all.estimate()) - static_cast<double>(n)) <=
          5 * 0.0163 * static_cast<double>(n));
    odd.merge(even);
    CHECK(odd == all);
    HyperLogLog back;
    std::string bytes = encoded(all);
    Reader reader(bytes);
    CHECK(back.decode(reader));
    CHECK(back == all);
  }
}

TEST_CASE("HyperLogLog: the standard error is at most 2 %") {
  double squares = 0;
  constexpr int kRuns = 60;
  for (uint64_t run = 0; run < kRuns; run++) {
    HyperLogLog h;
    for (uint64_t i = 0; i < 20'000; i++) h.add(mixed(run * 1'000'003 + i));
    double error = static_cast<double>(h.estimate()) / 20'000 - 1;
    squares += error * error;
  }
  CHECK(std::sqrt(squares / kRuns) <= 0.02);
}

TEST_CASE("values that are equal numbers hash alike, other kinds differ") {
  CHECK(hash_of(int64_t{1}) == hash_of(uint64_t{1}));
  CHECK(hash_of(int64_t{1}) == hash_of(1.0));
  CHECK(hash_of(-0.0) == hash_of(int64_t{0}));
  CHECK(hash_of(uint64_t{1} << 63) == hash_of(0x1p63));
  CHECK(hash_of(int64_t{-5}) == hash_of(-5.0));
  CHECK(hash_of(int64_t{-1}) != hash_of(~uint64_t{0}));
  CHECK(hash_of(true) != hash_of(int64_t{1}));
  CHECK(hash_of(std::string_view("1")) != hash_of(int64_t{1}));
  CHECK(hash_of(0.5) != hash_of(int64_t{0}));
}

TEST_CASE("power histogram: cumulative counts at the powers of two around the samples") {
  std::mt19937_64 r(3);
  for (int round = 0; round < 200; round++) {
    PowerHistogram h, a, b;
    std::vector<double> values(1 + r() % 20);
    for (double& v : values) {
      v = r() % 4 == 0 ? std::ldexp(1.0, static_cast<int>(r() % 2098) - 1074)
                       : static_cast<double>(r() % 1000) / 16 - 5;
      h.add(v), (r() % 2 ? a : b).add(v);
    }
    std::map<double, uint64_t> got;
    h.for_each_bound([&](double bound, uint64_t n) { got[bound] = n; });
    double lowest = INFINITY, highest = 0;
    for (double v : values)
      if (v > 0) lowest = std::min(lowest, v), highest = std::max(highest, v);
    for (const auto& [bound, n] : got) {
      CHECK(n ==
            static_cast<uint64_t>(std::count_if(values.begin(), values.end(), [&](double v) { return v <= bound; })));
      if (bound > 0) CHECK((bound * 2 >= lowest || bound == 5e-324));
      if (bound > 0) CHECK(bound / 2 <= highest);
    }
    if (highest > 0 && highest < 0x1p1023) CHECK(got.rbegin()->first > highest);
    CHECK(got.contains(0) == std::any_of(values.begin(), values.end(), [](double v) { return v <= 0; }));
    a.merge(b);
    CHECK(a == h);
    PowerHistogram back;
    std::string bytes = encoded(h);
    Reader reader(bytes);
    CHECK(back.decode(reader));
    CHECK(back == h);
  }
}

TEST_CASE("bounds are inclusive") {
  BoundsHistogram h;
  std::vector<double> bounds{0.1, 0.5, 1};
  for (double v : {0.1, 0.2, 0.5, 1.0, 2.0, -1.0}) h.add(bounds, v);
  CHECK(h.counts() == std::vector<uint64_t>{2, 2, 1, 1});
}

}  // namespace limpet
