// A pod of the simulated cluster: reads the assignment when it looks, reports, drains, and emits windows of some keys.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "directory.h"
#include "load.h"
#include "sharding/ownership.h"

namespace limpet::sim {

inline constexpr int64_t kWindowS = 10, kGraceS = 1;

// What became of one window of one key.
struct Emitted {
  int whole = 0, incomplete = 0;
  std::string by;  // whom and when
};

struct Pod {
  std::string name, zone, host, revision = "1";
  uint64_t life = 1;  // the incarnation
  bool up = true;
  bool retire = false;   // stays away once it has drained
  int64_t up_at_ns = 0;  // when it starts, if it is down; 0: never
  int64_t asleep_until_ns = 0;
  int64_t mute_until_ns = 0;  // its reports do not arrive
  int64_t lag_max_ms = 900, lagging_until_ns = 0;
  PodState state = PodState::kStarting;
  int64_t ready_at_ns = 0, stop_at_ns = 0;  // 0: not yet
  bool must_look = false;                   // it slept, and has not read the assignment since
  int64_t look_at_ns = 0, report_at_ns = 0;
  uint64_t sequence = 0;
  WallTime started{};
  int64_t next_window_s = 0;  // begin of the window that it emits next

  std::unique_ptr<OwnershipTracker> tracker;
  std::shared_ptr<const Ownership> ownership = std::make_shared<Ownership>();
  AssignmentPtr assignment;

  bool awake(int64_t now_ns) const { return up && now_ns >= asleep_until_ns; }
  bool draining() const { return state == PodState::kDraining || state == PodState::kDrained; }

  // Until the sharder has seen it, it may be given something this very moment.
  bool knows_that_it_drains() const {
    int32_t me = assignment ? assignment->find_pod(name) : kNoPod;
    if (me == kNoPod) return false;
    const AssignedPod& entry = assignment->pods[static_cast<size_t>(me)];
    return entry.incarnation == std::to_string(life) &&
           (entry.state == PodState::kDraining || entry.state == PodState::kDrained);
  }

  void start(int64_t now_ns, WallTime wall, int64_t ready_after_ns) {
    must_look = false;
    up = true, up_at_ns = asleep_until_ns = mute_until_ns = stop_at_ns = 0;
    state = PodState::kStarting;
    ready_at_ns = now_ns + ready_after_ns;
    look_at_ns = report_at_ns = now_ns;
    sequence = 0;
    started = wall;
    next_window_s = wall.ns / kSecondNs / kWindowS * kWindowS;  // of those before it has nothing
    tracker = std::make_unique<OwnershipTracker>(name);
    ownership = std::make_shared<Ownership>();
    assignment = nullptr;
  }
  void stop(int64_t again_ns) { up = false, up_at_ns = again_ns, life++; }

  PodReport report(const Load& load, double noise, std::mt19937_64& r) const {
    PodReport out;
    out.name = name, out.incarnation = std::to_string(life), out.sequence = sequence;
    out.address = name + ":8087", out.zone = zone, out.host = host, out.revision = revision;
    out.capacity = 1, out.state = state, out.generation = ownership->generation();
    std::uniform_real_distribution<double> factor(1 - noise, 1 + noise);
    for (size_t i = 0; i < ownership->slices(); i++) {
      if (!ownership->concerns(i)) continue;
      uint64_t low = ownership->slice_low(i), high = i + 1 < ownership->slices() ? ownership->slice_low(i + 1) : 0;
      double cpu = ownership->tenure_of(low).current() ? load.of(low, high) * factor(r) : 0;
      out.slices.push_back({low, cpu * 1e6, cpu, static_cast<uint64_t>(cpu * 1e6), 10});
      out.cpu += cpu;
      uint64_t key = 0;
      double hot = 0;
      if (cpu > 0 && load.heaviest(low, high, key, hot) && hot >= 0.05 * cpu)
        out.hot_keys.push_back({key, hot * 1e6, hot});
    }
    std::sort(out.hot_keys.begin(), out.hot_keys.end(), [](const HotKey& a, const HotKey& b) { return a.cpu > b.cpu; });
    if (out.hot_keys.size() > 64) out.hot_keys.resize(64);
    return out;
  }
};

}  // namespace limpet::sim
