// `limpet shard`: wires the sharder's state machine to the directory, the clock and HTTP. One thread reads, thinks and
// writes, and answers what HTTP asks; the listeners have theirs. It keeps nothing: all state is in the directory, so
// that it may be killed at any moment.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "io/assignment_directory.h"
#include "io/network.h"
#include "io/wake.h"
#include "service/cluster_status.h"
#include "service/sharder_config.h"

namespace limpet {

class ShardService {
 public:
  // `signals`: a signalfd; any signal from it ends run().
  ShardService(ShardConfig config, int signals, Log& log);
  // The exit code.
  int run();

  static constexpr int64_t kPollNs = 500 * kMillisecondNs;  // shared file systems do not notify
  static constexpr int64_t kRestNs = 50 * kMillisecondNs;   // between two looks, whatever is heard
  // Between the end of a look that took so long and the next one. A long look is followed by a longer rest, so that no
  // directory keeps a core busy; by none so long that both together would count as being held up.
  struct Rest {
    int64_t deaf_ns;  // whatever is heard
    int64_t ns;
  };
  static constexpr Rest rest_after(int64_t look_ns) {
    int64_t wanted_ns = std::clamp(4 * look_ns, kPollNs, 2 * kPollNs);
    int64_t ns = std::max(kRestNs, std::min(wanted_ns, Sharder::kHeldUpNs - look_ns - 2 * kRestNs));
    return {.deaf_ns = std::min(ns, wanted_ns - kPollNs + kRestNs), .ns = ns};
  }
  static constexpr size_t kGenerationsKept = 100;     // in memory, for the page
  static constexpr int64_t kHungNs = 30 * kSecondNs;  // without a look for so long it is not healthy

 private:
  struct Request {
    HttpRequest request;
    HttpReply reply;
  };

  // The highest generation of a pod, and when the pod was first seen, monotonic.
  struct Adoption {
    uint64_t generation = 0;
    int64_t seen_ns = 0;
  };

  void take_request(HttpRequest request, HttpReply reply);
  void answer_requests();
  HttpAnswer answer(const HttpRequest& request);

  void look();
  // False: another sharder was first, and it is worth looking again at once.
  bool look_once();
  bool read(AssignmentRead& assignment, ReportsRead& reports);
  bool publish(const std::shared_ptr<const Assignment>& next, WallTime until);
  void directory_lost(const std::string& why);
  void directory_back();
  void note_rejected(const std::vector<std::string>& reasons, std::set<std::string>& known, uint64_t& counter);
  void note_generation(const Assignment& assignment, bool at_start);
  void note_adoptions(const std::vector<PodReport>& reports);
  void note_alarms();
  void seed_generations();
  SharderProcess process() const;
  std::vector<PodSight> sights() const;

  const ShardConfig config_;
  const int signals_;
  Log& log_;
  AssignmentDirectory directory_;
  Sharder sharder_;
  const WallTime started_;
  SharderProcess process_;
  PhaseClock clock_;
  int64_t next_look_ns_ = 0, deaf_until_ns_ = 0;
  std::set<std::string> told_;  // why something could not be published, each logged once
  std::set<std::string> rejected_assignments_, rejected_reports_;  // what the last look found wrong
  std::deque<GenerationNote> generations_;
  std::vector<ActiveAlarm> alarms_;
  std::map<std::string, Adoption> adopted_;   // by pod
  std::map<uint64_t, int64_t> published_ns_;  // when generations were first seen, monotonic
  Propagation propagation_;

  std::atomic<int64_t> heartbeat_ns_{0};
  std::mutex mutex_;  // guards requests_
  std::vector<Request> requests_;
  Wake wake_;
  Network network_;  // last: its thread uses what stands above
};

}  // namespace limpet
