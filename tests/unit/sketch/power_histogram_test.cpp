#include "sketch/power_histogram.h"

#include <algorithm>
#include <vector>

#include "tests/unit/sketch/random_doubles.h"

namespace limpet::testing {
namespace {

using Bounds = std::vector<std::pair<double, uint64_t>>;

Bounds bounds_of(const PowerHistogram& h) {
  Bounds got;
  h.for_each_bound([&](double bound, uint64_t n) { got.push_back({bound, n}); });
  return got;
}

// The definition, by search over all powers of two.
Bounds wanted_bounds(const std::vector<double>& values) {
  auto at_or_below = [&](double bound) {
    return static_cast<uint64_t>(std::ranges::count_if(values, [&](double v) { return v <= bound; }));
  };
  Bounds wanted;
  if (at_or_below(0)) wanted.push_back({0, at_or_below(0)});
  double smallest = INFINITY, largest = 0;
  for (double v : values)
    if (v > 0) smallest = std::min(smallest, v), largest = std::max(largest, v);
  if (largest == 0) return wanted;
  int low = -1074, high = 1023;
  while (low < 1023 && std::ldexp(1.0, low + 1) < smallest) low++;
  while (high > -1074 && std::ldexp(1.0, high - 1) > largest) high--;
  for (int k = low; k <= high; k++) wanted.push_back({std::ldexp(1.0, k), at_or_below(std::ldexp(1.0, k))});
  return wanted;
}

}  // namespace

TEST_CASE("power histogram: cumulative counts at the powers of two around the samples") {
  Random r(1);
  for (int round = 0; round < 5000; round++) {
    PowerHistogram h, a, b;
    std::vector<double> values(r() % 12);
    for (double& v : values) {
      v = r() % 3 ? static_cast<double>(r() % 1000) / 16 - 5 : any_double(r);
      h.add(v), (r() % 2 ? a : b).add(v);
    }
    CHECK(bounds_of(h) == wanted_bounds(values));
    CHECK(h.count() == values.size());
    a.merge(b);
    CHECK(a == h);
    CHECK(encoded(a) == encoded(h));
  }
}

TEST_CASE("power histogram: the ends of the range") {
  auto bounds = [](double v) {
    PowerHistogram h;
    h.add(v);
    return bounds_of(h);
  };
  CHECK(bounds(1) == Bounds{{0.5, 0}, {1, 1}, {2, 1}});
  CHECK(bounds(1.5) == Bounds{{1, 0}, {2, 1}});
  CHECK(bounds(0) == Bounds{{0, 1}});
  CHECK(bounds(-0.0) == Bounds{{0, 1}});
  CHECK(bounds(-7) == Bounds{{0, 1}});
  CHECK(bounds(5e-324) == Bounds{{5e-324, 1}, {1e-323, 1}});
  CHECK(bounds(1e-323) == Bounds{{5e-324, 0}, {1e-323, 1}, {2e-323, 1}});
  CHECK(bounds(0x1p-1022) == Bounds{{0x1p-1023, 0}, {0x1p-1022, 1}, {0x1p-1021, 1}});
  CHECK(bounds(0x1p1023) == Bounds{{0x1p1022, 0}, {0x1p1023, 1}});
  CHECK(bounds(1.7e308) == Bounds{{0x1p1023, 0}});
  CHECK(bounds_of(PowerHistogram()).empty());
}

TEST_CASE("power histogram: merged with itself and with nothing") {
  PowerHistogram h;
  h.add(3, 2), h.add(-1), h.add(100, 0);
  h.merge(PowerHistogram());
  CHECK(h.count() == 3);
  h.merge(h);
  CHECK(h.count() == 6);
  CHECK(bounds_of(h) == Bounds{{0, 2}, {2, 2}, {4, 6}});
}

TEST_CASE("power histogram: encoding") {
  Random r(2);
  for (int round = 0; round < 300; round++) {
    PowerHistogram h;
    for (uint64_t n = r() % 20; n-- > 0;) h.add(any_double(r), 1 + r() % 1000);
    check_decoding(h, r);
  }
  PowerHistogram h, same;
  for (double v : {0.0, 3.0, 4.0}) same.add(v);
  CHECK(decodes(h, "01 01 0000000000001040 01 04 02"));  // FORMAT.md
  CHECK(h == same);
  CHECK(encoded(same) == bytes_of_hex("01 01 0000000000001040 01 04 02"));
  CHECK_FALSE(decodes(h, "02 01 0000000000001040 01 04 02"));        // a later version
  CHECK_FALSE(decodes(h, "01 01 0000000000000000 01 04 02"));        // the largest number is not there
  CHECK_FALSE(decodes(h, "01 01 0000000000001440 01 04 02"));        // nor in the last bucket
  CHECK_FALSE(decodes(h, "01 01 0000000000001040 00"));              // a largest number and none
  CHECK_FALSE(decodes(h, "01 01 0000000000001040 02 04 02 04 02"));  // the same power twice
  CHECK_FALSE(decodes(h, "01 01 0000000000001040 01 04 00"));        // no count
  CHECK_FALSE(decodes(h, "01 01 0000000000001040 01 8210 02"));      // 2^1025
}

}  // namespace limpet::testing
