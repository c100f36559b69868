// A million windows end at once: how long until all are written, and how long the input waits meanwhile. The engine
// renders in steps of `lines` between blocks of input, as the process does.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "engine/engine.h"

namespace limpet {
namespace {

constexpr int64_t kGroups = 1'000'000;
constexpr int64_t kT0 = 1763640000 * kSecondNs;

class NoLog : public Log {
  void write(LogLevel, std::string_view) override {}
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void feed(Engine& engine, const std::string& lines, int64_t now_ns) {
  std::string text = lines;
  text.append(kBlockPadding, '\0');
  Block block;
  block.text = std::string_view(text).substr(0, lines.size());
  engine.ingest(block, {now_ns});
}

std::string lines_of(int64_t first, int64_t last, int64_t time_ns) {
  std::string text;
  for (int64_t i = first; i < last; i++)
    text += "m,service=s" + std::to_string(i) + " seconds=0.25,bytes=" + std::to_string(i) + "i " +
            std::to_string(time_ns) + "\n";
  return text;
}

void emission_of_a_million_windows(benchmark::State& state) {
  const char* rules =
      "[[rule]]\nname = \"r\"\nperiod = \"10s\"\ngrace = \"1s\"\ndrop_original = true\nmax_groups = "
      "2000000\n[rule.fields]\n"
      "seconds = [\"count\", \"mean\", \"p99\"]\nbytes = [\"sum\", \"max\"]\n";
  double longest_stall_s = 0;
  uint64_t results = 0;
  for (auto _ : state) {
    NoLog log;
    EngineOptions options;
    options.started = {kT0 - kHourNs};
    Engine engine(options, log);
    engine.set_rules(load_rules({{"r.toml", rules}}).rules, {kT0});
    for (int64_t i = 0; i < kGroups; i += 10'000)
      feed(engine, lines_of(i, i + 10'000, kT0 + kSecondNs), kT0 + kSecondNs);
    std::string block = lines_of(0, 500, kT0 + 12 * kSecondNs);
    auto begin = std::chrono::steady_clock::now();
    engine.advance({kT0 + 12 * kSecondNs});
    longest_stall_s = std::max(longest_stall_s, seconds_since(begin));
    while (engine.emission_pending()) {
      auto step = std::chrono::steady_clock::now();
      results += engine.emit(static_cast<size_t>(state.range(0)));
      engine.results().clear();
      longest_stall_s = std::max(longest_stall_s, seconds_since(step));
      feed(engine, block, kT0 + 12 * kSecondNs);
    }
    state.SetIterationTime(seconds_since(begin));
  }
  state.counters["results"] = static_cast<double>(results) / static_cast<double>(state.iterations());
  state.counters["longest_stall_us"] = longest_stall_s * 1e6;
}
BENCHMARK(emission_of_a_million_windows)
    ->ArgName("lines")
    ->Arg(64)
    ->Arg(1000)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

}  // namespace
}  // namespace limpet
