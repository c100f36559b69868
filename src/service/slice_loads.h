// How much work each slice makes: moving averages of what the engine counted and of the process's CPU time, as reports
// tell the sharder. The CPU time is divided by the cost of the samples, all of it: also what unowned lines cost, and
// what was spent while no sample came. So the slices' add up to the process's. Pure, one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"
#include "engine/engine.h"
#include "sharding/ownership.h"
#include "sharding/report.h"

namespace limpet {

class SliceLoads {
 public:
  static constexpr int64_t kHalfLifeNs = 30 * kSecondNs;

  // Another generation is in force: averages go over to the slices that now cover their part of the key space.
  // Call add() for the time before it first.
  void adopt(std::shared_ptr<const Ownership> ownership);
  // `work` as of now, counted since the ownership came in force; `cpu_s`: CPU time of the process since its start.
  void add(const std::vector<SliceWork>& work, double cpu_s, MonoTime now);
  // The slices that concern this pod, its CPU and its hot keys.
  void describe(const std::vector<SliceState>& state, const HotKeys& hot, PodReport& report) const;

  double samples_per_s() const;  // of all slices
  double cpu() const;            // CPU seconds per second, of the process

 private:
  // An exponentially weighted average and the weight of what is in it, which is below 1 at first.
  struct Average {
    double value = 0, weight = 0;
    void add(double rate, double share) {
      value += (rate - value) * share;
      weight += (1 - weight) * share;
    }
    double rate() const { return weight > 0 ? value / weight : 0; }
  };
  struct Load {
    Average samples, cpu, cost;
  };
  // By what the CPU time since the last add() is divided. `total` 0: nothing is this pod's.
  struct Weights {
    std::vector<double> of;  // by slice
    double total = 0;
  };
  Weights weights(const std::vector<SliceWork>& work) const;

  std::shared_ptr<const Ownership> ownership_ = std::make_shared<Ownership>();
  std::vector<Load> loads_;  // by slice
  std::vector<SliceWork> before_;
  Average cpu_;
  double cpu_before_s_ = 0;
  MonoTime added_{};
};

}  // namespace limpet
