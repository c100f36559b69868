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

TEST_CASE("single keys crowded in one place, at either end and around every power of two") {
  std::vector<std::vector<uint64_t>> all(3, {0});
  for (uint64_t i = 0; i < 1000; i++) all[0].push_back(i + 1), all[1].push_back(UINT64_MAX - 999 + i);
  for (int bit = 2; bit < 64; bit++)
    for (uint64_t off : {-1, 0, 1}) all[2].push_back((uint64_t{1} << bit) + off);
  for (std::vector<uint64_t>& low : all) {
    std::sort(low.begin(), low.end());
    SliceIndex index(low);
    for (uint64_t border : low)
      for (uint64_t off : {-1, 0, 1}) REQUIRE(index.find(border + off) == slow_find(low, border + off));
  }
}
