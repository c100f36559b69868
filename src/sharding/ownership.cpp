#include "sharding/ownership.h"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <utility>

#include "base/hash.h"

namespace limpet {
namespace {

// Cutover 0: nobody had it before.
int64_t cutover_ns(int64_t cutover_s) { return cutover_s == 0 ? Interval::kBegin : nanoseconds_of(cutover_s); }
int64_t cutover_ns(const Move& move) { return cutover_ns(move.cutover_s); }

// As long as the file names the move, everybody knows of it, who starts anew as well. Else only who saw it.
constexpr int64_t kNamedLinesNs = kHourNs, kOtherLinesNs = kMinuteNs;

int64_t plus(int64_t time_ns, int64_t length_ns) {
  int64_t sum;
  return __builtin_add_overflow(time_ns, length_ns, &sum) ? Interval::kEnd : sum;
}

uint64_t identity(const Move& move) {
  uint64_t numbers[] = {move.low, move.high, static_cast<uint64_t>(move.at_s), static_cast<uint64_t>(move.cutover_s),
                        hash64(move.from)};
  return hash64(std::string_view(reinterpret_cast<const char*>(numbers), sizeof numbers), hash64(move.to));
}

// Where a slice begins, a move begins or ends, or what was known before changes; sorted, each once.
std::vector<uint64_t> borders_of(const std::vector<uint64_t>& low, const std::vector<Move>& moves,
                                 std::vector<uint64_t> others) {
  for (const Move& move : moves) {
    others.push_back(move.low);
    if (move.high != 0) others.push_back(move.high);
  }
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end()), others.end());
  std::vector<uint64_t> all;
  all.reserve(low.size() + others.size());
  std::set_union(low.begin(), low.end(), others.begin(), others.end(), std::back_inserter(all));
  return all;
}

// It does not say between whom; "nobody" gives only in a first generation, and never takes.
bool is_nameless(const Move& move) { return move.from.empty() && move.to.empty(); }

// It has nothing left to finish, and may stop at any moment; or it did.
bool has_gone(const Assignment& assignment, std::string_view pod) {
  int32_t i = assignment.find_pod(pod);
  if (i == kNoPod) return true;
  PodState state = assignment.pods[static_cast<size_t>(i)].state;
  return state == PodState::kDrained || state == PodState::kDead;
}

// Whether [low, high) of the move holds the key.
bool covers(const Move& move, uint64_t key) { return key >= move.low && (move.high == 0 || key < move.high); }

}  // namespace

const Tenure Ownership::nothing_;

namespace {

// Before the first file: all the key space is nobody's.
const Assignment kNothing = [] {
  Assignment a;
  a.pods = {AssignedPod{}};
  a.slices = {.low = {0}, .owner = {0}, .standby = {kNoPod}, .since = {0}, .cutover_s = {0}};
  return a;
}();
const std::string kSomebody = "?";  // no pod's name

}  // namespace

const Interval* Tenure::interval_of(int64_t begin_ns, int64_t end_ns) const {
  // The latest: where a pod came back before a window it had begun was over, the window is of the earlier time only.
  for (auto it = intervals_.rbegin(); it != intervals_.rend(); ++it)
    if (it->owns_window(begin_ns, end_ns)) return &*it;
  return nullptr;
}

bool Tenure::owns_line(int64_t time_ns, int64_t now_ns, bool with_former) const {
  return std::any_of(intervals_.begin(), intervals_.end(), [&](const Interval& i) {
    return (with_former || i.to_ns == Interval::kEnd) && i.owns_line(time_ns, now_ns);
  });
}

bool OwnershipTracker::is_old(int64_t cutover_s, WallTime now) const {
  return now.ns - nanoseconds_of(cutover_s) > moves_kept_ns_;
}

