// Follows the assignment for one pod, on a thread of its own, since a shared file system may keep it waiting: reads the
// newest file, holds the pod's lock, hears of drain requests, writes the pod's reports. What it finds is taken by the
// engine's thread when it is rung for.
//
// Level-triggered: news say how things are, never what happened. A process without the pod's lock is a twin: it owns
// nothing and writes no reports, and looks whether the lock came free. So is one whose lock file was removed, if
// another process has the lock of the one that took its place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/time.h"
#include "sharding/ownership.h"
#include "sharding/report.h"

namespace limpet {

// How things stand, as of the last look.
struct AssignmentNews {
  std::shared_ptr<const Ownership> ownership;  // never null; owns nothing before the first assignment, and for a twin
  bool listed = false;                         // an assignment was adopted that names the pod
  bool twin = false;                           // another process holds the pod's lock
  bool drain = false;                          // somebody asked this incarnation to hand everything off
  bool drain_known = false;  // the assignment says that this incarnation drains: nothing is given to it any more
  int64_t created_s = 0;     // of the assignment
  uint64_t rejected = 0;     // times that something was found wrong with what was read, and the last good file stayed
};

class AssignmentFollower {
 public:
  struct Options {
    std::string directory;
    std::string pod, incarnation;
    WallTime started;     // of the process
    int64_t held_ns = 0;  // lines that came since the start are kept for so long before they count as unowned
    int64_t poll_ns = 500 * kMillisecondNs;
  };
  // `ring` is called from the follower's thread whenever there is news.
  AssignmentFollower(Options options, std::function<void()> ring, Log& log);
  // Writes the report that waits, if there is one.
  ~AssignmentFollower();

  // The newest news, if there is any since the last call.
  std::optional<AssignmentNews> take();
  // Written soon; of several only the newest.
  void write(PodReport report);
  // Windows may be unfinished for so long after they began.
  void keep_moves(int64_t at_least_ns);
  // Lines are not kept any longer.
  void end_hold();
  // Looks at once and waits until it could, at most so long; false: it could not. For a process that may have slept.
  bool look_now(int64_t wait_ns);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace limpet
