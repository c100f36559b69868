#include "sketch/double_double.h"

#include <algorithm>
#include <vector>

#include "tests/unit/sketch/exact_sum.h"
#include "tests/unit/sketch/random_doubles.h"

namespace limpet::testing {
namespace {

bool is_near(const DoubleDouble& sum, ExactSum exact, double magnitudes) {
  exact.add(-sum.hi), exact.add(-sum.lo);
  return std::fabs(exact.value()) <= magnitudes * 0x1p-100;
}

// Numbers of all sizes up to 2^1000, so that sums stay finite.
double summand(Random& r) {
  double v;
  do v = any_double(r);
  while (std::fabs(v) > 0x1p1000);
  return v;
}

}  // namespace

TEST_CASE("double-double: the oracle is exact") {
  ExactSum sum;
  for (double v : {1e300, 1.0, 5e-324, -1e300, -1.0}) sum.add(v);
  CHECK(sum.value() == 5e-324);
  sum.add_product(3, -5);
  CHECK(sum.value() == -15.0);
}

TEST_CASE("double-double: a sum is within 2^-100 of the magnitudes that went into it, however it cancels") {
  Random r(1);
  for (int round = 0; round < 20'000; round++) {
    DoubleDouble sum, parts[3], merged;
    ExactSum exact;
    double magnitudes = 0;
    const bool close = r() % 2;
    std::vector<double> values(2 + r() % 20);
    for (double& v : values) v = close ? 1e9 + static_cast<double>(r() % 1000) / 8 : summand(r);
    if (r() % 2) {
      // What came goes again, but for the first.
      for (size_t i = values.size(); i-- > 1;) values.push_back(-values[i]);
    }
    for (double v : values) {
      sum.add(v), parts[r() % 3].add(v), exact.add(v);
      magnitudes += std::fabs(v);
    }
    for (const DoubleDouble& p : parts) merged.add(p);
    CHECK(is_near(sum, exact, magnitudes));
    CHECK(is_near(merged, exact, magnitudes));
    CHECK(sum.hi + sum.lo == sum.hi);
  }
}

TEST_CASE("double-double: split anywhere, merge in any order agrees to the last bit or the one before") {
  Random r(2);
  std::lognormal_distribution<double> values(0, 5);
  for (int round = 0; round < 200; round++) {
    DoubleDouble whole, parts[5], merged;
    for (int i = 0; i < 1000; i++) {
      double v = values(r) * (r() % 3 ? 1 : -1);
      whole.add(v), parts[r() % 5].add(v);
    }
    std::shuffle(std::begin(parts), std::end(parts), r);
    for (const DoubleDouble& p : parts) merged.add(p);
    CHECK(std::fabs(merged.value() - whole.value()) <= std::fabs(whole.value()) * 0x1p-52);
  }
}

TEST_CASE("double-double: what cancels leaves the small part") {
  DoubleDouble sum;
  for (double v : {1e30, 1.0, -1e30, 1e-10}) sum.add(v);
  CHECK(sum.value() == 1.0 + 1e-10);
  DoubleDouble merged{1, 0x1p-60};
  merged.add(DoubleDouble{-1, 0x1p-115});
  CHECK(merged == DoubleDouble{0x1p-60, 0x1p-115});
}

TEST_CASE("double-double: sums of integers are exact far beyond 2^53") {
  Random r(3);
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
  for (int64_t v : {INT64_MIN, INT64_MIN + 1, INT64_MAX, int64_t{1} << 53, (int64_t{1} << 53) + 1, int64_t{-1}}) {
    DoubleDouble one;
    one.add_int(v);
    CHECK(static_cast<int128>(one.hi) + static_cast<int128>(one.lo) == v);
  }
  DoubleDouble top;
  top.add_uint(UINT64_MAX);
  CHECK(static_cast<int128>(top.hi) + static_cast<int128>(top.lo) == UINT64_MAX);
}

TEST_CASE("double-double: products are exact while their low half is no subnormal, near overflow too") {
  Random r(4);
  for (int round = 0; round < 100'000; round++) {
    double a = any_double(r), b = any_double(r), p = a * b;
    if (!std::isfinite(p) || std::fabs(p) < 0x1p-960 || p == 0) continue;
    DoubleDouble product = DoubleDouble::product(a, b);
    ExactSum exact;
    exact.add_product(a, b);
    exact.add(-product.hi), exact.add(-product.lo);
    CHECK(exact.value() == 0);
    if (exact.value() != 0) MESSAGE(a << " " << b);
  }
}

TEST_CASE("double-double: a sum of squares tells apart what is close together") {
  DoubleDouble squares, sum;
  for (double v : {1e9, 1e9 + 1, 1e9 + 2}) squares.add_product(v, v), sum.add(v);
  squares.add(DoubleDouble::negated(sum.times(sum).over(3)));
  CHECK(squares.value() == 2.0);
}

TEST_CASE("double-double: beyond the range of a double it is not finite, and stays so") {
  DoubleDouble sum;
  sum.add(1.7e308), sum.add(1.7e308);
  CHECK(!std::isfinite(sum.value()));
  sum.add(-1.7e308), sum.add(DoubleDouble{1, 0});
  CHECK(!std::isfinite(sum.value()));
  CHECK(!std::isfinite(DoubleDouble::product(1e200, 1e200).value()));
  DoubleDouble back;
  std::string bytes = encoded(sum);
  Reader in(bytes);
  CHECK(back.decode(in));
  CHECK(!std::isfinite(back.value()));
}

TEST_CASE("double-double: encoding") {
  Random r(5);
  for (int round = 0; round < 1000; round++) {
    DoubleDouble sum;
    for (int i = 0; i < 10; i++) sum.add(summand(r));
    check_decoding(sum, r);
  }
  DoubleDouble sum;
  CHECK(decodes(sum, "000000000000f03f 000000000000303c"));  // FORMAT.md: 1 + 2^-60
  CHECK(sum == DoubleDouble{1, 0x1p-60});
  CHECK_FALSE(decodes(sum, "000000000000f03f 000000000000f03f"));  // 1 + 1: the low half is too great
  CHECK_FALSE(decodes(sum, "000000000000f03f 000000000000f87f"));  // 1 + NaN
}

}  // namespace limpet::testing
