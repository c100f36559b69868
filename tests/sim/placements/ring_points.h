// The points of a hash ring.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "load_model.h"

namespace limpet::sim {

class RingPoints {
 public:
  struct Point {
    uint64_t place = 0;
    uint32_t pod = 0;
    bool operator<(const Point& other) const { return place != other.place ? place < other.place : pod < other.pod; }
  };

  RingPoints(uint32_t pods, uint64_t seed, uint32_t points_per_pod)
      : seed_(mix(seed ^ 0x52696e67)), points_per_pod_(points_per_pod) {
    for (uint32_t pod = 0; pod < pods; pod++) append(pod);
    std::sort(points_.begin(), points_.end());
  }
  void add(uint32_t pod) {
    auto middle = static_cast<ptrdiff_t>(points_.size());
    append(pod);
    std::sort(points_.begin() + middle, points_.end());
    std::inplace_merge(points_.begin(), points_.begin() + middle, points_.end());
  }
  void remove(uint32_t pod) {
    std::erase_if(points_, [&](const Point& p) { return p.pod == pod; });
  }

  const std::vector<Point>& points() const { return points_; }
  // Calls visit(key's index, index of the point at or after it), in order of the keys. O(keys + points).
  template <typename Visit>
  void for_each(const Keys& keys, Visit visit) const {
    size_t p = 0;
    for (size_t k = 0; k < keys.size(); k++) {
      while (p < points_.size() && points_[p].place < keys.place[k]) p++;
      visit(k, p == points_.size() ? 0 : p);
    }
  }

 private:
  void append(uint32_t pod) {
    for (uint32_t i = 0; i < points_per_pod_; i++) points_.push_back({mix(seed_ ^ mix(uint64_t{pod} << 32 | i)), pod});
  }

  uint64_t seed_;
  uint32_t points_per_pod_;
  std::vector<Point> points_;
};

}  // namespace limpet::sim
