#include "window/functions/count.h"

#include <doctest/doctest.h>

#include "tests/unit/window/one_field.h"

namespace limpet {

TEST_CASE("count: samples of every type, an integer") {
  OneField f("\"count\"");
  CHECK(f.value() == "absent");
  f.with({1.5, int64_t{-2}, uint64_t{3}, true, std::string("up"), std::string("")});
  CHECK(f.value() == "6i");
}

TEST_CASE("count: takes a sample that a counter function beside it does not") {
  OneField f("\"increase\", \"count\"");
  CHECK(f.add(1.0, {1, 1, std::nullopt}));
  CHECK(f.value(0) == "absent");
  CHECK(f.value(1) == "1i");
}

}  // namespace limpet
