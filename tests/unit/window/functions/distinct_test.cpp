#include "window/functions/distinct.h"

#include <doctest/doctest.h>

#include "tests/unit/window/one_field.h"

namespace limpet {

TEST_CASE("distinct: numbers equal by value are one, whatever their type") {
  OneField f("\"distinct\"");
  f.with({1.0, int64_t{1}, uint64_t{1}, 0.0, -0.0, int64_t{0}});
  CHECK(f.value() == "2i");
  f.with({1.5, int64_t{-1}, -1.0});
  CHECK(f.value() == "4i");
}

TEST_CASE("distinct: integers that differ only beyond a double's digits are two") {
  constexpr int64_t big = int64_t{1} << 53;
  CHECK(OneField("\"distinct\"").with({big, big + 1, static_cast<double>(big)}).value() == "2i");
  CHECK(OneField("\"distinct\"").with({INT64_MAX, 9223372036854775808.0, uint64_t{1} << 63}).value() == "2i");
}

TEST_CASE("distinct: a number, a string and a bool are never the same") {
  CHECK(OneField("\"distinct\"").with({1.0, std::string("1"), true, std::string("true"), std::string()}).value() ==
        "5i");
}

TEST_CASE("distinct: exact while few") {
  OneField f("\"distinct\"");
  for (int64_t i = 1; i <= 64; i++) {
    f.with({i, i});
    CHECK(f.value() == fmt::format("{}i", i));
  }
}

TEST_CASE("distinct: within a few per cent when many") {
  OneField f("\"distinct\"");
  for (int64_t i = 0; i < 20000; i++) f.with({i});
  auto n = std::stod(f.value());
  CHECK(n == doctest::Approx(20000).epsilon(0.08));  // five standard errors
}

TEST_CASE("count_series: different series, of samples of every type") {
  OneField f("\"count_series\"");
  CHECK(f.value() == "absent");
  f.add(1.0, {1, 10});
  f.add(std::string("x"), {2, 20});
  f.add(2.0, {3, 10});
  CHECK(f.value() == "2i");
}

}  // namespace limpet
