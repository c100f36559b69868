#include "engine/window_clock.h"

namespace limpet {

void NumberSet::insert(int64_t n) {
  auto it = std::lower_bound(runs_.begin(), runs_.end(), n, [](const Run& r, int64_t v) { return r.last < v; });
  if (it != runs_.end() && it->first <= n) return;
  bool joins_next = it != runs_.end() && it->first == n + 1;
  bool joins_previous = it != runs_.begin() && std::prev(it)->last == n - 1;
  if (joins_next && joins_previous) {
    std::prev(it)->last = it->last;
    runs_.erase(it);
  } else if (joins_next) {
    it->first = n;
  } else if (joins_previous) {
    std::prev(it)->last = n;
  } else {
    runs_.insert(it, {n, n});
  }
  if (runs_.size() > kRunsMax) {
    runs_[1].first = runs_[0].first;
    runs_.erase(runs_.begin());
  }
}

WindowClock::Fate WindowClock::fate(int64_t pane, int64_t now_ns) const {
  Fate fate;
  int64_t from = std::max(pane + 1, first_), to = std::min(pane + panes_, last_);
  for (int64_t k = from; k <= to; k++) open(k, now_ns) ? fate.open++ : fate.missed++;
  return fate;
}

}  // namespace limpet