// Where ranges of different times meet within what may be one slice by now. What this pod has had for so long that no
// window remembers it otherwise is alike.
std::vector<uint64_t> OwnershipTracker::known_borders(WallTime now) const {
  std::vector<uint64_t> borders;
  if (!last_) return borders;
  auto is_settled = [&](const Tenure& t) {
    if (t.intervals().size() != 1 || !t.current()) return false;
    const Interval& i = t.intervals()[0];
    return between_ns(std::max(i.from_ns, i.since_ns), now.ns) > moves_kept_ns_;
  };
  for (size_t i = 1; i < last_->low_.size(); i++) {
    if (last_->tenure_[i - 1] == last_->tenure_[i]) continue;
    const Tenure &before = last_->tenures_[last_->tenure_[i - 1]], &behind = last_->tenures_[last_->tenure_[i]];
    if (!(is_settled(before) && is_settled(behind))) borders.push_back(last_->low_[i]);
  }
  return borders;
}

// Who had what before, as far as the file names it: what it does not nobody has lines of any more.
class OwnershipTracker::FormerOwners {
 public:
  FormerOwners(const Assignment& assignment, const std::vector<Move>& own) : assignment_(assignment), own_(own) {}

  // From when on lines are of the pod to which the move gives the key: its former owner is gone, perhaps that one's
  // too, and so on.
  int64_t lines_from_ns(const Move& move, uint64_t key) {
    return is_gone(move) ? lines_before_ns(move, key) : cutover_ns(move);
  }
  // The same of the pod from which it takes the key, where nothing else says how that one came to it.
  int64_t lines_before_ns(const Move& move, uint64_t key) {
    if (!built_) build();
    size_t before = place_of(move);
    for (size_t i : std::views::reverse(entries_)) {
      const Move& entry = assignment_.moved[i];
      if (i >= before || !covers(entry, key) || is_nameless(entry)) continue;
      if (!is_gone(entry)) return cutover_ns(entry);
    }
    return Interval::kBegin;
  }

 private:
  bool is_gone(const Move& move) const {
    return !move.from.empty() && (move.cause == MoveCause::kDeath || has_gone(assignment_, move.from));
  }
  // Among the entries; of one that is not named, behind those with lower cutovers.
  size_t place_of(const Move& move) const {
    const auto& moved = assignment_.moved;
    size_t place = 0;
    for (size_t i : entries_) {
      if (moved[i] == move) return i;
      if (moved[i].cutover_s < move.cutover_s) place = i + 1;
    }
    return place;
  }
  // Of many entries only few are of ranges that this pod had to do with.
  void build() {
    built_ = true;
    std::vector<std::pair<uint64_t, uint64_t>> ranges;  // both ends within
    for (const Move& move : own_) ranges.emplace_back(move.low, move.high - 1);
    std::sort(ranges.begin(), ranges.end());
    size_t n = 0;
    for (const auto& range : ranges) {
      if (n > 0 && range.first <= ranges[n - 1].second)
        ranges[n - 1].second = std::max(ranges[n - 1].second, range.second);
      else
        ranges[n++] = range;
    }
    ranges.resize(n);
    for (size_t i = 0; i < assignment_.moved.size(); i++) {
      const Move& entry = assignment_.moved[i];
      auto above = std::partition_point(ranges.begin(), ranges.end(), [&](auto& r) { return r.second < entry.low; });
      if (above != ranges.end() && above->first <= entry.high - 1) entries_.push_back(i);
    }
  }

  const Assignment& assignment_;
  const std::vector<Move>& own_;
  bool built_ = false;
  std::vector<size_t> entries_;
};

