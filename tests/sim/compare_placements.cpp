// Plays the same changes and loads against ways of placing keys by hashing and against Limpet's planner, and prints
// what they cost as a table; see README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "placements/bounds.h"
#include "placements/measure.h"
#include "placements/measure_limpet.h"

using namespace limpet;
using namespace limpet::sim;

namespace {

struct Options {
  std::vector<uint32_t> pods = {10, 100, 1000};
  size_t keys = 1'000'000;
  uint32_t seeds = 5;
  uint64_t seed = 1;
  bool quick = false, markdown = false, times = false;
};

constexpr std::array<double, 4> kExponents = {0, 0.8, 1.0, 1.2};
// Limpet's moves hang on the load: they are measured under both.
constexpr size_t kUniform = 0, kSkewed = 2;
// What hashes every key with every pod gets so many seeds that there are not many more hashes than this in all.
constexpr double kHashesMax = 1e10;
constexpr uint32_t kLargePods = 5000;

uint32_t seeds_of(const Scheme& scheme, const Options& options, uint32_t pods) {
  if (!scheme.hashes_every_pod) return options.seeds;
  double each = static_cast<double>(options.keys) * pods;
  return std::clamp(static_cast<uint32_t>(kHashesMax / each), 1u, options.seeds);
}
uint32_t limpet_seeds_of(const Options& options, uint32_t pods) { return pods < kLargePods ? options.seeds : 1; }
uint32_t restarts_of(uint32_t pods) { return pods < kLargePods ? std::min(pods, 100u) : 10; }
LimpetLimits limits_of(uint32_t pods) {
  if (pods >= kLargePods) return {.rounds_max = 20, .quiet = 5, .restarts = 5};
  return {.restarts = pods > 100 ? 30u : pods, .checked = pods <= 100};
}

class Stopwatch {
 public:
  explicit Stopwatch(bool on) : on_(on) {}
  void lap(const std::string& what) {
    auto now = std::chrono::steady_clock::now();
    if (on_) fmt::print(stderr, "{:8.2f} s  {}\n", std::chrono::duration<double>(now - last_).count(), what);
    last_ = now;
  }

