#include "service/pacer.h"

#include <doctest/doctest.h>

#include <vector>

using namespace limpet;

namespace {

// Lines that get through within `span_ns` if as many as possible are always waiting.
size_t lines_in(Pacer& pacer, MonoTime& now, int64_t span_ns) {
  size_t lines = 0;
  for (MonoTime end{now.ns + span_ns}; now < end;) {
    size_t n = pacer.allowance(now);
    pacer.took(n);
    lines += n;
    now.ns += std::max<int64_t>(pacer.wait_ns(now), kMillisecondNs);
  }
  return lines;
}

}  // namespace

TEST_CASE("results flow at the configured pace, whatever waits") {
  MonoTime now{1000};
  Pacer pacer(20'000, now);
  size_t lines = lines_in(pacer, now, 10 * kSecondNs);
  CHECK(lines >= 198'000);
  CHECK(lines <= 202'000);
}

TEST_CASE("after a pause there is only a small burst") {
  MonoTime now{1000};
  Pacer pacer(20'000, now);
  now.ns += kHourNs;
  CHECK(pacer.allowance(now) <= 1000);
}

TEST_CASE("the pace rises with what the rules need and falls back") {
  MonoTime now{1000};
  Pacer pacer(20'000, now);
  pacer.set_needed(100'000);
  size_t lines = lines_in(pacer, now, kSecondNs);
  CHECK(lines >= 98'000);
  CHECK(lines <= 106'000);
  pacer.set_needed(5);
  CHECK(pacer.lines_per_s() == 20'000);
}

TEST_CASE("no pace: everything at once") {
  MonoTime now{1000};
  Pacer pacer(0, now);
  pacer.set_needed(1e9);
  CHECK(pacer.allowance(now) == SIZE_MAX);
  CHECK(pacer.lines_per_s() == 0);
}

TEST_CASE("the wait leads to lines that may be written") {
  MonoTime now{1000};
  for (double rate : {0.5, 1.0, 37.0, 20'000.0, 5e6}) {
    Pacer pacer(rate, now);
    for (int i = 0; i < 100; i++) {
      pacer.took(pacer.allowance(now));
      int64_t wait_ns = pacer.wait_ns(now);
      REQUIRE(wait_ns > 0);
      now.ns += wait_ns + 1;
      REQUIRE(pacer.allowance(now) >= 1);
    }
  }
}

TEST_CASE("a clock that steps back gives nothing away") {
  Pacer pacer(1000, {kHourNs});
  pacer.took(pacer.allowance({kHourNs}));
  CHECK(pacer.allowance({0}) == 0);
}

TEST_CASE("what rules need together finishes each before its next window") {
  std::vector<RulePace> rules = {{60'000, kMinuteNs}, {10, kSecondNs}};
  CHECK(needed_pace(rules) == doctest::Approx(1.25 * 1010));
}
