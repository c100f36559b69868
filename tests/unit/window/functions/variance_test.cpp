#include "window/functions/variance.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/window/one_field.h"

namespace limpet {

TEST_CASE("variance, stddev: of the sample, with n - 1") {
  OneField f("\"variance\", \"stddev\"");
  f.with({2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0});
  CHECK(f.real(0) == doctest::Approx(32.0 / 7).epsilon(1e-15));
  CHECK(f.real(1) == doctest::Approx(std::sqrt(32.0 / 7)).epsilon(1e-15));
  CHECK(OneField("\"s2\"").with({int64_t{1}, int64_t{3}}).value() == "2");
  CHECK(OneField("\"stdev\"").with({int64_t{1}, uint64_t{3}}).real() == std::sqrt(2.0));
}

TEST_CASE("variance, stddev: absent below two numbers") {
  OneField f("\"variance\", \"stddev\", \"count\"");
  f.with({1.0, std::string("x"), true});
  CHECK(f.value(0) == "absent");
  CHECK(f.value(1) == "absent");
}

TEST_CASE("variance: large values close together do not cancel") {
  // Of the doubles nearest to these decimals: their difference is 1.00004673004150390625e-3 and no other.
  double step = (1e9 + 1e-3) - 1e9;
  CHECK(OneField("\"variance\"").with({1e9, 1e9 + 1e-3}).real() == doctest::Approx(step * step / 2).epsilon(1e-6));
  CHECK(OneField("\"variance\"").with({1e12, 1e12 + 1, 1e12 + 2}).real() == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("variance: integers beyond 2^53 enter with all their digits") {
  constexpr int64_t big = (int64_t{1} << 54) + 1;
  CHECK(OneField("\"variance\"").with({big, big + 1000, big + 2000}).real() == doctest::Approx(1e6).epsilon(1e-3));
}

TEST_CASE("variance: of equal numbers exactly 0") {
  for (double v : {0.1, 1 / 3.0, 1e9 + 0.1, -7e-5, 1e200, 1e308, 5e-324, 0.0}) {
    OneField f("\"variance\", \"stddev\"");
    for (int n = 0; n < 50; n++) {
      f.with({v});
      if (n == 0) continue;
      REQUIRE(f.value(0) == "0");
      REQUIRE(f.value(1) == "0");
    }
  }
}

TEST_CASE("variance: squares that overflow are not finite, never negative") {
  CHECK_FALSE(std::isfinite(OneField("\"variance\"").with({1e200, 2e200}).real()));
  OneField f("\"variance\"");
  for (int i = 0; i < 1000; i++) f.with({0.1, 0.1 + 1e-17 * i});
  CHECK(f.real() >= 0);
}

}  // namespace limpet
