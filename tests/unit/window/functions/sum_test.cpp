#include "window/functions/sum.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/window/one_field.h"

namespace limpet {

TEST_CASE("sum: a float, also of integers") {
  CHECK(OneField("\"sum\"").with({int64_t{2}, uint64_t{3}, 0.5}).value() == "5.5");
  CHECK(OneField("\"sum\"").with({int64_t{2}}).value() == "2");
}

TEST_CASE("sum: absent where only other types came") {
  OneField f("\"sum\", \"count\"");
  f.with({std::string("x"), true});
  CHECK(f.value(0) == "absent");
  CHECK(f.value(1) == "2i");
  CHECK_FALSE(OneField("\"sum\"").add(std::string("x")));
}

TEST_CASE("sum: what is small is not lost beside what is large") {
  CHECK(OneField("\"sum\"").with({1e16, 1.0, -1e16}).value() == "1");
  CHECK(OneField("\"sum\"").with({0.1, 0.2, -0.3}).real() == doctest::Approx(2.7755575615628914e-17).epsilon(1e-12));
}

TEST_CASE("sum: integers beyond 2^53 are added exactly") {
  constexpr int64_t big = (int64_t{1} << 60) + 1;
  CHECK(OneField("\"sum\"").with({big, -big, int64_t{7}}).value() == "7");
  CHECK(OneField("\"sum\"").with({UINT64_MAX, INT64_MIN, INT64_MIN}).value() == "-1");
}

TEST_CASE("sum: subnormals, zeros, and what overflows is not finite") {
  CHECK(OneField("\"sum\"").with({5e-324, 5e-324}).real() == 1e-323);
  CHECK_FALSE(std::signbit(OneField("\"sum\"").with({-0.0, -0.0}).real()));
  CHECK_FALSE(std::isfinite(OneField("\"sum\"").with({1e308, 1e308}).real()));
}

}  // namespace limpet
