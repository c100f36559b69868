// How many result lines may be written now: a token bucket. A burst of results is spread out since Telegraf's output
// buffers drop their oldest metrics when overrun. Pure; monotonic time comes from outside.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace limpet {

class Pacer {
 public:
  // `lines_per_s`: the pace where no more is needed; 0: no pace.
  Pacer(double lines_per_s, MonoTime now) : least_(lines_per_s), rate_(lines_per_s), last_(now) {
    tokens_ = capacity();
  }

  // What it takes to finish one window's results before the next ones are due; the pace is the larger of this and the
  // configured one.
  void set_needed(double lines_per_s) { rate_ = least_ > 0 && lines_per_s > least_ ? lines_per_s : least_; }
  double lines_per_s() const { return rate_; }
  double least_lines_per_s() const { return least_; }

  // Lines that may be written now. SIZE_MAX: no pace.
  size_t allowance(MonoTime now);
  void took(size_t lines) { tokens_ -= static_cast<double>(lines); }
  // How long until a worthwhile number of lines may be written.
  int64_t wait_ns(MonoTime now);

 private:
  double capacity() const;
  void refill(MonoTime now);

  double least_;
  double rate_;
  double tokens_ = 0;
  MonoTime last_;
};

// The pace that the rules need in steady state: each writes `lines` result lines every `every_ns`. With a reserve of a
// quarter.
struct RulePace {
  double lines = 0;
  int64_t every_ns = 0;
};
template <typename Range>
double needed_pace(const Range& rules) {
  double sum = 0;
  for (const RulePace& rule : rules)
    sum += 1.25 * rule.lines * static_cast<double>(kSecondNs) / static_cast<double>(rule.every_ns);
  return sum;
}

}  // namespace limpet
