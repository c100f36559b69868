// What `limpet shard` tells of itself and its cluster: JSON for the API and the page, Prometheus text. docs/sharder.md
// explains the numbers.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "cluster/sharder.h"
#include "service/cluster_view.h"

namespace limpet {

struct GenerationNote {
  uint64_t generation = 0;
  int64_t created_s = 0;
  std::vector<std::string> cause;
  uint64_t moves = 0;
  double share = 0;  // of the key space, moved
};
GenerationNote note_of(const Assignment& assignment);

struct ActiveAlarm {
  Alarm alarm;
  int64_t since_s = 0;  // Unix seconds
};

// How long generations take from their creation to their adoption by a pod, as seen from here.
class Propagation {
 public:
  static constexpr double kBoundsS[] = {0.5, 1, 2, 3, 5, 10, 20, 60};
  void add(double seconds);
  const std::array<uint64_t, std::size(kBoundsS) + 1>& counts() const { return counts_; }
  double sum_s() const { return sum_s_; }
  uint64_t count() const { return count_; }

 private:
  std::array<uint64_t, std::size(kBoundsS) + 1> counts_{};
  double sum_s_ = 0;
  uint64_t count_ = 0;
};

// How long what takes, over the life of the process. One thread.
class PhaseClock {
 public:
  // What is measured from now on; null: nothing.
  void begin(const char* phase);
  // Seconds by phase.
  const std::map<std::string, double>& totals() const { return totals_; }

 private:
  std::map<std::string, double> totals_;
  const char* now_ = nullptr;
  int64_t since_ns_ = 0;
};

// Of the process around the state machine.
struct SharderProcess {
  std::string directory;
  WallTime started, now;
  double listening_s = 0;  // so long it still listens, and moves nothing
  double dead_after_s = 0;
  bool directory_ok = true;
  uint64_t directory_errors = 0;      // looks that failed
  uint64_t assignments_rejected = 0;  // files, each counted once
  uint64_t reports_rejected = 0;
  double step_s = 0, step_max_s = 0;  // CPU for one look: reading, thinking, writing
  uint64_t requests = 0;
  uint64_t assignment_bytes = 0;  // of the file
  std::map<std::string, double> phases_s;
};

struct ClusterStatus {
  const ClusterView& view;
  const SharderStats& stats;
  const SharderProcess& process;
  const std::vector<ActiveAlarm>& alarms;
  const std::vector<std::string>& notes;
  const std::deque<GenerationNote>& generations;  // newest first
  const Propagation& propagation;
};

// /api/cluster. with_slices: the columns of all slices, too, which are most of it.
std::string cluster_json(const ClusterStatus& status, bool with_slices);
// /api/status: the same without slices, with the sharder's counts.
std::string sharder_json(const ClusterStatus& status);
// What the files alone say, for who is no sharder: /api/cluster without sharder, alarms, notes and generations.
std::string view_json(const ClusterView& view, WallTime now);
std::string sharder_prometheus(const ClusterStatus& status);

}  // namespace limpet
