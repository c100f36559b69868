#include "window/functions/between.h"

#include <doctest/doctest.h>

#include "tests/unit/window/one_field.h"

namespace limpet {

constexpr const char* kBetween = R"("interval", "diff", "percent_change", "derivative", "non_negative_diff", "count")";
enum { kInterval, kDiff, kPercent, kDerivative, kNonNegative };

TEST_CASE("between the first and the last number by timestamp") {
  OneField f(kBetween);
  f.add(12.0, {5 * kSecondNs, 2});
  f.add(8.0, {kSecondNs, 1});
  f.add(100.0, {3 * kSecondNs, 3});
  CHECK(f.value(kInterval) == "4000000000i");
  CHECK(f.value(kDiff) == "4");
  CHECK(f.value(kPercent) == "50");
  CHECK(f.value(kDerivative) == "1");
  CHECK(f.value(kNonNegative) == "4");
}

TEST_CASE("between: absent below two numbers, strings and bools not counted") {
  OneField f(kBetween);
  f.add(std::string("x"), {1});
  f.add(8.0, {2});
  f.add(true, {3});
  for (size_t i : {kInterval, kDiff, kPercent, kDerivative, kNonNegative}) CHECK(f.value(i) == "absent");
  f.add(9.0, {4});
  CHECK(f.value(kInterval) == "2i");
  CHECK(f.value(kDiff) == "1");
}

TEST_CASE("between: a fall") {
  OneField f(kBetween);
  f.add(int64_t{10}, {0});
  f.add(int64_t{5}, {2 * kSecondNs});
  CHECK(f.value(kDiff) == "-5");
  CHECK(f.value(kPercent) == "-50");
  CHECK(f.value(kDerivative) == "-2.5");
  CHECK(f.value(kNonNegative) == "absent");
}

TEST_CASE("between: equal times have no derivative; ties go by arrival") {
  OneField f(kBetween);
  f.add(3.0, {7});
  f.add(1.0, {7});
  CHECK(f.value(kInterval) == "0i");
  CHECK(f.value(kDiff) == "-2");
  CHECK(f.value(kDerivative) == "absent");
}

TEST_CASE("percent_change: absent where the first is 0, of a negative first as the formula says") {
  for (const Value& zero : {Value(0.0), Value(-0.0), Value(int64_t{0}), Value(uint64_t{0})}) {
    OneField f(kBetween);
    f.add(zero, {0});
    f.add(1.0, {1});
    CHECK(f.value(kPercent) == "absent");
    CHECK(f.value(kDiff) == "1");
  }
  CHECK(OneField(kBetween).with({-4.0, -2.0}).value(kPercent) == "-50");
}

TEST_CASE("diff: two integers are subtracted as integers") {
  constexpr int64_t big = (int64_t{1} << 62) + 1;
  CHECK(OneField(kBetween).with({big, big + 2}).value(kDiff) == "2");
  CHECK(OneField(kBetween).with({INT64_MIN, UINT64_MAX}).real(kDiff) == 27670116110564327424.0);
  CHECK(OneField(kBetween).with({UINT64_MAX, uint64_t{0}}).real(kDiff) == -18446744073709551616.0);
  CHECK(OneField(kBetween).with({UINT64_MAX, UINT64_MAX - 1}).value(kNonNegative) == "absent");
}

TEST_CASE("derivative: divides by seconds, exactly where they are whole") {
  for (int64_t s : {3, 15, 29, 30, 60, 3600}) {
    OneField f(kBetween);
    f.add(0.0, {0});
    f.add(static_cast<double>(7 * s), {s * kSecondNs});
    CHECK(f.value(kDerivative) == "7");
  }
}

TEST_CASE("non_negative_diff: no change is no fall") {
  CHECK(OneField(kBetween).with({2.0, 2.0}).value(kNonNegative) == "0");
}

}  // namespace limpet
