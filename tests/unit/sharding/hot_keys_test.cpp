#include "sharding/hot_keys.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace limpet;

TEST_CASE("every key above its share is in the table, and estimates are bounds") {
  std::mt19937_64 r(1);
  HotKeys hot;
  std::map<uint64_t, uint64_t> exact;
  for (int i = 0; i < 200'000; i++) {
    // About every eighth sample is of one of a few keys.
    uint64_t key = r() % 8 == 0 ? r() % 5 : 1000 + r() % 50'000;
    hot.add(key, 2);
    exact[key] += 2;
  }
  CHECK(hot.total() == 400'000);
  std::map<uint64_t, HotKeys::Entry> found;
  for (const HotKeys::Entry& entry : hot.hottest()) found[entry.key] = entry;
  for (const auto& [key, samples] : exact)
    if (samples > hot.total() / HotKeys::kEntries) REQUIRE(found.count(key));
  for (const auto& [key, entry] : found) {
    CHECK(entry.samples >= exact[key]);
    CHECK(entry.samples - entry.error <= exact[key]);
  }
  auto hottest = hot.hottest();
  for (size_t i = 0; i < 5; i++) CHECK(hottest[i].key < 5);
  hot.age();
  CHECK(hot.total() == 200'000);
  CHECK(hot.hottest()[0].samples == hottest[0].samples / 2);
}
