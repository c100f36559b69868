// Simulates clusters from seeds and checks every step; see README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <mutex>
#include <thread>

#include "world.h"

using namespace limpet;
using namespace limpet::sim;

namespace {

struct Job {
  uint64_t seed;
  size_t pods;

  // Small clusters of few slices find as much in less time; one in twenty is up to 40 pods large.
  static size_t pods_of(uint64_t seed) { return seed % 20 == 0 ? 1 + seed / 20 % 40 : 1 + seed % 8; }
  uint32_t slices_per_pod() const {
    return pods >= 500 ? 5 : pods >= 100 ? 10 : std::array<uint32_t, 4>{4, 8, 6, 32}[seed % 4];
  }
};

constexpr uint64_t kFailuresShown = 20;

struct Totals {
  std::mutex mutex;
  std::array<uint64_t, kFaults> faults{};
  uint64_t runs = 0, failed = 0, generations = 0, windows = 0, excused = 0, moves = 0, lines = 0;
  double seconds = 0;

  void add(const Job& job, size_t events, const Outcome& outcome) {
    std::lock_guard guard(mutex);
    runs++, generations += outcome.generations, windows += outcome.windows, excused += outcome.excused,
        lines += outcome.lines, moves += outcome.moves;
    seconds += outcome.seconds;
    for (size_t i = 0; i < kFaults; i++) faults[i] += outcome.faults[i];
    if (outcome.violations.empty()) return;
    if (failed++ >= kFailuresShown) return;
    fmt::print("FAILED  sim_cluster --seeds {0}-{0} --pods {1} --events {2}\n", job.seed, job.pods, events);
    for (const std::string& violation : outcome.violations) fmt::print("  {}\n", violation);
  }
};

void work(const std::vector<Job>& jobs, size_t events, size_t threads, Totals& totals) {
  std::atomic<size_t> next{0};
  std::vector<std::thread> pool;
  for (size_t t = 0; t < threads; t++)
    pool.emplace_back([&] {
      for (size_t i; (i = next++) < jobs.size();)
        totals.add(jobs[i], events, run({jobs[i].seed, jobs[i].pods, jobs[i].slices_per_pod(), events, Bug::kNone}));
    });
  for (std::thread& thread : pool) thread.join();
}

// Each planted bug must be found within some seeds.
size_t find_bugs(uint64_t seeds_max) {
  size_t missed = 0;
  for (size_t b = 1; b < kBugs; b++) {
    auto bug = static_cast<Bug>(b);
    std::string found;
    uint64_t seed = 1;
    for (; seed <= seeds_max && found.empty(); seed++) {
      Outcome outcome = run({seed, 3 + seed % 12, 8, 200, bug});
      if (!outcome.violations.empty())
        found = outcome.violations.front().substr(0, outcome.violations.front().find('\n'));
    }
    missed += found.empty();
    fmt::print("bug {:<22} {}\n", to_string(bug),
               found.empty() ? "NOT FOUND" : fmt::format("found with seed {}: {}", seed - 1, found));
  }
  return missed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Simulates sharders and pods on a virtual clock, with faults, and checks what must hold. Exit code 1 if anything "
      "does not.");
  std::string seeds = "1-200";
  size_t pods = 0, events = 200, threads = 2;
  uint64_t bug_seeds = 0;
  app.add_option("--seeds", seeds, "From-to")->capture_default_str();
  app.add_option("--pods", pods, "Pods of each cluster; default: 1 to 40, by seed, mostly few");
  app.add_option("--events", events, "Faults injected per seed")->capture_default_str();
  app.add_option("--threads", threads, "Seeds at a time")->capture_default_str();
  app.add_option("--bugs", bug_seeds, "Instead look for each planted bug, in at most so many seeds");
  CLI11_PARSE(app, argc, argv);
  if (bug_seeds > 0) {
    size_t missed = find_bugs(bug_seeds);
    fmt::print("{} passed, {} failed\n", kBugs - 1 - missed, missed);
    return missed > 0;
  }
  uint64_t from = std::stoull(seeds), to = std::stoull(seeds.substr(std::min(seeds.size() - 1, seeds.find('-') + 1)));
  std::vector<Job> jobs;
  for (uint64_t seed = from; seed <= to; seed++) jobs.push_back({seed, pods ? pods : Job::pods_of(seed)});
  Totals totals;
  work(jobs, events, threads, totals);
  for (size_t i = 0; i < kFaults; i++)
    fmt::print("fault {:<16} {:>9}\n", to_string(static_cast<Fault>(i)), totals.faults[i]);
  fmt::print(
      "{} seeds, {:.0f} hours of virtual time, {} generations, {} windows of which {} were excused by a death or a "
      "lost directory, {} changes of owner, {} lines\n",
      totals.runs, totals.seconds / 3600, totals.generations, totals.windows, totals.excused, totals.moves,
      totals.lines);
  fmt::print("{} passed, {} failed\n", totals.runs - totals.failed, totals.failed);
  return totals.failed > 0;
}
