#include "window/functions/min_max.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/window/one_field.h"

namespace limpet {

constexpr const char* kMinMaxRange = "\"min\", \"max\", \"range\"";

TEST_CASE("min, max, range: floats, of numbers only") {
  OneField f(kMinMaxRange);
  f.with({int64_t{3}, -1.5, uint64_t{10}});
  CHECK_FALSE(f.add(std::string("zzz")));
  CHECK(f.value(0) == "-1.5");
  CHECK(f.value(1) == "10");
  CHECK(f.value(2) == "11.5");
}

TEST_CASE("min, max, range: of one sample") {
  OneField f(kMinMaxRange);
  f.with({int64_t{7}});
  CHECK(f.value(0) == "7");
  CHECK(f.value(1) == "7");
  CHECK(f.value(2) == "0");
}

TEST_CASE("min, max, range: absent without a number") {
  OneField f("\"min\", \"max\", \"range\", \"count\"");
  f.with({true});
  for (size_t i : {0, 1, 2}) CHECK(f.value(i) == "absent");
}

TEST_CASE("min, max: it leaves no trace which zero came first") {
  CHECK(OneField("\"min\"").with({0.0, -0.0}).value() == OneField("\"min\"").with({-0.0, 0.0}).value());
  CHECK(OneField("\"max\"").with({0.0, -0.0}).value() == OneField("\"max\"").with({-0.0, 0.0}).value());
  CHECK(OneField("\"sum(min)\"").with({-0.0}).value() == "0");
}

TEST_CASE("min, max: the ends of what doubles hold") {
  OneField f(kMinMaxRange);
  f.with({5e-324, -1.7976931348623157e308, 1.7976931348623157e308});
  CHECK(f.real(0) == -1.7976931348623157e308);
  CHECK(f.real(1) == 1.7976931348623157e308);
  CHECK(std::isinf(f.real(2)));
  CHECK(OneField("\"min\"").with({1.0, 5e-324}).real() == 5e-324);
}

}  // namespace limpet
