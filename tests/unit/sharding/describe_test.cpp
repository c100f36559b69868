#include "sharding/describe.h"

#include <doctest/doctest.h>

#include "tests/unit/sharding/assignments.h"

using namespace limpet;

TEST_CASE("an assignment as text") {
  CHECK(describe(some_assignment()) == R"(assignment of cluster default, generation 4182, 2025-11-20T12:00:00Z
cause: drain agg-17
pods: 2
  name    state     slices  keys      standby of  address        zone  host  revision  weight  incarnation  since
  agg-17  draining  2       99.902 %  0           10.0.3.4:8087  a     n12   5d9f      0.5     9b1c         2025-11-20T11:59:50Z
  agg-3   ready     1       0.098 %   2           10.0.3.5:8087  b     -     -         1       77aa         -
slices: 3
  low               high              keys      owner   standby  since  cutover
  0000000000000000  0040000000000000  0.098 %   agg-17  agg-3    4181   -
  0040000000000000  0080000000000000  0.098 %   agg-3   -        4182   2025-11-20T12:00:10Z
  0080000000000000  end               99.805 %  agg-17  agg-3    0      -
handoffs: 1
  low               high              from    incarnation  generation
  0040000000000000  0080000000000000  agg-17  9b1c         4182
moves of the last hour: 2
  low               high              keys      cause    from    to     at                    cutover
  0040000000000000  0080000000000000  0.098 %   drain    agg-17  agg-3  2025-11-20T12:00:00Z  2025-11-20T12:00:10Z
  0080000000000000  end               99.805 %  balance  -       -      2025-11-20T12:00:01Z  2025-11-20T12:00:01Z
)");
}

TEST_CASE("a report as text") {
  PodReport report = some_report();
  report.memory_limit = 0, report.generation = 0, report.slices.pop_back(), report.handoffs.clear();
  CHECK(describe(report) == R"(report of pod agg-1, ready, generation none yet
  incarnation  9b1c
  sequence     7
  started      2025-11-20T12:00:00Z
  address      10.0.3.4:8087
  zone         a
  host         n12
  revision     5d9f
  rules        0f3c
  weight       1.5
  cpu          0.25 of 2 s/s
  memory       50000000 of unknown bytes
slices: 1
  low               samples/s  cpu s/s  state bytes  groups
  0000000000000000  1200.5     0.1      40000        120
hot keys: 1
  key               samples/s  cpu s/s
  0000000000003fa1  900        0.07
handoffs: none
)");
}

TEST_CASE("what others wrote does not steer the terminal") {
  Assignment a = some_assignment();
  a.cluster = "a\x1b[2J", a.cause = {"b\nc"}, a.pods[0].zone = "\x7f";
  std::string text = describe(a);
  CHECK(text.starts_with("assignment of cluster a?[2J, "));
  CHECK(text.find("cause: b?c\n") != text.npos);
  CHECK(text.find('\x7f') == text.npos);
}
