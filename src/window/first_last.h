// The first and the last of some samples by timestamp; of equal times the first and the last that arrived. Two
// contributors may give one number of arrival twice: then the lesser value counts as the earlier, so that the order of
// merging leaves no trace.
#pragma once

#include <cstdint>
#include <tuple>

namespace limpet {

template <typename T>
struct Stamped {
  T value{};
  int64_t time_ns = 0;
  uint64_t arrival = 0;
  auto when() const { return std::tie(time_ns, arrival); }
  bool operator<(const Stamped& o) const { return when() == o.when() ? value < o.value : when() < o.when(); }
};

template <typename T>
struct FirstLast {
  bool empty = true;
  Stamped<T> first, last;

  // False: a sample of that time leaves no trace, so that its value need not be made.
  bool wants(int64_t time_ns, uint64_t arrival) const {
    auto when = std::tie(time_ns, arrival);
    return empty || when <= first.when() || last.when() <= when;
  }
  void add(const Stamped<T>& s) {
    if (empty || s < first) first = s;
    if (empty || last < s) last = s;
    empty = false;
  }
  void merge(const FirstLast& other) {
    if (!other.empty) add(other.first), add(other.last);
  }
};

}  // namespace limpet
