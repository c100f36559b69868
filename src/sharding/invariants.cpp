#include "sharding/invariants.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "sharding/assignment_codec.h"
#include "sharding/key.h"

namespace limpet {
namespace {

constexpr size_t kViolationsMax = 16;
constexpr size_t kSlicesMax = 1'000'000;
constexpr size_t kMoveBytesMax = 1024;  // in the file
constexpr double kMemoryFull = 0.9;
constexpr double kShareSlack = 1e-9;
constexpr int64_t kRememberedS = 3600;

class Checker {
 public:
  Checker(const Assignment& previous, const Assignment& next, const PlanInput& input, const PlannerConfig& config)
      : previous_(previous), next_(next), input_(input), config_(config) {
    std::unordered_map<std::string_view, const PodView*> views;
    for (const PodView& view : input.pods) views[view.report.name] = &view;
    for (const AssignedPod& pod : previous.pods) before_.push_back(state_of(views, pod.name));
    for (const AssignedPod& pod : next.pods) {
      after_.push_back(state_of(views, pod.name));
      was_.push_back(previous.find_pod(pod.name));
    }
    collect_fresh();
    bytes_ = encoded_bytes_max(next);
  }

  std::vector<std::string> take() { return std::move(broken_); }
  void check_generation();
  void check_ranges();
  void check_budgets();
  void check_mass_death();
  void check_standbys();
  void check_counts();