// Those of its own that are news, and how the slices came to those whose heir it was; in the order of the file, which
// is that of planning: clocks step, so that times may be equal or fall.
std::vector<Move> OwnershipTracker::remember_moves(const Assignment& assignment, WallTime now) {
  auto old = [&](const Move& m) { return is_old(m.cutover_s, now); };
  if (std::any_of(moves_.begin(), moves_.end(), old)) {
    std::erase_if(moves_, old);
    known_.clear();
    for (const Move& move : moves_) known_.insert(identity(move));
  }
  named_.clear();
  std::vector<Move> news;
  std::map<std::string_view, std::vector<const Move*>> estates;  // of the dead, by their names
  auto matters = [&](const Move& move) {
    if (move.from == pod_ || move.to == pod_) return true;
    auto left = estates.find(move.to);
    return left != estates.end() && std::ranges::any_of(left->second, [&](const Move* death) {
             return (death->high == 0 || move.low < death->high) && (move.high == 0 || death->low < move.high);
           });
  };
  // The latest first: a death comes after what it ended.
  for (auto it = assignment.moved.rbegin(); it != assignment.moved.rend(); ++it) {
    if (old(*it) || !matters(*it)) continue;
    if (it->cause == MoveCause::kDeath && it->from != pod_ && !it->from.empty()) estates[it->from].push_back(&*it);
    uint64_t id = identity(*it);
    named_.insert(id);
    if (known_.insert(id).second) news.push_back(*it);
  }
  std::ranges::reverse(news);
  moves_.insert(moves_.end(), news.begin(), news.end());
  sort_moves();
  return news;
}

// By the time from which they hold; those of one time stay in the order of planning.
void OwnershipTracker::sort_moves() { std::ranges::stable_sort(moves_, {}, &Move::cutover_s); }

// Of an entry in `moved` that does not say between whom, if it covers the key and was not there before; the last one.
MoveCause OwnershipTracker::cause_of_change(const Assignment& assignment, uint64_t key) const {
  for (auto it = assignment.moved.rbegin(); it != assignment.moved.rend(); ++it) {
    if (!is_nameless(*it) || !covers(*it, key)) continue;
    if (!last_assignment_) return it->cause;
    const auto& before = last_assignment_->moved;
    if (std::find(before.begin(), before.end(), *it) == before.end()) return it->cause;
  }
  return MoveCause::kBalance;
}

// What this pod got or lost since the last file, by the owners in both, where none of the moves that are news tells of
// it. A file of Limpet leaves nothing to conclude.
void OwnershipTracker::conclude_moves(const Assignment& assignment, std::vector<Move> news, WallTime now) {
  const Assignment& last = last_assignment_ ? *last_assignment_ : kNothing;
  const Slices &before = last.slices, &after = assignment.slices;
  int64_t me_before = last.find_pod(pod_), me = assignment.find_pod(pod_);
  auto is_dead = [&](const std::string& name) {
    int32_t pod = assignment.find_pod(name);
    return pod != kNoPod && assignment.pods[static_cast<size_t>(pod)].state == PodState::kDead;
  };
  std::erase_if(news, [&](const Move& move) { return move.from != pod_ && move.to != pod_; });
  std::sort(news.begin(), news.end(), [](const Move& a, const Move& b) { return a.low < b.low; });
  auto next_news = news.begin();
  std::vector<const Move*> active;
  std::vector<Move> concluded;
  for (size_t i = 0, j = 0; i < before.size() && j < after.size();) {
    uint64_t low = std::max(before.low[i], after.low[j]);
    uint64_t high = std::min(before.high(i) - 1, after.high(j) - 1) + 1;  // 0, the end of the space, is above all
    const std::string& from = last.pods[before.owner[i]].name;
    bool had = before.owner[i] == me_before, has = after.owner[j] == me;
    int64_t cutover_s = after.cutover_s[j], former_cutover_s = before.cutover_s[i];
    if (before.high(i) == high) i++;
    if (after.high(j) == high) j++;
    if (had == has || is_old(cutover_s, now)) continue;
    std::erase_if(active, [&](const Move* move) { return !covers(*move, low); });
    for (; next_news != news.end() && next_news->low <= low; ++next_news)
      if (covers(*next_news, low)) active.push_back(&*next_news);
    if (std::any_of(active.begin(), active.end(), [&](const Move* m) { return had ? m->from == pod_ : m->to == pod_; }))
      continue;
    MoveCause cause = is_dead(from) ? MoveCause::kDeath : cause_of_change(assignment, low);
    const std::string& to = has ? pod_ : kSomebody;
    // Windows before that were not the dead pod's either.
    if (has && cause == MoveCause::kDeath && !from.empty() && !is_old(former_cutover_s, now))
      concluded.push_back({low, high, former_cutover_s, former_cutover_s, MoveCause::kBalance, {}, from});
    concluded.push_back({low, high, assignment.created_s, cutover_s, cause, from, to});
  }
  if (concluded.empty()) return;
  for (Move& move : concluded)
    if (known_.insert(identity(move)).second) moves_.push_back(std::move(move));
  sort_moves();
}

