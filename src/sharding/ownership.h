// What one pod makes of the assignment: for each key the times whose windows are its own. A move without state (design:
// "Moves without state") cuts time, not state: a window belongs to the owner at its start, so the former owner goes on
// with the windows that began before the cutover, and the new one has those that begin at or after it.
//
// OwnershipTracker turns one adopted assignment after another into Ownerships. It compares what the file says with what
// it knows: generations may be missed, since the file names the moves of the last hour. Of a file that does not say
// between whom something moved, or does not mention a move, it concludes that from the one before.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/time.h"
#include "sharding/assignment.h"
#include "sharding/slice_index.h"

namespace limpet {

// A time in which a pod owned a key without a break. Times are Unix nanoseconds.
struct Interval {
  static constexpr int64_t kBegin = std::numeric_limits<int64_t>::min(), kEnd = std::numeric_limits<int64_t>::max();

  int64_t from_ns = kBegin;   // cutover by which it came; kBegin: nobody had it before
  int64_t to_ns = kEnd;       // cutover by which it went; kEnd: it is still this pod's
  int64_t since_ns = kBegin;  // when this process adopted it: of windows that began before it has a part at most
  // The former owner died: its windows in progress at `from_ns` are emitted by this pod, with what it has of them;
  // those that began at or after `inherited_ns` were its. Those that had ended, and were in their grace, are lost:
  // should it live, it may emit them before it hears of its death.
  bool after_death = false;
  int64_t inherited_ns = kBegin;
  // Lines to be written back go by their own time, and the older ones are the former owner's: for a while, and as long
  // as it is there. This pod's are those from `lines_from_ns` on, from `all_lines_ns` by the wall clock on all there
  // are; and of what went those from before, until `no_lines_ns`.
  int64_t lines_from_ns = kBegin;
  int64_t all_lines_ns = kBegin, no_lines_ns = kEnd;

  // REQUIRES: begin_ns < end_ns.
  bool owns_window(int64_t begin_ns, int64_t end_ns) const {
    return begin_ns < to_ns && (after_death ? end_ns > from_ns && begin_ns >= inherited_ns : begin_ns >= from_ns);
  }
  // A line of that time is this pod's to write back. `now_ns`: by the wall clock.
  bool owns_line(int64_t time_ns, int64_t now_ns) const {
    return (time_ns >= lines_from_ns || now_ns >= all_lines_ns) && time_ns < to_ns && now_ns < no_lines_ns;
  }
  bool operator==(const Interval&) const = default;
};

// All times of one pod with a key, in order, without overlap. Empty: nothing of it was ever its own, or is any more.
class Tenure {
 public:
  Tenure() = default;
  explicit Tenure(std::vector<Interval> intervals) : intervals_(std::move(intervals)) {}

  bool empty() const { return intervals_.empty(); }
  // Owns it now, as far as is known.
  bool current() const { return !empty() && intervals_.back().to_ns == Interval::kEnd; }
  bool owns_window(int64_t begin_ns, int64_t end_ns) const { return interval_of(begin_ns, end_ns) != nullptr; }
  bool owns_line(int64_t time_ns, int64_t now_ns, bool with_former = true) const;
  // The interval to which a window belongs, or null.
  const Interval* interval_of(int64_t begin_ns, int64_t end_ns) const;
  const std::vector<Interval>& intervals() const { return intervals_; }
  bool operator==(const Tenure&) const = default;

 private:
  std::vector<Interval> intervals_;
};

// One pod's view of one generation. Immutable, any thread.
class Ownership {
 public:
  // Owns nothing: before the first assignment, or without the right to one.
  Ownership() = default;

