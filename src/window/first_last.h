// The first and the last of some samples by timestamp; of equal times the first and the last that arrived.
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
};

template <typename T>
struct FirstLast {
  bool empty = true;
  Stamped<T> first, last;

  void add(const Stamped<T>& s) {
    if (empty || s.when() < first.when()) first = s;
    if (empty || last.when() < s.when()) last = s;
    empty = false;
  }
  void merge(const FirstLast& other) {
    if (!other.empty) add(other.first), add(other.last);
  }
};

}  // namespace limpet