int64_t OwnershipTracker::lines_kept_ns(const Move& move) const {
  if (named_.contains(identity(move))) return kNamedLinesNs;
  // Who heard of it late does not know who had them in between.
  return move.cutover_s > move.at_s ? kOtherLinesNs : 0;
}

// Since when this process has had what it has: since it first saw this interval.
int64_t OwnershipTracker::since_of(uint64_t low, int64_t from_ns, bool after_death, WallTime now) const {
  if (!last_) return now.ns;
  for (const Interval& known : last_->tenure_of(low).intervals())
    if (known.from_ns == from_ns && known.after_death == after_death) return known.since_ns;
  return now.ns;
}

// The interval that this process knew to end then, or to go on; null: none.
const Interval* OwnershipTracker::known_until(uint64_t low, int64_t to_ns) const {
  const Interval* current = nullptr;
  if (!last_) return nullptr;
  for (const Interval& known : last_->tenure_of(low).intervals()) {
    if (known.to_ns == to_ns) return &known;
    if (known.to_ns == Interval::kEnd && known.from_ns < to_ns) current = &known;
  }
  return current;
}

// `moves`: of the range, to or from this pod, in order of time. What came longer ago than they tell goes on as it was
// known: slices that are joined have one cutover, which is that of one of them.
Tenure OwnershipTracker::tenure_of(const std::vector<const Move*>& moves, const Range& range, FormerOwners& former,
                                   WallTime now) const {
  std::vector<Interval> intervals;
  bool open = false;
  auto begin = [&](int64_t from_ns) -> Interval& {
    open = true;
    Interval& i = intervals.emplace_back();
    i.from_ns = i.lines_from_ns = from_ns;
    return i;
  };
  auto go_on = [&](const Interval* known) {
    if (!known) return false;
    intervals.push_back(*known);
    intervals.back().to_ns = intervals.back().no_lines_ns = Interval::kEnd;
    return open = true;
  };
  // Since when the dead pod of a move had it, with what it had inherited itself.
  auto inherited = [&](size_t i) {
    std::string heir = moves[i]->from;
    for (size_t j = i; j-- > 0;) {
      if (moves[j]->to != heir) continue;
      if (moves[j]->cause != MoveCause::kDeath) return cutover_ns(*moves[j]);
      heir = moves[j]->from;
    }
    return Interval::kBegin;
  };
  auto end = [&](const Move& move) {
    intervals.back().to_ns = cutover_ns(move);
    intervals.back().no_lines_ns = plus(intervals.back().to_ns, lines_kept_ns(move));
    open = false;
    // Declared dead: nothing of it is this pod's any more. And what ended before it began never was.
    if (move.cause == MoveCause::kDeath || intervals.back().to_ns <= intervals.back().from_ns) intervals.pop_back();
  };
  for (size_t i = 0; i < moves.size(); i++) {
    const Move* move = moves[i];
    if (move->from == pod_) {
      if (!open && !go_on(known_until(range.low, cutover_ns(*move))))
        begin(Interval::kBegin).since_ns = since_of(range.low, Interval::kBegin, false, now);
      Interval& had = intervals.back();
      if (had.from_ns == Interval::kBegin) {
        had.lines_from_ns = former.lines_before_ns(*move, range.low);
        had.all_lines_ns =
            had.lines_from_ns == Interval::kBegin ? had.lines_from_ns : plus(had.lines_from_ns, kNamedLinesNs);
      }
      end(*move);
    }
    if (move->to != pod_ || open) continue;
    Interval& came = begin(cutover_ns(*move));
    came.after_death = move->cause == MoveCause::kDeath && !move->from.empty();
    if (came.after_death) came.inherited_ns = inherited(i);
    came.since_ns = since_of(range.low, came.from_ns, came.after_death, now);
    came.lines_from_ns = former.lines_from_ns(*move, range.low);
    came.all_lines_ns = plus(came.from_ns, lines_kept_ns(*move));
  }
  if (range.owned && !open) {
    bool known = last_ && range.since <= last_->generation();
    if (!known || !go_on(known_until(range.low, Interval::kEnd))) {
      Interval& came = begin(range.cutover_ns);
      came.since_ns = since_of(range.low, came.from_ns, false, now);
      came.all_lines_ns = plus(came.from_ns, kOtherLinesNs);
    }
  }
  if (!range.owned && open) {
    // It went, in a generation whose moves were not seen.
    intervals.back().to_ns = range.cutover_ns;
    intervals.back().no_lines_ns = range.cutover_ns;
    if (range.cutover_ns <= intervals.back().from_ns) intervals.pop_back();
  }
  return Tenure(std::move(intervals));
}

