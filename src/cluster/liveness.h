// Which pods live. A pod is dead when its (incarnation, sequence) has not changed for the dead-after time of the
// monotonic clock of the one who looks; no time that stands in a file counts.
//
// Pods that fall silent together are declared dead together, though their reports are written at different moments:
// while a further pod has been silent for most of the dead-after time, a death waits for it (kTogetherNs at most). So
// the planner sees how many there are, and can tell a dead zone or its own blindness from a dead pod.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/time.h"
#include "sharding/assignment.h"
#include "sharding/planner.h"
#include "sharding/report.h"

namespace limpet {

struct TrackedPod {
  PodReport report;       // the last one; of a pod that never reported, what the assignment says of it
  bool reported = false;  // there is, or was, a report
  bool present = false;   // ... at the last look
  bool assigned = false;  // the assignment names it
  bool owns = false;      // ... as the owner of a slice
  // Its report appeared or changed since listening began: the process lived then, for certain.
  bool heard = false;
  bool alive = true;
  MonoTime heard_at;      // when the report last changed, or listening began
  MonoTime silent_since;  // when the report last changed, or was first seen
  MonoTime served_at;     // when it last was ready or owned nothing, or listening began
};

class Liveness {
 public:
  static constexpr int64_t kTogetherNs = 3 * kSecondNs;
  static constexpr int64_t kForgetNs = kHourNs;

  explicit Liveness(int64_t dead_after_ns) : dead_after_ns_(dead_after_ns) {}

  // Nothing is known of the time before: every pod gets the whole dead-after time.
  void listen_anew(MonoTime now);
  // What was read: all reports, and the assignment in force (null: none). True if anything changed that a planner
  // acts upon at once: who is there, heard, alive, in which state and life. O(pods log pods).
  bool observe(std::span<const PodReport> reports, const Assignment* assignment, MonoTime now);

  // A pod has been silent for long enough, and its death waits for those of others: no moment to plan.
  bool death_waits(MonoTime now) const;
  bool listened(MonoTime now) const { return now.ns - listening_since_.ns >= dead_after_ns_; }
  MonoTime listening_since() const { return listening_since_; }
  // When the last pod appeared or was first heard.
  MonoTime last_newcomer() const { return last_newcomer_; }
  // When the next pod can be declared dead if nothing is heard; `none` if none can.
  MonoTime next_death(MonoTime none) const;
  const std::map<std::string, TrackedPod, std::less<>>& pods() const { return pods_; }
  // Those whose report has not changed for an hour and that own nothing: their reports are of no use.
  std::vector<std::string> gone(MonoTime now) const;
  // Those that live and own slices, and have not been ready for so long.
  std::vector<std::string> unready(MonoTime now, int64_t for_ns) const;
  // For the planner, sorted by name. only_heard: leaves out who may be long gone.
  std::vector<PodView> views(bool only_heard) const;

  struct News {
    std::string pod;
    enum class What : uint8_t { kNew, kDead, kBack, kRestarted, kState } what;
    int64_t silent_ns = 0;
  };
  // Of the last observe().
  const std::vector<News>& news() const { return news_; }

 private:
  void take_report(const PodReport& report, MonoTime now);
  void take_first_report(TrackedPod& pod, const PodReport& report, MonoTime now);
  void take_assignment(const Assignment& assignment, MonoTime now);
  void declare_deaths(MonoTime now);
  void note(const std::string& pod, News::What what, int64_t silent_ns = 0) { news_.push_back({pod, what, silent_ns}); }

  const int64_t dead_after_ns_;
  std::map<std::string, TrackedPod, std::less<>> pods_;
  MonoTime listening_since_, last_newcomer_;
  bool first_look_ = true;  // what lies there may be old
  std::vector<News> news_;
};

}  // namespace limpet
