// Which windows of a rule are open: the arithmetic of time and nothing else. Pure.
//
// Windows are numbered: window k ends at k * every and holds the panes k - P ... k - 1, P panes a window. It is open
// while the clock reads below its end + grace and it was not emitted. So a clock that jumped ahead and came back closes
// only what was emitted meanwhile, and no window is ever emitted twice.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/int128.h"
#include "base/time.h"
#include "rules/rule.h"

namespace limpet {

// Numbers, kept as sorted runs; forgets the lowest runs beyond kRunsMax by joining them.
class NumberSet {
 public:
  bool contains(int64_t n) const {
    auto it = std::lower_bound(runs_.begin(), runs_.end(), n, [](const Run& r, int64_t v) { return r.last < v; });
    return it != runs_.end() && it->first <= n;
  }
  // The lowest number at or above n that is not in the set.
  int64_t next_absent(int64_t n) const {
    auto it = std::lower_bound(runs_.begin(), runs_.end(), n, [](const Run& r, int64_t v) { return r.last < v; });
    return it != runs_.end() && it->first <= n ? it->last + 1 : n;
  }
  void insert(int64_t n);
  int64_t highest() const { return runs_.empty() ? std::numeric_limits<int64_t>::min() : runs_.back().last; }

 private:
  static constexpr size_t kRunsMax = 4096;
  struct Run {
    int64_t first, last;
  };
  std::vector<Run> runs_;
};

class WindowClock {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  explicit WindowClock(const Rule& rule) : every_ns_(rule.every_ns), panes_(rule.panes_per_window()) {
    set_limits(rule);
  }

  void set_limits(const Rule& rule) {  // what a reload changes at once
    grace_ns_ = rule.grace_ns;
    keep_ns_ = rule.late == LatePolicy::kCorrect ? std::max(rule.late_limit_ns, rule.grace_ns) : rule.grace_ns;
  }
  int64_t every_ns() const { return every_ns_; }
  int64_t kept_ns() const { return keep_ns_; }  // how long after its end a window may still be emitted
  int64_t panes() const { return panes_; }
  int64_t pane_of(int64_t time_ns) const { return floor_div(time_ns, every_ns_); }
  int64_t end_ns(int64_t window) const { return scaled(window, 0); }  // saturating, as all times here
  int64_t begin_ns(int64_t window) const { return scaled(window - panes_, 0); }
  int64_t due_ns(int64_t window) const { return scaled(window, grace_ns_); }       // when it is emitted
  int64_t forgotten_ns(int64_t window) const { return scaled(window, keep_ns_); }  // when it can no longer be corrected

  // The windows of this definition: those that begin behind `from` / at or before `to`. A window that begins that very
  // moment is the former definition's: by the data's clock the sample that moved it there is in it already.
  void begin_after(int64_t from_ns) { first_ = pane_of(from_ns) + 1 + panes_; }
  void end_after(int64_t to_ns) { last_ = std::min(last_, pane_of(to_ns) + panes_); }
  int64_t first_window() const { return first_; }
  int64_t last_window() const { return last_; }
  bool in_force(int64_t window) const { return first_ <= window && window <= last_; }

  // The lowest window that the clock has not closed.
  int64_t first_unclosed(int64_t now_ns) const { return floor_div(sub(now_ns, grace_ns_), every_ns_) + 1; }
  bool open(int64_t window, int64_t now_ns) const {
    return in_force(window) && now_ns < due_ns(window) && !emitted_.contains(window);
  }
  void mark_emitted(int64_t window) { emitted_.insert(window); }
  bool emitted(int64_t window) const { return emitted_.contains(window); }
  int64_t next_not_emitted(int64_t window) const { return emitted_.next_absent(window); }
  int64_t highest_emitted() const { return emitted_.highest(); }

  // What becomes of a sample in a pane: in how many windows of this definition it counts, how many it missed.
  struct Fate {
    int64_t open = 0;
    int64_t missed = 0;
  };
  Fate fate(int64_t pane, int64_t now_ns) const;

 private:
  int64_t scaled(int64_t n, int64_t plus) const {
    int128 v = static_cast<int128>(n) * every_ns_ + plus;
    constexpr int128 kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();
    return static_cast<int64_t>(std::clamp(v, kLow, kHigh));
  }
  static int64_t sub(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_sub_overflow(a, b, &r) ? std::numeric_limits<int64_t>::min() : r;
  }

  int64_t every_ns_;
  int64_t panes_;
  int64_t grace_ns_ = 0;
  int64_t keep_ns_ = 0;
  int64_t first_ = std::numeric_limits<int64_t>::min() / 2;
  int64_t last_ = std::numeric_limits<int64_t>::max() / 2;
  NumberSet emitted_;
};

}  // namespace limpet
