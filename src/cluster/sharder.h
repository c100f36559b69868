// The sharder as a state machine: what was read and the times in, what to publish out. The planner says what would be
// better; this says when to ask it, whether to believe what was seen, and when rather to do nothing.
//
//   * Nothing is moved before it has listened for the dead-after time: after a start, after it was held up for more
//     than kHeldUpNs (two steps so far apart: the machine slept, the process was stopped, the directory was away), and
//     never from what it remembers of the time before. A first generation need not wait so long, since there is nobody
//     to take anything from: it comes when pods were heard and none new for kSettleNs.
//   * A change of the pods (somebody came, died, drains, began a new life) is planned for at once, but no two
//     generations come within kCoalesceNs. Balance has its own time, once a round: because of a change of pods only
//     what must move moves.
//   * What is to be published is checked once more (invariants.h); what is broken stays unpublished, counts as a bug of
//     ours and is an alarm.
//   * Publishing is a compare-and-swap by generation. Who loses it reads again and plans anew. So does who is held up
//     for kPublishWithinNs (or half of the cutover's delay) between planning and publishing: the cutovers in the plan
//     would come too soon for the pods.
//   * The highest generation that it ever saw stays in force: should the files be lost or go back, it is published
//     again under a higher number.
//
// The order for the caller: read, step(), remove what is to be removed, publish, on_published(); after kLost
// or kLate read and step() at once. A directory that cannot be read gives no step(). Any thread, one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "cluster/liveness.h"
#include "sharding/assignment.h"
#include "sharding/planner.h"
#include "sharding/report.h"

namespace limpet {

struct SharderConfig {
  PlannerConfig planner;
  int64_t dead_after_ns = 10 * kSecondNs;
};

// What was read.
struct SharderInput {
  std::shared_ptr<const Assignment> assignment;  // the newest valid one; null: there is none
  std::span<const PodReport> reports;            // all of them
  bool damaged = false;                          // the file `assignment.json` itself is missing or not valid
};

struct SharderActions {
  std::shared_ptr<const Assignment> publish;  // null: nothing
  WallTime publish_until;                     // later it must not appear any more
  std::vector<std::string> remove_reports;    // pods that are gone for good
  std::vector<std::pair<LogLevel, std::string>> log;
  MonoTime again;  // step() has something to do then, even if nothing changes
};

enum class PublishOutcome : uint8_t {
  kDone,
  kLost,   // another sharder was first
  kLate,   // it was held up until it was too late
  kFailed  // it could not be written
};

struct Alarm {
  // "frozen", "bug", "cluster", "damaged", "ahead", "no-pods", "not-ready", "owner-not-ready",
  // "held-up", "generations"
  std::string name;
  std::string text;
  bool operator==(const Alarm&) const = default;
};

struct SharderStats {
  static constexpr size_t kCauses = 5;  // of MoveCause
  uint64_t steps = 0, plans = 0, published = 0, conflicts = 0, publish_errors = 0;
  uint64_t bugs = 0;      // plans that broke an invariant
  uint64_t held_up = 0;   // times it listened anew since it was held up
  uint64_t deaths = 0;    // pods declared dead
  uint64_t restored = 0;  // generations published since files were lost or damaged
  uint64_t frozen_plans = 0;
  std::array<uint64_t, kCauses> moves{};  // slices that changed their owner
  std::array<double, kCauses> churn{};    // ... as shares of the key space
  uint64_t standby_moves = 0;             // slices that changed their standby
  double standby_churn = 0;
  std::map<std::string, uint64_t> decisions;  // what made it plan, and what the planner wanted and did not do
};

class Sharder {
 public:
  static constexpr int64_t kHeldUpNs = 2 * kSecondNs;
  static constexpr int64_t kSettleNs = 2 * kSecondNs;
  static constexpr int64_t kCoalesceNs = kSecondNs;
  static constexpr int64_t kRetryNs = kSecondNs;
  static constexpr int64_t kPublishWithinNs = 5 * kSecondNs;
  static constexpr int64_t kUnreadyNs = 30 * kSecondNs;  // an owner that is not ready for so long is an alarm

  using Planner = std::function<Plan(const Assignment&, const PlanInput&, const PlannerConfig&)>;
  explicit Sharder(SharderConfig config, Planner planner = plan);

  SharderActions step(const SharderInput& input, WallTime wall, MonoTime now);
  // What became of what the last step() wanted published. kLost: `taken` is the highest generation that is there, or 0.
  void on_published(PublishOutcome outcome, MonoTime now, uint64_t taken = 0);

  // In force as far as is known; null: none. Immutable.
  std::shared_ptr<const Assignment> assignment() const { return base_; }
  const Liveness& liveness() const { return liveness_; }
  // Still listening, so that nothing is moved.
  bool listening(MonoTime now) const { return !liveness_.listened(now); }
  const SharderStats& stats() const { return stats_; }
  std::vector<Alarm> alarms() const;
  const std::vector<std::string>& notes() const { return notes_; }  // of the last plan

 private:
  void note_time(SharderActions& actions, MonoTime now);
  void adopt(const SharderInput& input, MonoTime now);
  void watch_generations(std::span<const PodReport> reports, MonoTime now);
  void tell_news(SharderActions& actions);
  bool may_plan(MonoTime now) const;
  bool is_due(MonoTime now) const;
  bool is_round(MonoTime now) const { return now.ns - last_round_.ns >= config_.planner.round_s * kSecondNs; }
  void restore(SharderActions& actions, WallTime wall, MonoTime now);
  void make_plan(SharderActions& actions, WallTime wall, MonoTime now);
  // What a plan is checked against.
  struct PlannedFor {
    const Assignment& previous;
    const PlanInput& input;
    const PlannerConfig& config;
  };
  void note_decisions(bool is_round);
  void propose(Assignment next, const PlannedFor* planned, SharderActions& actions);
  MonoTime next_step(MonoTime now) const;
  void count_moves(const Assignment& previous, const Assignment& next);
  void count_standbys(const Assignment& previous, const Assignment& next);

  const SharderConfig config_;
  const Planner planner_;
  Liveness liveness_;
  std::shared_ptr<const Assignment> base_, proposed_;
  SharderStats stats_;
  std::vector<std::string> notes_;
  std::vector<std::string> broken_;   // why the last plan was not published
  std::vector<std::string> unready_;  // pods that own slices and have not been ready for kUnreadyNs

  std::optional<MonoTime> last_step_;
  std::optional<MonoTime> damaged_since_, ahead_since_;
  MonoTime last_round_, last_change_, not_before_;
  uint64_t floor_ = 0;    // generations up to here are taken, though they cannot be read
  uint64_t ahead_ = 0;    // the highest generation that a report names beyond ours
  uint64_t lost_to_ = 0;  // the generation that another sharder published first
  std::string foreign_;   // the cluster of the assignment, if it is not ours
  bool wanted_ = false;   // there was a change that no plan has answered
  bool frozen_ = false, held_up_ = false;
  bool used_up_ = false;  // there is no generation above the last one
};

std::string_view to_string(Liveness::News::What what);

}  // namespace limpet
