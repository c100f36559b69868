#include "sketch/bounds_histogram.h"

#include <algorithm>
#include <set>
#include <vector>

#include "tests/unit/sketch/random_doubles.h"

namespace limpet::testing {

TEST_CASE("bounds are inclusive") {
  BoundsHistogram h;
  std::vector<double> bounds{0.1, 0.5, 1};
  for (double v : {0.1, 0.2, 0.5, 1.0, 2.0, -1.0}) h.add(bounds, v);
  CHECK(h.counts() == std::vector<uint64_t>{2, 2, 1, 1});
}

TEST_CASE("bounds histogram: against counting, with any bounds; merging adds") {
  Random r(1);
  for (int round = 0; round < 3000; round++) {
    std::set<double> unique;
    for (uint64_t n = r() % 40; n-- > 0;) unique.insert(any_double(r));
    const std::vector<double> bounds(unique.begin(), unique.end());
    std::vector<double> values(1 + r() % 40);
    BoundsHistogram h, a, b;
    for (double& v : values) {
      v = !bounds.empty() && r() % 2 ? bounds[r() % bounds.size()] : any_double(r);
      h.add(bounds, v), (r() % 2 ? a : b).add(bounds, v);
    }
    REQUIRE(h.counts().size() == bounds.size() + 1);
    uint64_t below = 0;
    for (size_t i = 0; i < bounds.size(); i++) {
      below += h.counts()[i];
      CHECK(below == static_cast<uint64_t>(std::ranges::count_if(values, [&](double v) { return v <= bounds[i]; })));
    }
    CHECK(below + h.counts().back() == values.size());
    a.merge(b);
    CHECK(a == h);
  }
}

TEST_CASE("bounds histogram: encoding") {
  Random r(2);
  auto decode = [](BoundsHistogram& h, Reader& in) { return h.decode(in, 3); };
  const std::vector<double> bounds{1, 2, 3};
  BoundsHistogram h;
  CHECK(h.empty());
  check_decoding(h, decode, r);
  for (int i = 0; i < 100; i++) {
    h.add(bounds, static_cast<double>(i % 5), r() % 1000);
    check_decoding(h, decode, r);
  }
  const std::string example = bytes_of_hex("01 04 02 00 01 ac02");  // FORMAT.md
  BoundsHistogram back, same;
  Reader in(example), other_bounds(example);
  CHECK(decode(back, in));
  same.add(bounds, 1, 2), same.add(bounds, 2.5), same.add(bounds, 4, 300);
  CHECK(back == same);
  CHECK_FALSE(back.decode(other_bounds, 4));
}

}  // namespace limpet::testing
