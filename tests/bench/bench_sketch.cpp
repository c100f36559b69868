// What one add and one merge of each sketch cost, warm and over many groups at once (cold caches).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "sketch/bounds_histogram.h"
#include "sketch/double_double.h"
#include "sketch/exponential_histogram.h"
#include "sketch/hyperloglog.h"
#include "sketch/power_histogram.h"
#include "sketch/value_hash.h"

namespace {

using namespace limpet;

constexpr size_t kValues = 1 << 16;
const std::vector<double> kBounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

// Latencies in seconds, log-normal: 99 % of them within nine powers of two.
const std::vector<double>& latencies() {
  static const std::vector<double> values = [] {
    std::mt19937_64 random(1);
    std::lognormal_distribution<double> distribution(-3, 1);
    std::vector<double> v(kValues);
    for (double& x : v) x = distribution(random);
    return v;
  }();
  return values;
}

std::vector<uint64_t> hashes(size_t n, uint64_t from = 0) {
  std::vector<uint64_t> v(n);
  for (size_t i = 0; i < n; i++) v[i] = hash_of(from + i);
  return v;
}

template <typename Add>
void each_latency(benchmark::State& state, Add add) {
  const auto& values = latencies();
  size_t i = 0;
  for (auto _ : state) add(values[i++ % kValues]);
}

void double_double_add(benchmark::State& state) {
  DoubleDouble sum;
  each_latency(state, [&](double v) { sum.add(v); });
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(double_double_add);

void double_double_add_product(benchmark::State& state) {
  DoubleDouble sum;
  each_latency(state, [&](double v) { sum.add_product(v, v); });
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(double_double_add_product);

void exponential_add(benchmark::State& state) {
  ExponentialHistogram h;
  each_latency(state, [&](double v) { h.add(v); });
  state.counters["bytes"] = static_cast<double>(h.bytes() + sizeof h);
}
BENCHMARK(exponential_add);

// Groups in turn, each with `samples` samples so far, so that little is in the caches.
void exponential_add_groups(benchmark::State& state) {
  const auto samples = static_cast<size_t>(state.range(0)), groups = size_t{20'000};
  const auto& values = latencies();
  size_t bytes = 0;
  for (auto _ : state) {
    std::vector<ExponentialHistogram> all(groups);
    for (size_t i = 0; i < samples * groups; i++) all[i % groups].add(values[i * 7919 % kValues]);
    state.PauseTiming();
    bytes = 0;
    for (const auto& h : all) bytes += h.bytes() + sizeof h;
    all.clear();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * samples * groups));
  state.counters["bytes/group"] = static_cast<double>(bytes / groups);
}
BENCHMARK(exponential_add_groups)->Arg(1)->Arg(5)->Arg(20)->Arg(60)->Arg(300);

void exponential_merge(benchmark::State& state) {
  ExponentialHistogram into, from;
  for (int64_t i = 0; i < state.range(0); i++) from.add(latencies()[static_cast<size_t>(i) % kValues]);
  for (double v : latencies()) into.add(v);
  for (auto _ : state) into.merge(from);
}
BENCHMARK(exponential_merge)->Arg(5)->Arg(60)->Arg(1000)->Arg(60'000);

void exponential_quantile(benchmark::State& state) {
  ExponentialHistogram h;
  for (int64_t i = 0; i < state.range(0); i++) h.add(latencies()[static_cast<size_t>(i) % kValues]);
  for (auto _ : state) benchmark::DoNotOptimize(h.quantile(99, 100));
}
BENCHMARK(exponential_quantile)->Arg(5)->Arg(60)->Arg(60'000);

void power_add(benchmark::State& state) {
  PowerHistogram h;
  each_latency(state, [&](double v) { h.add(v); });
}
BENCHMARK(power_add);

void power_merge(benchmark::State& state) {
  PowerHistogram into, from;
  for (double v : latencies()) into.add(v), from.add(v);
  for (auto _ : state) into.merge(from);
}
BENCHMARK(power_merge);

void bounds_add(benchmark::State& state) {
  BoundsHistogram h;
  each_latency(state, [&](double v) { h.add(kBounds, v); });
}
BENCHMARK(bounds_add);

void bounds_merge(benchmark::State& state) {
  BoundsHistogram into, from;
  for (double v : latencies()) into.add(kBounds, v), from.add(kBounds, v);
  for (auto _ : state) into.merge(from);
}
BENCHMARK(bounds_merge);

// A set of `n` different hashes to which its own hashes come again and again.
void hyperloglog_add(benchmark::State& state) {
  auto known = hashes(static_cast<size_t>(state.range(0)));
  std::shuffle(known.begin(), known.end(), std::mt19937_64(1));
  HyperLogLog h;
  for (uint64_t v : known) h.add(v);
  size_t i = 0;
  for (auto _ : state) {
    h.add(known[i]);
    if (++i == known.size()) i = 0;
  }
  state.counters["bytes"] = static_cast<double>(h.bytes() + sizeof h);
}
BENCHMARK(hyperloglog_add)->Arg(5)->Arg(60)->Arg(250)->Arg(100'000);

void hyperloglog_merge(benchmark::State& state) {
  HyperLogLog into, from;
  for (uint64_t v : hashes(static_cast<size_t>(state.range(0)))) into.add(v);
  for (uint64_t v : hashes(static_cast<size_t>(state.range(0)), 1'000'000)) from.add(v);
  for (auto _ : state) into.merge(from);
}
BENCHMARK(hyperloglog_merge)->Arg(5)->Arg(60)->Arg(100'000);

void hyperloglog_estimate(benchmark::State& state) {
  HyperLogLog h;
  for (uint64_t v : hashes(100'000)) h.add(v);
  for (auto _ : state) benchmark::DoNotOptimize(h.estimate());
}
BENCHMARK(hyperloglog_estimate);

void hash_of_number(benchmark::State& state) {
  each_latency(state, [](double v) { benchmark::DoNotOptimize(hash_of(v)); });
}
BENCHMARK(hash_of_number);

}  // namespace