std::shared_ptr<const Ownership> OwnershipTracker::adopt(std::shared_ptr<const Assignment> adopted, WallTime now) {
  const Assignment& assignment = *adopted;
  conclude_moves(assignment, remember_moves(assignment, now), now);
  auto next = std::make_shared<Ownership>();
  const Slices& slices = assignment.slices;
  int32_t me = assignment.find_pod(pod_);
  next->generation_ = assignment.generation;
  next->gone_ = has_gone(assignment, pod_);
  next->slice_low_ = slices.low;
  next->concerns_.assign(slices.size(), false);

  std::vector<uint64_t> borders = borders_of(slices.low, moves_, known_borders(now));
  std::vector<const Move*> starting;
  for (const Move& move : moves_) starting.push_back(&move);
  std::sort(starting.begin(), starting.end(), [](const Move* a, const Move* b) { return a->low < b->low; });
  auto next_start = starting.begin();
  std::vector<const Move*> active;
  next->tenures_.emplace_back();  // 0: nothing
  FormerOwners former(assignment, moves_);
  size_t slice = 0;
  for (uint64_t low : borders) {
    if (slice + 1 < slices.size() && low >= slices.low[slice + 1]) slice++;
    std::erase_if(active, [&](const Move* move) { return !covers(*move, low); });
    for (; next_start != starting.end() && (*next_start)->low <= low; ++next_start) active.push_back(*next_start);
    // By time, as moves_ is.
    std::sort(active.begin(), active.end());
    bool owned_now = me != kNoPod && slices.owner[slice] == static_cast<uint32_t>(me);
    uint32_t tenure = 0;
    if (owned_now || !active.empty()) {
      Range range{low, owned_now, cutover_ns(slices.cutover_s[slice]), slices.since[slice]};
      Tenure found = tenure_of(active, range, former, now);
      if (!found.empty()) {
        if (found.intervals().back().to_ns != Interval::kEnd)
          next->last_given_up_ns_ = std::max(next->last_given_up_ns_, found.intervals().back().to_ns);
        if (!(found == next->tenures_.back())) next->tenures_.push_back(std::move(found));
        tenure = static_cast<uint32_t>(next->tenures_.size() - 1);
        next->concerns_[slice] = true;
      }
    }
    if (low == slices.low[slice] && owned_now) next->owned_++;
    next->low_.push_back(low);
    next->slice_.push_back(static_cast<uint32_t>(slice));
    next->tenure_.push_back(tenure);
  }
  next->index_ = SliceIndex(next->low_);
  last_ = next;
  last_assignment_ = std::move(adopted);
  return next;
}

}  // namespace limpet
