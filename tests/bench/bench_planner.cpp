// The planner at the size of a large fleet: a full plan, and the evacuation of a hundred dead pods up to the bytes; and
// what a pod of it makes of a generation.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>

#include "sharding/assignment_codec.h"
#include "sharding/invariants.h"
#include "sharding/ownership.h"
#include "sharding/planner.h"

namespace limpet {
namespace {

constexpr int64_t kNowS = 1'763'640'000;

struct Fleet {
  PlannerConfig config;
  Assignment assignment;
  PlanInput input;
};

// Each pod's load differs from the next one's by up to `skew`, each slice's from its neighbour's by as much again.
void report_loads(Fleet& fleet, double skew) {
  for (PodView& view : fleet.input.pods)
    view.report.slices.clear(), view.report.generation = fleet.assignment.generation;
  const Slices& s = fleet.assignment.slices;
  for (size_t i = 0; i < s.size(); i++) {
    double per_pod = 1 + skew * std::sin(s.owner[i] * 0.7),
           per_slice = 1 + skew * std::sin(static_cast<double>(i) * 1.3);
    double cpu = 0.5 * static_cast<double>(fleet.input.pods.size()) * s.share(i) * per_pod * per_slice;
    fleet.input.pods[s.owner[i]].report.slices.push_back(
        {.low = s.low[i], .samples_per_s = 1e4 * cpu, .cpu = cpu, .state_bytes = 40000, .groups = 100});
  }
}

Fleet fleet_of(size_t pods, uint32_t slices_per_pod, double skew) {
  Fleet fleet;
  fleet.config.slices_per_pod_initial = slices_per_pod;
  fleet.config.slices_per_pod_min = slices_per_pod / 2;
  for (size_t i = 0; i < pods; i++) {
    PodReport report;
    report.name = fmt::format("agg-{:05}", i), report.incarnation = fmt::format("{:016x}", i);
    report.address = fmt::format("10.0.{}.{}:8087", i >> 8, i & 255);
    report.zone = std::string(1, static_cast<char>('a' + i % 3)), report.host = fmt::format("n{}", i / 4);
    report.state = PodState::kReady;
    fleet.input.pods.push_back({report, true});
  }
  fleet.input.now_s = kNowS;
  fleet.assignment = *plan({}, fleet.input, fleet.config).next;
  fleet.input.now_s += 600;
  report_loads(fleet, skew);
  return fleet;
}

void count(benchmark::State& state, const Plan& made) {
  if (!made.next) return;
  state.counters["moves"] = static_cast<double>(made.next->moved.size());
  state.counters["slices"] = static_cast<double>(made.next->slices.size());
}

// Every slice and every standby placed for the first time.
void plan_first_generation(benchmark::State& state) {
  Fleet fleet = fleet_of(static_cast<size_t>(state.range(0)), static_cast<uint32_t>(state.range(1)), 0);
  for (auto _ : state) {
    Plan made = plan({}, fleet.input, fleet.config);
    benchmark::DoNotOptimize(made);
    count(state, made);
  }
}

// All phases, with pods out of balance.
void plan_round(benchmark::State& state) {
  Fleet fleet = fleet_of(static_cast<size_t>(state.range(0)), static_cast<uint32_t>(state.range(1)), 0.6);
  for (auto _ : state) {
    Plan made = plan(fleet.assignment, fleet.input, fleet.config);
    benchmark::DoNotOptimize(made);
    count(state, made);
  }
}

// With an hour of moves behind it, as after a long day.
void plan_round_with_history(benchmark::State& state) {
  Fleet fleet = fleet_of(static_cast<size_t>(state.range(0)), static_cast<uint32_t>(state.range(1)), 0.6);
  for (int round = 0; round < 20; round++) {
    fleet.input.now_s += fleet.config.round_s;
    if (Plan made = plan(fleet.assignment, fleet.input, fleet.config); made.next)
      fleet.assignment = std::move(*made.next);
    report_loads(fleet, 0.6);
  }
  fleet.input.now_s += fleet.config.round_s;
  for (auto _ : state) {
    Plan made = plan(fleet.assignment, fleet.input, fleet.config);
    benchmark::DoNotOptimize(made);
    count(state, made);
  }
}

void plan_nothing(benchmark::State& state) {
  Fleet fleet = fleet_of(static_cast<size_t>(state.range(0)), static_cast<uint32_t>(state.range(1)), 0);
  for (auto _ : state) {
    Plan made = plan(fleet.assignment, fleet.input, fleet.config);
    if (made.next) state.SkipWithError("there was nothing to do");
    benchmark::DoNotOptimize(made);
  }
}

Fleet after_deaths(const benchmark::State& state) {
  Fleet fleet = fleet_of(static_cast<size_t>(state.range(0)), static_cast<uint32_t>(state.range(1)), 0.2);
  for (size_t i = 0; i < fleet.input.pods.size(); i += fleet.input.pods.size() / 100) fleet.input.pods[i].alive = false;
  fleet.config.hour_budget = 0;  // as the sharder does between rounds
  return fleet;
}

void evacuate_100_dead(benchmark::State& state) {
  Fleet fleet = after_deaths(state);
  for (auto _ : state) {
    Plan made = plan(fleet.assignment, fleet.input, fleet.config);
    if (!made.next) state.SkipWithError("nothing moved");
    count(state, made);
    std::string bytes = encode(*made.next);
    benchmark::DoNotOptimize(bytes.data());
  }
}

// What the sharder does with it before it publishes.
void check_evacuation(benchmark::State& state) {
  Fleet fleet = after_deaths(state);
  Plan made = plan(fleet.assignment, fleet.input, fleet.config);
  for (auto _ : state) {
    auto broken = check_structure(*made.next),
         step = check_step(fleet.assignment, *made.next, fleet.input, fleet.config);
    if (!broken.empty() || !step.empty()) state.SkipWithError("it breaks an invariant");
  }
}

// What a pod does with a generation that it has decoded; an hour of moves is in it.
void adopt(benchmark::State& state) {
  Fleet fleet = after_deaths(state);
  Assignment next = *plan(fleet.assignment, fleet.input, fleet.config).next;
  OwnershipTracker tracker("agg-00007");
  tracker.adopt(fleet.assignment, {kNowS * kSecondNs});
  for (auto _ : state) {
    state.PauseTiming();
    next.generation++;
    auto decoded = std::make_shared<const Assignment>(next);
    state.ResumeTiming();
    benchmark::DoNotOptimize(tracker.adopt(std::move(decoded), {(kNowS + 600) * kSecondNs}));
  }
}

#define LIMPET_SIZES Args({10'000, 10})->Args({10'000, 32})->Unit(benchmark::kMillisecond)
BENCHMARK(plan_first_generation)->LIMPET_SIZES;
BENCHMARK(plan_round)->LIMPET_SIZES;
BENCHMARK(plan_round_with_history)->Args({10'000, 10})->Unit(benchmark::kMillisecond);
BENCHMARK(plan_nothing)->LIMPET_SIZES;
BENCHMARK(evacuate_100_dead)->LIMPET_SIZES;
BENCHMARK(check_evacuation)->LIMPET_SIZES;
BENCHMARK(adopt)->LIMPET_SIZES;

}  // namespace
}  // namespace limpet
