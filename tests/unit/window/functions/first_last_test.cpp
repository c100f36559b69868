#include "window/functions/first_last.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/window/one_field.h"

namespace limpet {

constexpr const char* kFirstAndLast = "\"first\", \"last\"";

TEST_CASE("first, last: by timestamp, not by arrival") {
  OneField f(kFirstAndLast);
  f.add(2.0, {20});
  f.add(1.0, {10});
  f.add(3.0, {30});
  f.add(2.5, {25});
  CHECK(f.value(0) == "1");
  CHECK(f.value(1) == "3");
}

TEST_CASE("first, last: of equal times the first and the last that arrived") {
  OneField f(kFirstAndLast);
  for (double v : {1.0, 2.0, 3.0}) f.add(v, {5});
  CHECK(f.value(0) == "1");
  CHECK(f.value(1) == "3");
}

TEST_CASE("first, last: of any type, kept as it is") {
  OneField f(kFirstAndLast);
  f.add(std::string("a longer text than a string holds without the heap"), {1});
  CHECK(f.value(1) == "\"a longer text than a string holds without the heap\"");
  f.add(UINT64_MAX, {2});
  CHECK(f.value(0) == "\"a longer text than a string holds without the heap\"");
  CHECK(f.value(1) == "18446744073709551615u");
  f.add(INT64_MIN, {3});
  CHECK(f.value(1) == "-9223372036854775808i");
  f.add(false, {4});
  CHECK(f.value(1) == "false");
  f.add(std::string(), {5});
  CHECK(f.value(1) == "\"\"");
  f.add(-0.0, {6});
  CHECK(std::signbit(f.real(1)));
}

TEST_CASE("first, last: before 1970") {
  OneField f(kFirstAndLast);
  f.add(1.0, {0});
  f.add(2.0, {INT64_MIN});
  CHECK(f.value(0) == "2");
  CHECK(f.value(1) == "1");
}

TEST_CASE("first, last: absent without a sample") { CHECK(OneField(kFirstAndLast).value() == "absent"); }

}  // namespace limpet
