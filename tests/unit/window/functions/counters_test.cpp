#include "window/functions/counters.h"

#include <doctest/doctest.h>

#include "tests/unit/window/one_field.h"

namespace limpet {

constexpr const char* kCounters = R"("increase", "rate", "total")";

TEST_CASE("increase, rate, total: summed over series and samples") {
  OneField f(kCounters, kMinuteNs);
  f.add(uint64_t{1000}, {1, 1, 30.0});
  f.add(uint64_t{500}, {2, 2, 90.0});
  f.total(1234);
  CHECK(f.value(0) == "120");
  CHECK(f.value(1) == "2");
  CHECK(f.value(2) == "1234");
}

TEST_CASE("increase, rate: a starting value is a counter sample that adds nothing") {
  OneField f(kCounters);
  f.add(5.0, {1, 1, 0.0});
  CHECK(f.value(0) == "0");
  CHECK(f.value(1) == "0");
}

TEST_CASE("increase, rate, total: absent without a counter sample") {
  OneField f(R"("increase", "rate", "total", "count")");
  f.total(99);
  f.add(5.0, {1, 1, std::nullopt});
  f.add(std::string("x"), {1, 1, std::nullopt});
  for (size_t i : {0, 1, 2}) CHECK(f.value(i) == "absent");
  CHECK(f.value(3) == "2i");
}

TEST_CASE("increase: a sample out of order is taken by nobody") {
  OneField f(kCounters);
  CHECK_FALSE(f.add(5.0, {1, 1, std::nullopt}));
  CHECK_FALSE(f.add(true, {1, 1, std::nullopt}));
  CHECK(f.cells().core.empty());
}

TEST_CASE("rate: divides by the seconds of the period, exactly where they are whole") {
  for (int64_t s : {1, 10, 15, 30, 60, 300, 3600}) {
    OneField f(kCounters, s * kSecondNs);
    f.add(1.0, {1, 1, static_cast<double>(3 * s)});
    CHECK(f.value(1) == "3");
  }
  OneField half(kCounters, 1500 * kMillisecondNs);
  half.add(1.0, {1, 1, 3.0});
  CHECK(half.value(1) == "2");
}

}  // namespace limpet
