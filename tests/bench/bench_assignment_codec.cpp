// Assignments as bytes: what a sharder pays to write one and a pod to adopt one.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>

#include "sharding/assignment_codec.h"

namespace limpet {
namespace {

Assignment of_size(uint32_t pods, uint32_t slices) {
  std::mt19937_64 r(1);
  Assignment a;
  a.generation = 1763640000, a.created_s = 1763640000, a.cause = {"drain agg-17", "balance 3 slices"};
  for (uint32_t p = 0; p < pods; p++)
    a.pods.push_back({.name = fmt::format("agg-{:05}", p),
                      .incarnation = fmt::format("{:016x}", r()),
                      .address = fmt::format("10.0.{}.{}:8087", p >> 8, p & 255),
                      .zone = std::string(1, static_cast<char>('a' + p % 3)),
                      .since_s = 1763640000});
  for (uint32_t s = 0; s < slices; s++) {
    auto owner = static_cast<uint32_t>(r() % pods);
    a.slices.low.push_back(UINT64_MAX / slices * s);
    a.slices.owner.push_back(owner);
    a.slices.standby.push_back(static_cast<int32_t>((owner + 1 + r() % (pods - 1)) % pods));
    a.slices.since.push_back(1763640000 - r() % 1000);
    a.slices.cutover_s.push_back(static_cast<int64_t>(1763640000 - r() % 1000));
  }
  return a;
}

void encode_assignment(benchmark::State& state) {
  Assignment a = of_size(static_cast<uint32_t>(state.range(0)), static_cast<uint32_t>(state.range(1)));
  size_t bytes = 0;
  for (auto _ : state) {
    std::string text = encode(a);
    bytes = text.size();
    benchmark::DoNotOptimize(text.data());
  }
  state.counters["file_bytes"] = static_cast<double>(bytes);
}

void decode_assignment_file(benchmark::State& state) {
  std::string text = encode(of_size(static_cast<uint32_t>(state.range(0)), static_cast<uint32_t>(state.range(1))));
  for (auto _ : state) {
    auto decoded = decode_assignment(text);
    if (!decoded) state.SkipWithError(decoded.error().c_str());
    benchmark::DoNotOptimize(decoded);
  }
  state.counters["file_bytes"] = static_cast<double>(text.size());
}

void decode_report_file(benchmark::State& state) {
  PodReport report;
  report.name = "agg-0", report.incarnation = "1";
  for (int64_t s = 0; s < state.range(0); s++)
    report.slices.push_back({.low = static_cast<uint64_t>(s) << 40,
                             .samples_per_s = 1234.5,
                             .cpu = 0.0123,
                             .state_bytes = 40000,
                             .groups = 100});
  std::string text = encode(report);
  for (auto _ : state) {
    auto decoded = decode_report(text);
    if (!decoded) state.SkipWithError(decoded.error().c_str());
    benchmark::DoNotOptimize(decoded);
  }
  state.counters["file_bytes"] = static_cast<double>(text.size());
}

BENCHMARK(encode_assignment)->Args({100, 3200})->Args({10'000, 100'000})->Unit(benchmark::kMillisecond);
BENCHMARK(decode_assignment_file)->Args({100, 3200})->Args({10'000, 100'000})->Unit(benchmark::kMillisecond);
BENCHMARK(decode_report_file)->Arg(32)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace limpet
