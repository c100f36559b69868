#include "window/functions/mean.h"

#include <doctest/doctest.h>

#include <random>

#include "tests/unit/window/one_field.h"

namespace limpet {

TEST_CASE("mean: sum / count of the numbers") {
  CHECK(OneField("\"mean\"").with({int64_t{1}, 2.0, uint64_t{6}}).value() == "3");
  CHECK(OneField("\"mean\", \"count\"").with({4.0, std::string("x")}).value() == "4");
  CHECK(OneField("\"mean\", \"count\"").with({std::string("x")}).value() == "absent");
}

TEST_CASE("mean: of equal numbers it is that number, to the last digit") {
  for (int tenths = 1; tenths < 200; tenths++) {
    double v = tenths / 10.0;
    CoreCell core;
    for (uint64_t n = 1; n <= 60; n++) {
      core.add(Number::of(v));
      REQUIRE(functions::mean_of(core.sum, n) == v);
    }
  }
}

TEST_CASE("mean: the ends of what doubles hold") {
  constexpr double largest = 1.7976931348623157e308;
  CHECK(OneField("\"mean\"").with({largest}).real() == largest);
  CHECK(OneField("\"mean\"").with({5e-324, 5e-324, 5e-324}).real() == 5e-324);
  CHECK(functions::mean_of({largest, 0}, 3) == doctest::Approx(largest / 3).epsilon(1e-15));
}

TEST_CASE("mean: lies between min and max") {
  std::mt19937_64 r(1);
  for (int round = 0; round < 2000; round++) {
    CoreCell core;
    double base = static_cast<double>(r() >> 11) / 7;
    for (uint64_t n = 1 + r() % 9; n > 0; n--) core.add(Number::of(base + static_cast<double>(r() % 3)));
    double mean = functions::mean_of(core.sum, core.numbers);
    REQUIRE(mean >= core.min);
    REQUIRE(mean <= core.max);
  }
}

}  // namespace limpet
