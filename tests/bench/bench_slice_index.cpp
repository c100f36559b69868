// From a key to its slice: the table of SliceIndex beside a plain search by halves, with keys in random order.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>

#include "sharding/slice_index.h"

namespace limpet {
namespace {

// Evenly spread, but for `crowded` of a thousand, which are single keys in one corner of the space.
std::vector<uint64_t> borders(size_t slices, size_t crowded) {
  std::mt19937_64 r(1);
  std::vector<uint64_t> low{0};
  while (low.size() < slices) {
    uint64_t key = r();
    low.push_back(r() % 1000 < crowded ? key >> 40 : key);
  }
  std::sort(low.begin(), low.end());
  low.erase(std::unique(low.begin(), low.end()), low.end());
  return low;
}

std::vector<uint64_t> random_keys() {
  std::mt19937_64 r(2);
  std::vector<uint64_t> keys(size_t{1} << 16);
  for (uint64_t& key : keys) key = r();
  return keys;
}

template <typename Find>
void run(benchmark::State& state, Find find) {
  std::vector<uint64_t> keys = random_keys();
  size_t i = 0, sum = 0;
  for (auto _ : state) sum += find(keys[i++ & (keys.size() - 1)]);
  benchmark::DoNotOptimize(sum);
}

void slice_index(benchmark::State& state) {
  SliceIndex index(borders(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1))));
  run(state, [&](uint64_t key) { return index.find(key); });
}

void by_halves(benchmark::State& state) {
  std::vector<uint64_t> low = borders(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1)));
  run(state, [&](uint64_t key) {
    return static_cast<size_t>(std::upper_bound(low.begin(), low.end(), key) - low.begin()) - 1;
  });
}

BENCHMARK(slice_index)->ArgNames({"slices", "crowded"})->Args({128, 0})->Args({3200, 0})->Args({100'000, 0});
BENCHMARK(slice_index)->ArgNames({"slices", "crowded"})->Args({100'000, 900});
BENCHMARK(by_halves)->ArgNames({"slices", "crowded"})->Args({128, 0})->Args({3200, 0})->Args({100'000, 0});

void build(benchmark::State& state) {
  std::vector<uint64_t> low = borders(static_cast<size_t>(state.range(0)), 0);
  for (auto _ : state) benchmark::DoNotOptimize(SliceIndex(low));
}
BENCHMARK(build)->Arg(100'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace limpet
