#include "sharding/slice_index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace limpet;

namespace {

size_t slow_find(const std::vector<uint64_t>& low, uint64_t key) {
  return static_cast<size_t>(std::upper_bound(low.begin(), low.end(), key) - low.begin()) - 1;
}

// Wide slices and narrow ones, single keys among them, also at the ends.
std::vector<uint64_t> random_borders(std::mt19937_64& r) {
  std::vector<uint64_t> low{0};
  for (size_t n = r() % 200; n > 0; n--) {
    uint64_t key = r() >> (r() % 64);
    low.push_back(key);
    if (r() % 3 == 0) low.push_back(key + 1);
  }
  if (r() % 2) low.push_back(UINT64_MAX);
  std::sort(low.begin(), low.end());
  low.erase(std::unique(low.begin(), low.end()), low.end());
  return low;
}

}  // namespace

TEST_CASE("the slice of a key is the last that begins at or below it") {
  std::mt19937_64 r(1);
  for (int round = 0; round < 1000; round++) {
    std::vector<uint64_t> low = random_borders(r);
    SliceIndex index(low);
    for (int i = 0; i < 300; i++) {
      uint64_t key = r() % 2 ? r() >> (r() % 64) : low[r() % low.size()] + (r() % 3) - 1;
      REQUIRE(index.find(key) == slow_find(low, key));
    }
  }
}

TEST_CASE("one slice is everything") {
  SliceIndex index(std::vector<uint64_t>{0});
  CHECK(index.find(0) == 0);
  CHECK(index.find(UINT64_MAX) == 0);
}
