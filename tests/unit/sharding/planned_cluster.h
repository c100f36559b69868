// A cluster for tests of the planner: pods whose reports are made from a given load, and the assignment in force, which
// they adopt at once. Each plan is checked: sound, every invariant kept, the same twice, and at rest when it is done.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sharding/invariants.h"
#include "sharding/planner.h"

namespace limpet {

// The share of the key space that has another owner. Says nothing of `moved`, so that it can be wrong.
inline double churn_between(const Assignment& a, const Assignment& b) {
  if (a.slices.size() == 0) return 0;
  double share = 0;
  for (size_t i = 0, j = 0; i < a.slices.size() && j < b.slices.size();) {
    uint64_t low = std::max(a.slices.low[i], b.slices.low[j]), x = a.slices.high(i), y = b.slices.high(j);
    uint64_t high = x == 0 ? y : y == 0 ? x : std::min(x, y);
    if (a.pods[a.slices.owner[i]].name != b.pods[b.slices.owner[j]].name) share += key_share(low, high);
    if (high == 0) break;
    i += x == high, j += y == high;
  }
  return share;
}

class PlannedCluster {
 public:
  struct Member {
    PodReport report;
    bool alive = true;
    int64_t silent_since_s = 0;
  };

  std::map<std::string, Member> members;
  PlannerConfig config;
  Assignment now;
  Plan last;
  int64_t now_s = 1'700'000'000;
  double churn = 0;  // key spaces moved, ever
  size_t generations = 0;
  std::function<double(uint64_t low, uint64_t high)> load;  // CPU seconds per second; none: as wide as it is
  std::function<void(PodReport&)> adjust;                   // a report, before it is sent
  bool check_rest = true;

  static std::string name_of(size_t i) {
    return "agg-" + std::string(i < 10 ? "00" : i < 100 ? "0" : "") + std::to_string(i);
  }

  Member& add(const std::string& name, const std::string& zone = "", PodState state = PodState::kReady) {
    Member& m = members[name];
    m = Member();
    m.report.name = name, m.report.zone = zone, m.report.host = "host of " + name, m.report.state = state;
    m.report.incarnation = std::to_string(++lives_);
    return m;
  }
  void add_many(size_t count, size_t zones = 1) {
    for (size_t i = 0; i < count; i++)
      add(name_of(i), zones > 1 ? std::string(1, static_cast<char>('a' + i % zones)) : "");
  }
  void restart(const std::string& name, PodState state = PodState::kReady) {
    Member& m = members.at(name);
    m.alive = true;
    m.report.incarnation = std::to_string(++lives_), m.report.generation = 0, m.report.state = state;
  }
  void die(const std::string& name) { members.at(name).alive = false; }
  PodReport& report(const std::string& name) { return members.at(name).report; }

  size_t owned_by(const std::string& name) const {
    int32_t pod = now.find_pod(name);
    return pod == kNoPod ? 0
                         : static_cast<size_t>(std::count(now.slices.owner.begin(), now.slices.owner.end(),
                                                          static_cast<uint32_t>(pod)));
  }
  double share_of(const std::string& name) const {
    double share = 0;
    for (size_t i = 0; i < now.slices.size(); i++)
      if (now.pods[now.slices.owner[i]].name == name) share += now.slices.share(i);
    return share;
  }
  // Load of the hottest pod that is ready, over the mean of those.
  double imbalance() const {
    std::map<std::string, double> of;
    double sum = 0, most = 0;
    for (const auto& [name, m] : members)
      if (m.alive && m.report.state == PodState::kReady) of[name] = 0;
    for (size_t i = 0; i < now.slices.size(); i++) {
      double l = load_of(now.slices.low[i], now.slices.high(i));
      of[now.pods[now.slices.owner[i]].name] += l, sum += l;
    }
    for (const auto& [name, l] : of) most = std::max(most, l);
    return most * static_cast<double>(of.size()) / sum;
  }
  double load_of(uint64_t low, uint64_t high) const {
    return load ? load(low, high) : 0.5 * key_share(low, high) * static_cast<double>(members.size());
  }

  // The reports of this moment. The dead's are those of their last.
  PlanInput input() {
    std::map<std::string, std::vector<SliceLoad>> slices;
    for (size_t i = 0; i < now.slices.size(); i++) {
      double l = load_of(now.slices.low[i], now.slices.high(i));
      slices[now.pods[now.slices.owner[i]].name].push_back(
          {.low = now.slices.low[i], .samples_per_s = 1e4 * l, .cpu = l, .state_bytes = 1000, .groups = 10});
    }
    PlanInput in{.pods = {}, .now_s = now_s};
    for (auto& [name, m] : members) {
      if (m.alive) {
        m.report.sequence++;
        m.report.generation = now.generation;
        m.report.slices = slices[name];
        if (adjust) adjust(m.report);
      }
      in.pods.push_back({m.report, m.alive});
    }
    return in;
  }

  // `round`: otherwise because of a change of pods, when nothing is moved for balance.
  Plan& step(int64_t seconds, bool round) {
    now_s += seconds;
    PlanInput in = input();
    PlannerConfig c = config;
    if (!round) c.hour_budget = 0;
    last = plan(now, in, c);
    if (!last.next) return last;
    check(in, c);
    churn += churn_between(now, *last.next);
    now = *last.next;
    generations++;
    return last;
  }
  Plan& round() { return step(config.round_s, true); }
  Plan& change(int64_t seconds = 2) { return step(seconds, false); }
  void rounds(size_t count) {
    for (size_t i = 0; i < count; i++) round();
  }

 private:
  void check(const PlanInput& in, const PlannerConfig& c) {
    CHECK(check_structure(*last.next) == std::vector<std::string>{});
    CHECK(check_step(now, *last.next, in, c) == std::vector<std::string>{});
    if (!check_rest) return;
    CHECK(plan(now, in, c).next == last.next);
    Plan rest = plan(*last.next, in, c);
    CHECK_MESSAGE(!rest.next, (rest.next && !rest.next->cause.empty() ? rest.next->cause[0] : "?"));
  }

  uint64_t lives_ = 0;
};

}  // namespace limpet
