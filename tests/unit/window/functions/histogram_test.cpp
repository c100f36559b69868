#include "window/functions/histogram.h"

#include <doctest/doctest.h>

#include "tests/unit/window/one_field.h"

namespace limpet {

TEST_CASE("histogram(bounds): cumulative, inclusive, +Inf last") {
  OneField f("\"histogram(0.1, 0.5, 1, 5)\"");
  f.with({0.1, 0.10000000000000002, 0.5, int64_t{1}, uint64_t{7}, -3.0});
  CHECK(f.buckets() == "le=0.1 2, le=0.5 4, le=1 5, le=5 5, le=+Inf 6");
}

TEST_CASE("histogram(bounds): bounds as decimals without exponent") {
  OneField f("\"histogram(-2.5, 0, 1e-7, 1e21)\"");
  f.with({-2.5, 0.0, 1.0});
  CHECK(f.buckets() == "le=-2.5 1, le=0 2, le=0.0000001 2, le=1000000000000000000000 3, le=+Inf 3");
}

TEST_CASE("histogram: powers of two from below the smallest to above the largest") {
  CHECK(OneField("\"histogram\"").with({3.0}).buckets() == "le=2 0, le=4 1, le=+Inf 1");
  CHECK(OneField("\"histogram\"").with({1.0, 5.0}).buckets() == "le=0.5 0, le=1 1, le=2 1, le=4 1, le=8 2, le=+Inf 2");
}

TEST_CASE("histogram: a power of two is strictly between its bounds") {
  CHECK(OneField("\"histogram\"").with({int64_t{4}}).buckets() == "le=2 0, le=4 1, le=8 1, le=+Inf 1");
}

TEST_CASE("histogram: le=0 where numbers at or below 0 came") {
  CHECK(OneField("\"histogram\"").with({-5.0, 0.0}).buckets() == "le=0 2, le=+Inf 2");
  CHECK(OneField("\"histogram\"").with({-5.0, 3.0}).buckets() == "le=0 1, le=2 1, le=4 2, le=+Inf 2");
}

TEST_CASE("histogram: nothing where no number came") {
  for (const char* written :
       {"\"histogram\", \"count\"", "\"histogram(1)\", \"count\"", "\"histogram(1)\", \"count_series\""}) {
    OneField f(written);
    f.with({std::string("x"), true});
    CHECK(f.buckets() == "");
  }
}

TEST_CASE("histogram: strings beside numbers are no part of +Inf") {
  CHECK(OneField("\"histogram(1)\", \"count\"").with({0.5, std::string("x")}).buckets() == "le=1 1, le=+Inf 1");
}

TEST_CASE("histogram: no bound beyond the largest and below the least double") {
  std::string largest = OneField("\"histogram\"").with({1.7e308}).buckets();
  CHECK(largest.starts_with("le=898846567431158"));
  CHECK(largest.ends_with(" 0, le=+Inf 1"));
  CHECK(OneField("\"histogram\"").with({5e-324}).buckets().ends_with(" 1, le=+Inf 1"));
}

}  // namespace limpet
