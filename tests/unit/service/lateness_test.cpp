#include "service/lateness.h"

#include <doctest/doctest.h>

using namespace limpet;

TEST_CASE("the grace that would have kept a share of the samples") {
  RuleLedger rule;
  rule.seen = 1000;
  CHECK(grace_needed_s(rule, 990) == 0);
  rule.lateness_s.add(3, 5);   // five samples, 3 s late
  rule.lateness_s.add(60, 6);  // six a minute late
  CHECK(grace_needed_s(rule, 980) == 0);
  CHECK(grace_needed_s(rule, 990) == doctest::Approx(3).epsilon(0.01));
  CHECK(grace_needed_s(rule, 994) == doctest::Approx(3).epsilon(0.01));
  CHECK(grace_needed_s(rule, 995) == doctest::Approx(60).epsilon(0.01));
  CHECK(grace_needed_s(rule, 1000) == doctest::Approx(60).epsilon(0.01));
}

TEST_CASE("what came too late, in words: samples, windows of others, or nothing") {
  RuleLedger rule;
  rule.seen = 1000;
  rule.lateness_s.add(3, 5);  // within the grace
  CHECK(lateness_text(rule).empty());
  rule.windows_missed = 12;
  CHECK(lateness_text(rule) == "samples came too late for 12 of their windows");
  rule.dropped[static_cast<size_t>(Drop::kLate)] = 5;
  CHECK(lateness_text(rule) == "0.5 % of the samples came too late, others for 12 of their windows");
  rule.windows_missed = 0;
  CHECK(lateness_text(rule) == "0.5 % of the samples came too late");
}

TEST_CASE("a grace is written as a rules file takes it, rounded up") {
  CHECK(grace_text(0) == "0s");
  CHECK(grace_text(0.0123) == "13ms");
  CHECK(grace_text(3) == "3s");
  CHECK(grace_text(3.01) == "3.1s");
  CHECK(grace_text(60) == "1m");
  CHECK(grace_text(130.2) == "2m11s");
  CHECK(grace_text(3601) == "1h1m");
  CHECK(grace_text(7200) == "2h");
}