 private:
  template <typename... Args>
  void fail(fmt::format_string<Args...> text, Args&&... args) {
    if (broken_.size() < kViolationsMax) broken_.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  // Who is not heard of is dead.
  template <typename Views>
  static PodState state_of(const Views& views, const std::string& name) {
    auto at = views.find(name);
    return at == views.end() || !at->second->alive ? PodState::kDead : at->second->report.state;
  }
  struct Range {
    uint64_t low, high;  // high 0 stands for 2^64
  };
  std::vector<Range> resting_ranges() const;
  // As the planner has it: clocks step, and differ.
  bool is_within(int64_t at_s, int64_t s) const { return at_s > input_.now_s - s && at_s < input_.now_s + s; }
  void collect_fresh();
  const std::string& previous_owner(size_t i) const { return previous_.pods[previous_.slices.owner[i]].name; }
  const std::string& next_owner(size_t i) const { return next_.pods[next_.slices.owner[i]].name; }
  bool same_owner(size_t before, size_t after) const {
    return was_[next_.slices.owner[after]] == static_cast<int32_t>(previous_.slices.owner[before]);
  }
  void check_move(uint64_t low, size_t before, size_t after);
  const Move* fresh_move(uint64_t key) const;
  // The file has no room for another move.
  bool is_full() const { return bytes_ + kMoveBytesMax > config_.file_bytes_max; }

  const Assignment& previous_;
  const Assignment& next_;
  const PlanInput& input_;
  const PlannerConfig& config_;
  std::vector<PodState> before_, after_;      // what the pods of both are now
  std::vector<int32_t> was_;                  // index in the previous, of each pod of the next
  std::vector<const Move*> fresh_;            // moves that are new in the next, by `low`
  std::set<std::string_view> gained_, lost_;  // who owns something that was another's, and the other
  size_t bytes_ = 0;                          // of the next, at most
  std::vector<std::string> broken_;
};

void Checker::collect_fresh() {
  // In `previous`, what was planned in this very second is at the end.
  auto recent = previous_.moved.end();
  while (recent != previous_.moved.begin() && std::prev(recent)->at_s >= input_.now_s) --recent;
  for (const Move& m : next_.moved)
    if (m.at_s == input_.now_s && std::find(recent, previous_.moved.end(), m) == previous_.moved.end())
      fresh_.push_back(&m);
  std::stable_sort(fresh_.begin(), fresh_.end(), [](const Move* a, const Move* b) { return a->low < b->low; });
}

void Checker::check_generation() {
  if (next_.generation <= previous_.generation)
    fail("I3: generation {} does not follow {}", next_.generation, previous_.generation);
}

// Fresh moves do not overlap, or check_ranges() finds one of them wrong.
const Move* Checker::fresh_move(uint64_t key) const {
  auto behind =
      std::upper_bound(fresh_.begin(), fresh_.end(), key, [](uint64_t k, const Move* move) { return k < move->low; });
  if (behind == fresh_.begin()) return nullptr;
  const Move* m = *std::prev(behind);
  return m->high == 0 || key < m->high ? m : nullptr;
}

// Of a range whose owner changed.
void Checker::check_move(uint64_t low, size_t before, size_t after) {
  const std::string &from = previous_owner(before), &to = next_owner(after);
  gained_.insert(to), lost_.insert(from);
  PodState now = before_[previous_.slices.owner[before]];
  bool dead = now == PodState::kDead, draining = now == PodState::kDraining || now == PodState::kDrained;
  const Move* move = fresh_move(low);
  Move left_out;
  if (!move && is_full()) {
    left_out = {.cause = dead ? MoveCause::kDeath : MoveCause::kDrain, .from = from, .to = to};
    move = &left_out;
  }
  if (!move || move->from != from || move->to != to)
    return fail("I6: {} went from {} to {}, and `moved` does not say so", key_text(low), from, to);
  if (after_[next_.slices.owner[after]] != PodState::kReady)
    fail("I9: {} gained {}, and is not ready", to, key_text(low));
  if (move->cause == MoveCause::kDeath && !dead)
    fail("I6: {} moved because of the death of {}, which lives", key_text(low), from);
  if (move->cause == MoveCause::kDrain && !draining)
    fail("I6: {} moved because {} drains, which it does not", key_text(low), from);
  if (move->cause != MoveCause::kDeath && dead)
    fail("I6: {} moved from {}, which is dead, for another cause", key_text(low), from);
  int64_t earliest = std::max(previous_.slices.cutover_s[before],
                              input_.now_s + (move->cause == MoveCause::kDeath ? 0 : config_.cutover_delay_s));
  if (next_.slices.cutover_s[after] < earliest)
    fail("I6: the cutover of {} is {} s too early", key_text(low), earliest - next_.slices.cutover_s[after]);
  if (next_.slices.since[after] != next_.generation)
    fail("I6: {} moved, and its `since` does not say so", key_text(low));
  int32_t standby = previous_.slices.standby[before];
  if (move->cause != MoveCause::kDeath || standby == kNoPod) return;
  const std::string& heir = previous_.pods[static_cast<size_t>(standby)].name;
  if (before_[static_cast<size_t>(standby)] == PodState::kReady && to != heir)
    fail("I10: {} died, its standby for {} is {}, and {} got it", from, key_text(low), heir, to);
}

// Range by range over the borders of both.
void Checker::check_ranges() {
  const Slices &p = previous_.slices, &n = next_.slices;
  for (size_t i = 0, j = 0; i < p.size() && j < n.size();) {
    uint64_t low = std::max(p.low[i], n.low[j]);
    if (!same_owner(i, j))
      check_move(low, i, j);
    else if (n.cutover_s[j] < p.cutover_s[i])
      fail("I6: the cutover of {} went back", key_text(low));
    else if (n.cutover_s[j] > std::max(p.cutover_s[i], input_.now_s - kRememberedS / 2))
      // Merged with a neighbour that moved so lately that windows may still ask whose they are.
      fail("I6: {} did not move, and has a new cutover", key_text(low));
    uint64_t next_i = p.high(i), next_j = n.high(j);
    bool step_i = next_i != 0 && (next_j == 0 || next_i <= next_j),
         step_j = next_j != 0 && (next_i == 0 || next_j <= next_i);
    if (!step_i && !step_j) break;
    i += step_i, j += step_j;
  }
  // What moved within the hour stays known, as far as the file has room for it.
  auto at = next_.moved.begin();
  for (const Move& m : previous_.moved) {
    if (m.at_s <= input_.now_s - kRememberedS) continue;
    if (at != next_.moved.end() && *at == m)
      ++at;
    else if (m.cause == MoveCause::kBalance || !is_full())
      return fail("I7: `moved` forgot {} of {}", key_text(m.low), m.to);
  }
}

// What was moved for balance or filling so lately that it must rest. Sorted, and without overlap.
std::vector<Checker::Range> Checker::resting_ranges() const {
  std::vector<Range> all, out;
  for (const Move& m : previous_.moved)
    if (is_within(m.at_s, config_.cooldown_s) && (m.cause == MoveCause::kBalance || m.cause == MoveCause::kFill))
      all.push_back({m.low, m.high});
  std::sort(all.begin(), all.end(), [](const Range& a, const Range& b) { return a.low < b.low; });
  for (const Range& r : all) {
    if (out.empty() || (out.back().high != 0 && out.back().high < r.low))
      out.push_back(r);
    else if (out.back().high != 0 && (r.high == 0 || r.high > out.back().high))
      out.back().high = r.high;
  }
  return out;
}

void Checker::check_budgets() {
  auto share = [&](MoveCause cause, int64_t s) {
    double sum = 0;
    for (const Move& m : next_.moved)
      if (m.cause == cause && is_within(m.at_s, s)) sum += key_share(m.low, m.high);
    return sum;
  };
  std::vector<Range> resting = resting_ranges();
  bool balances = false, fills = false;
  for (const Move* m : fresh_) {
    balances |= m->cause == MoveCause::kBalance, fills |= m->cause == MoveCause::kFill;
    if (m->cause != MoveCause::kBalance) continue;
    // The last that begins before the end of the move.
    auto behind = m->high == 0 ? resting.end()
                               : std::lower_bound(resting.begin(), resting.end(), m->high,
                                                  [](const Range& r, uint64_t high) { return r.low < high; });
    if (behind != resting.begin() && (std::prev(behind)->high == 0 || std::prev(behind)->high > m->low))
      fail("I8: {} was moved within the cooldown, and again for balance", key_text(m->low));
  }
  int64_t round = config_.round_s;
  if (balances && share(MoveCause::kBalance, round) > config_.round_budget + kShareSlack)
    fail("I7: balance moves {} of the key space in a round", share(MoveCause::kBalance, round));
  if (balances && share(MoveCause::kBalance, 3600) > config_.hour_budget + kShareSlack)
    fail("I7: balance moves {} of the key space in an hour", share(MoveCause::kBalance, 3600));
  if (fills && share(MoveCause::kFill, round) > config_.round_budget + kShareSlack)
    fail("I7: filling moves {} of the key space in a round", share(MoveCause::kFill, round));
}

void Checker::check_mass_death() {
  if (std::none_of(fresh_.begin(), fresh_.end(), [](const Move* m) { return m->cause == MoveCause::kDeath; })) return;
  std::vector<bool> owns(previous_.pods.size());
  for (uint32_t owner : previous_.slices.owner) owns[owner] = true;
  std::map<std::string_view, size_t> zones, dead_zones;
  size_t all = 0, dead = 0;
  for (size_t i = 0; i < previous_.pods.size(); i++) {
    const AssignedPod& pod = previous_.pods[i];
    if (!owns[i] || before_[i] != PodState::kDead) continue;
    all++, dead++, zones[pod.zone]++, dead_zones[pod.zone]++;
  }
  for (const PodView& v : input_.pods)
    if (v.alive) all++, zones[v.report.zone]++;
  if (dead < config_.dead_pods_min || static_cast<double>(dead) <= config_.dead_share_max * static_cast<double>(all))
    return;
  size_t most = 0;
  for (const auto& [zone, count] : dead_zones) most = std::max(most, count);
  if (zones.size() < 2 || static_cast<double>(most) < 0.9 * static_cast<double>(dead))
    fail("I19: {} of {} pods died at once, and their slices are moved", dead, all);
}

void Checker::check_standbys() {
  std::set<std::string_view> zones;
  std::map<std::string_view, std::set<std::string_view>> hosts;  // by zone: of those that have memory left
  for (const PodView& v : input_.pods) {
    if (!v.alive || v.report.state != PodState::kReady) continue;
    zones.insert(v.report.zone);
    if (v.report.memory_limit == 0 ||
        static_cast<double>(v.report.memory) <= kMemoryFull * static_cast<double>(v.report.memory_limit))
      hosts[v.report.zone].insert(v.report.host);
  }
  auto is_other_host = [&](const AssignedPod& owner) {
    bool other_zone = zones.size() > 1 || !zones.contains(owner.zone);
    return std::any_of(hosts.begin(), hosts.end(), [&](const auto& zone) {
      return !(other_zone && zone.first == owner.zone) && zone.second.size() > zone.second.count(owner.host);
    });
  };
  for (size_t i = 0; i < next_.slices.size(); i++) {
    if (next_.slices.standby[i] == kNoPod) continue;
    const AssignedPod &owner = next_.pods[next_.slices.owner[i]],
                      &standby = next_.pods[static_cast<size_t>(next_.slices.standby[i])];
    if (after_[static_cast<size_t>(next_.slices.standby[i])] != PodState::kReady)
      fail("I9: {} is the standby of {}, and is not ready", standby.name, key_text(next_.slices.low[i]));
    if (standby.zone == owner.zone && (zones.size() > 1 || !zones.contains(owner.zone)))
      fail("I12: {} and its standby are in zone \"{}\"", key_text(next_.slices.low[i]), owner.zone);
    if (standby.host == owner.host && is_other_host(owner))
      fail("I12: {} and its standby are on host \"{}\"", key_text(next_.slices.low[i]), owner.host);
  }
}

void Checker::check_counts() {
  if (next_.slices.size() > kSlicesMax) fail("I13: {} slices", next_.slices.size());
  if (bytes_ > config_.file_bytes_max) fail("I13: {} bytes, more than readers take", bytes_);
  std::vector<size_t> before(previous_.pods.size()), after(next_.pods.size());
  for (uint32_t owner : previous_.slices.owner) before[owner]++;
  for (uint32_t owner : next_.slices.owner) after[owner]++;
  // Wide slices are cut, whatever their number, into pieces that fit a round's budget.
  double fitting = std::max(config_.round_budget, kRoundBudgetMin);
  std::vector<size_t> pieces(previous_.pods.size());
  for (size_t i = 0; i < previous_.slices.size(); i++)
    if (double share = previous_.slices.share(i); share > fitting)
      pieces[previous_.slices.owner[i]] += static_cast<size_t>(2 * share / fitting);
  for (size_t i = 0; i < after.size() && !previous_.slices.low.empty(); i++) {
    if (was_[i] == kNoPod) continue;
    auto was = static_cast<size_t>(was_[i]);
    const std::string& name = next_.pods[i].name;
    size_t most = std::max<size_t>(config_.slices_per_pod_max, before[was]) + pieces[was];
    if (after[i] > most && !gained_.contains(name)) fail("I13: {} has {} slices", name, after[i]);
    if (after[i] < before[was] && after[i] < config_.slices_per_pod_min && !lost_.contains(name))
      fail("I13: {} has {} slices left", name, after[i]);
  }
}

}  // namespace

std::vector<std::string> check_structure(const Assignment& a) {
  std::vector<std::string> broken;
  auto fail = [&](std::string text) {
    if (broken.size() < kViolationsMax) broken.push_back(std::move(text));
  };
  const Slices& s = a.slices;
  size_t n = s.low.size();
  if (s.owner.size() != n || s.standby.size() != n || s.since.size() != n || s.cutover_s.size() != n)
    return {"I1: the columns differ in length"};
  if (a.generation > kGenerationMax) fail(fmt::format("I3: generation {} is above 2^53 - 1", a.generation));
  if (n == 0 || s.low[0] != 0) fail("I1: the key space is not covered from 0");
  for (size_t i = 0; i < n; i++) {
    if (i > 0 && s.low[i] <= s.low[i - 1]) fail(fmt::format("I1: slice {} does not begin behind slice {}", i, i - 1));
    if (s.owner[i] >= a.pods.size()) fail(fmt::format("I2: slice {} has an owner that is no pod", i));
    if (s.standby[i] < kNoPod || (s.standby[i] != kNoPod && static_cast<size_t>(s.standby[i]) >= a.pods.size()))
      fail(fmt::format("I2: slice {} has a standby that is no pod", i));
    if (s.standby[i] == static_cast<int32_t>(s.owner[i]))
      fail(fmt::format("I2: the owner of slice {} is its own standby", i));
    if (s.since[i] > a.generation) fail(fmt::format("I3: slice {} moved in a generation to come", i));
  }
  for (size_t i = 1; i < a.pods.size(); i++)
    if (a.pods[i].name <= a.pods[i - 1].name) fail("I2: the pods are not in order of their names, each once");
  return broken;
}

std::vector<std::string> check_moves(const Assignment& previous, const Assignment& next, const PlanInput& input,
                                     const PlannerConfig& config) {
  Checker checker(previous, next, input, config);
  checker.check_generation();
  checker.check_ranges();
  checker.check_budgets();
  checker.check_mass_death();
  return checker.take();
}

std::vector<std::string> check_step(const Assignment& previous, const Assignment& next, const PlanInput& input,
                                    const PlannerConfig& config) {
  Checker checker(previous, next, input, config);
  checker.check_generation();
  checker.check_ranges();
  checker.check_budgets();
  checker.check_mass_death();
  checker.check_standbys();
  checker.check_counts();
  return checker.take();
}

}  // namespace limpet
