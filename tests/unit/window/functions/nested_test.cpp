#include "window/functions/nested.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/window/one_field.h"

namespace limpet {

namespace {

// Two samples each of series 1 (1, 5) and 2 (10, 4), one of series 3 (7); series 4 has only a string.
OneField& three_series(OneField& f) {
  f.add(5.0, {20, 1, 4.0});
  f.add(1.0, {10, 1, 0.0});
  f.add(10.0, {10, 2, 0.0});
  f.add(4.0, {20, 2, 8.0});
  f.add(int64_t{7}, {15, 3, 0.0});
  f.add(std::string("up"), {15, 4, std::nullopt});
  return f;
}

std::string value(const char* function, int64_t period_ns = kMinuteNs) {
  OneField f('"' + std::string(function) + '"', period_ns);
  return three_series(f).value();
}

}  // namespace

TEST_CASE("nested: INNER per series, then sum over series") {
  CHECK(value("sum(last)") == "16");
  CHECK(value("sum(first)") == "18");
  CHECK(value("sum(min)") == "12");
  CHECK(value("sum(max)") == "22");
  CHECK(value("sum(sum)") == "27");
  CHECK(value("sum(mean)") == "17");
  CHECK(value("sum(range)") == "10");
  CHECK(value("sum(increase)") == "12");
  CHECK(value("sum(rate)", 2 * kSecondNs) == "6");
}

TEST_CASE("nested: OUTER over the values of the series") {
  CHECK(value("min(last)") == "4");
  CHECK(value("max(last)") == "7");
  CHECK(value("mean(max)") == fmt::format("{}", 22.0 / 3));
  CHECK(value("p50(last)") == "5");
  CHECK(value("p100(last)") == "7");
}

TEST_CASE("nested: quantiles over series are exact") {
  OneField f("\"p50(last)\", \"p99.9(last)\", \"p0(last)\"");
  for (uint64_t s = 1; s <= 1001; s++) f.add(static_cast<double>(s) + 0.125, {1, s});
  CHECK(f.value(0) == "501.125");
  CHECK(f.value(1) == "1000.125");
  CHECK(f.value(2) == "1.125");
}

TEST_CASE("nested: count takes values of any type where INNER does") {
  CHECK(value("count(last)") == "4i");
  CHECK(value("count(first)") == "4i");
  CHECK(value("count(count)") == "4i");
  CHECK(value("count(max)") == "3i");
  CHECK(value("count(increase)") == "3i");
  CHECK(value("sum(count)") == "6");
}

TEST_CASE("nested: a numeric OUTER takes the last number where a string came later") {
  OneField f("\"sum(last)\", \"count(last)\"");
  f.add(3.0, {1, 1});
  f.add(std::string("down"), {2, 1});
  CHECK(f.value(0) == "3");
  CHECK(f.value(1) == "1i");
}

TEST_CASE("nested: stddev of the series' values with n - 1, absent below two") {
  OneField f("\"stddev(last)\"");
  f.add(1.0, {1, 1});
  f.add(9.0, {2, 1});
  CHECK(f.value() == "absent");
  f.add(3.0, {1, 2});
  CHECK(f.real() == doctest::Approx(std::sqrt(18.0)).epsilon(1e-15));
}

TEST_CASE("nested: first and last by timestamp, ties by arrival") {
  OneField f("\"sum(first)\", \"sum(last)\"");
  f.add(1.0, {5, 1});
  f.add(2.0, {5, 1});
  CHECK(f.value(0) == "1");
  CHECK(f.value(1) == "2");
}

TEST_CASE("nested: absent where no series has a value") {
  OneField f("\"sum(last)\", \"sum(rate)\", \"count(range)\", \"count\"");
  f.add(std::string("x"), {1, 1});
  for (size_t i : {0, 1, 2}) CHECK(f.value(i) == "absent");
}

TEST_CASE("nested: two on one field keep to themselves") {
  OneField f("\"sum(last)\", \"sum(max)\", \"histogram(1)\", \"count_series\"");
  three_series(f);
  CHECK(f.value(0) == "16");
  CHECK(f.value(1) == "22");
  CHECK(f.value(3) == "4i");
}

TEST_CASE("nested: rate divides by the whole seconds of the period") {
  OneField f("\"sum(rate)\"", kMinuteNs);
  f.add(1.0, {1, 1, 180.0});
  CHECK(f.value() == "3");
}

}  // namespace limpet
