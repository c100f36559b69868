#include "engine/tally.h"

#include <doctest/doctest.h>

#include <string>

#include "base/hash.h"

namespace limpet {
namespace {

uint64_t thing(uint64_t i) { return hash64(std::to_string(i)); }
constexpr auto kNone = [](auto) {};

}  // namespace

TEST_CASE("what goes and comes back counts once") {
  Tally tally;
  for (uint64_t i = 0; i < 1000; i++) tally.gone(thing(i));
  for (uint64_t i = 0; i < 1000; i++) tally.gone(thing(i));
  CHECK(tally.count(0, kNone) == 1000);
  for (uint64_t i = 0; i < 10; i++) tally.back(thing(i));
  CHECK(tally.count(10, kNone) == 1000);
  CHECK(tally.count(15, kNone) == 1005);
  CHECK(tally.exact());
}

TEST_CASE("exact to its limit, then an estimate that also knows what is present twice") {
  Tally tally;
  for (uint64_t i = 0; i < Tally::kExactMax; i++) tally.gone(thing(i));
  CHECK(tally.exact());
  CHECK(tally.count(0, kNone) == Tally::kExactMax);
  for (uint64_t i = Tally::kExactMax; i < 1'000'000; i++) tally.gone(thing(i));
  CHECK(!tally.exact());
  tally.back(thing(999'999));
  uint64_t present = 0;
  uint64_t count = tally.count(200'000, [&](auto add) {
    for (uint64_t i = 900'000; i < 1'100'000; i++) add(thing(i)), present++;
  });
  CHECK(present == 200'000);
  CHECK(count > 1'045'000);
  CHECK(count < 1'155'000);
}

}  // namespace limpet