  uint64_t generation() const { return generation_; }
  // O(1) for evenly spread slices. The reference lives as long as the Ownership.
  const Tenure& tenure_of(uint64_t key) const { return low_.empty() ? nothing_ : tenures_[tenure_[index_.find(key)]]; }
  // A line of that time with that key is this pod's to write back. `now_ns`: by the wall clock.
  bool owns_line(uint64_t key, int64_t time_ns, int64_t now_ns) const {
    return tenure_of(key).owns_line(time_ns, now_ns, !gone_);
  }
  // The slice of the assignment that holds the key, counted from 0. REQUIRES: slices() > 0.
  uint32_t slice_of(uint64_t key) const { return slice_[index_.find(key)]; }
  size_t slices() const { return slice_low_.size(); }
  uint64_t slice_low(size_t slice) const { return slice_low_[slice]; }
  // This pod owns the slice, or has owned a part of it and may still have windows to finish.
  bool concerns(size_t slice) const { return concerns_[slice]; }
  size_t owned() const { return owned_; }  // slices that are this pod's now
  // The latest cutover by which something went: when windows that began before it are done, nothing is left to finish.
  int64_t last_given_up_ns() const { return last_given_up_ns_; }

 private:
  friend class OwnershipTracker;

  static const Tenure nothing_;
  uint64_t generation_ = 0;
  // The key space in ranges of one slice and one tenure each.
  std::vector<uint64_t> low_;
  std::vector<uint32_t> slice_, tenure_;
  std::vector<Tenure> tenures_;
  SliceIndex index_;
  std::vector<uint64_t> slice_low_;
  std::vector<bool> concerns_;
  size_t owned_ = 0;
  bool gone_ = true;  // so the others think: what was this pod's is theirs
  int64_t last_given_up_ns_ = Interval::kBegin;
};

class OwnershipTracker {
 public:
  // `moves_kept_ns`: how long after a cutover windows that began before it may still be unfinished.
  explicit OwnershipTracker(std::string pod, int64_t moves_kept_ns = 24 * kHourNs)
      : pod_(std::move(pod)), moves_kept_ns_(moves_kept_ns) {}

  // There are longer windows from now on. Never less than before.
  void keep_moves(int64_t at_least_ns) { moves_kept_ns_ = std::max(moves_kept_ns_, at_least_ns); }

  // `now`: since when this process aggregates what it just got. O((slices + moves) log).
  // REQUIRES: check_structure(*assignment) is empty; the generation is above that of the last call.
  std::shared_ptr<const Ownership> adopt(std::shared_ptr<const Assignment> assignment, WallTime now);
  std::shared_ptr<const Ownership> adopt(const Assignment& assignment, WallTime now) {
    return adopt(std::make_shared<const Assignment>(assignment), now);
  }

 private:
  // How long after a cutover the former owner has the lines from before it.
  int64_t lines_kept_ns(const Move& move) const;
  std::vector<Move> remember_moves(const Assignment& assignment, WallTime now);
  void conclude_moves(const Assignment& assignment, std::vector<Move> news, WallTime now);
  MoveCause cause_of_change(const Assignment& assignment, uint64_t key) const;
  void sort_moves();
  std::vector<uint64_t> known_borders(WallTime now) const;
  bool is_old(int64_t cutover_s, WallTime now) const;
  // As the file has it.
  struct Range {
    uint64_t low;
    bool owned;          // by this pod
    int64_t cutover_ns;  // by which it came to its owner,
    uint64_t since;      // and in which generation
  };
  class FormerOwners;
  Tenure tenure_of(const std::vector<const Move*>& moves, const Range& range, FormerOwners& former, WallTime now) const;
  const Interval* known_until(uint64_t low, int64_t to_ns) const;
  int64_t since_of(uint64_t low, int64_t from_ns, bool after_death, WallTime now) const;

  const std::string pod_;
  int64_t moves_kept_ns_;
  // To or from this pod, and how its dead pods came to what they left it; by cutover, then as planned.
  std::vector<Move> moves_;
  std::unordered_set<uint64_t> known_;  // hashes of moves_
  std::unordered_set<uint64_t> named_;  // of those that the file names
  std::shared_ptr<const Ownership> last_;
  std::shared_ptr<const Assignment> last_assignment_;
};

}  // namespace limpet