 private:
  bool on_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// All results of one number of pods.
Comparison compare(const Options& options, uint32_t pods) {
  Comparison out;
  out.pods = pods, out.keys = options.keys;
  std::vector<Scheme> schemes = all_schemes();
  std::vector<std::vector<Measured>> by_scheme(schemes.size());
  std::vector<MeasuredLimpet> uniform, skewed;
  Stopwatch watch(options.times);
  for (uint32_t s = 0; s < options.seeds; s++) {
    uint64_t seed = mix(options.seed) + s;
    Keys keys = make_keys(options.keys, seed);
    std::vector<LoadModel> models;
    for (double exponent : kExponents) models.emplace_back(keys, exponent);
    out.floors.clear();
    for (const LoadModel& model : models) out.floors.push_back(model.floor(pods));
    for (size_t i = 0; i < schemes.size(); i++) {
      if (s >= seeds_of(schemes[i], options, pods)) continue;
      by_scheme[i].push_back(measure(schemes[i], models, pods, seed, restarts_of(pods)));
      watch.lap(fmt::format("{} pods, seed {}: {}", pods, s, schemes[i].name));
    }
    if (s >= limpet_seeds_of(options, pods)) continue;
    uniform.push_back(measure_limpet(models, pods, kUniform, limits_of(pods)));
    watch.lap(fmt::format("{} pods, seed {}: Limpet", pods, s));
    if (pods >= kLargePods) continue;
    skewed.push_back(measure_limpet(std::span(models).subspan(kSkewed, 1), pods, 0, limits_of(pods)));
    watch.lap(fmt::format("{} pods, seed {}: Limpet, moves under Zipf 1.0", pods, s));
  }
  for (size_t i = 0; i < schemes.size(); i++) out.hashes.push_back({schemes[i].name, median(by_scheme[i])});
  out.limpet = median(uniform);
  if (!skewed.empty()) out.limpet_skewed = median(skewed);
  return out;
}

std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

std::string moves_cells(const Measured& m) {
  std::string collateral = m.collateral < 5e-5 ? "" : fmt::format(" ({})", percent(m.collateral));
  return fmt::format("{} | {}{} | {:.2f}", percent(m.add), percent(m.remove), collateral, m.restart);
}

void print_row(const std::string& name, const std::string& moves, const std::vector<double>& imbalance) {
  fmt::print("| {} | {} |", name, moves);
  for (double i : imbalance) fmt::print(" {:.2f} |", i);
  fmt::print("\n");
}

void print_table(const Comparison& c) {
  fmt::print("### {} pods\n\n", c.pods);
  fmt::print(
      "| | add one | remove one (collateral) | rolling restart, key spaces | uniform | Zipf 0.8 | Zipf 1.0 | Zipf 1.2 "
      "|\n");
  fmt::print("|---|---|---|---|---|---|---|---|\n");
  for (const auto& [name, measured] : c.hashes) print_row(name, moves_cells(measured), measured.imbalance);
  const Measured& limpet = c.limpet.moves;
  print_row("**Limpet**", moves_cells(limpet), limpet.imbalance);
  fmt::print("| Limpet, no carousel | | | {:.2f} | | | | |\n", c.limpet.restart_without_carousel);
  if (c.limpet_skewed)
    fmt::print("| Limpet, moves under Zipf 1.0 | {} | | | | |\n", moves_cells(c.limpet_skewed->moves));
  print_row("*no placement can do better*", "| |", c.floors);
  fmt::print("\n");
}

std::string rounds_cell(const Convergence& c) {
  return c.reached ? fmt::format("{}", c.rounds) : fmt::format("not in {}", c.rounds);
}

void print_convergence(const std::vector<Comparison>& all) {
  fmt::print("### Limpet: rounds of 30 s after which it stays within 10 % of the best, and the keys moved in them\n\n");
  fmt::print("| pods | uniform | Zipf 0.8 | Zipf 1.0 | Zipf 1.2 |\n|---|---|---|---|---|\n");
  for (const Comparison& c : all) {
    fmt::print("| {} |", c.pods);
    for (const Convergence& each : c.limpet.convergence)
      fmt::print(" {} ({}) |", rounds_cell(each), percent(each.moved));
    fmt::print("\n");
  }
  fmt::print("\n");
}

void print_caption(const Options& options) {
  fmt::print("{} keys; median of {} seeds. Right half: load of the most loaded pod over the mean. Rolling restart: ",
             options.keys, options.seeds);
  fmt::print("all pods, one after the other, under the same names; above 100 pods extrapolated from a part of them.\n");
  if (std::any_of(options.pods.begin(), options.pods.end(), [](uint32_t n) { return n >= kLargePods; }))
    fmt::print(
        "From {} pods on rendezvous and Limpet have one seed, and Limpet is looked at after {} rounds, at rest or "
        "not.\n",
        kLargePods, limits_of(kLargePods).rounds_max);
  fmt::print("\n");
}

void be_quick(Options& options) {
  options.pods = {10, 60};
  options.keys = 100'000;
  options.seeds = 3;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Compares placements of keys on pods; the output hangs on the options alone.");
  app.add_option("--pods", options.pods, "numbers of pods")->delimiter(',')->check(CLI::Range(2, 20'000));
  app.add_option("--keys", options.keys)->check(CLI::Range(1000, 10'000'000));
  app.add_option("--seeds", options.seeds, "the median of so many")->check(CLI::Range(1, 100));
  app.add_option("--seed", options.seed, "the first");
  app.add_flag("--quick", options.quick, "a few seconds; 1 is returned if a result is not what theory says");
  app.add_flag("--markdown", options.markdown, "tables only, without the list of what is out of bounds");
  app.add_flag("--times", options.times, "how long each part took, on the standard error");
  CLI11_PARSE(app, argc, argv);
  if (options.quick) be_quick(options);

  std::vector<Comparison> all;
  for (uint32_t pods : options.pods) all.push_back(compare(options, pods));
  for (const Comparison& each : all) print_table(each);
  print_convergence(all);
  print_caption(options);
  if (options.markdown) return 0;
  size_t broken = 0;
  for (const Comparison& each : all)
    for (const std::string& text : out_of_bounds(each)) broken++, fmt::print("OUT OF BOUNDS: {}\n", text);
  return options.quick && broken > 0 ? 1 : 0;
}
