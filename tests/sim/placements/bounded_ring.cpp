#include <cmath>

#include "placements/placement.h"
#include "placements/ring_points.h"

namespace limpet::sim {
namespace {

class BoundedRing : public Placement {
 public:
  BoundedRing(const Keys& keys, uint32_t pods, uint64_t seed, uint32_t points, double bound)
      : keys_(keys), ring_(pods, seed, points), pods_(pods), names_(pods), bound_(bound), by_rank_(keys.size()) {
    for (size_t k = 0; k < keys.size(); k++) by_rank_[keys.rank[k]] = static_cast<uint32_t>(k);
    place();
  }
  void add(uint32_t pod) override {
    pods_++, names_ = std::max(names_, pod + 1);
    ring_.add(pod), place();
  }
  void remove(uint32_t pod) override { pods_--, ring_.remove(pod), place(); }

 private:
  void place() {
    std::vector<uint32_t> point(keys_.size());
    ring_.for_each(keys_, [&](size_t key, size_t at) { point[key] = static_cast<uint32_t>(at); });
    double most = bound_ * static_cast<double>(keys_.size()) / static_cast<double>(pods_);
    auto capacity = static_cast<size_t>(std::ceil(most));
    std::vector<size_t> count(names_);
    const auto& points = ring_.points();
    owner_.resize(keys_.size());
    for (uint32_t key : by_rank_) {
      size_t at = point[key];
      while (count[points[at].pod] >= capacity) at = at + 1 < points.size() ? at + 1 : 0;
      owner_[key] = points[at].pod;
      count[owner_[key]]++;
    }
  }

  const Keys& keys_;
  RingPoints ring_;
  size_t pods_;
  uint32_t names_;  // above every pod's number
  double bound_;
  std::vector<uint32_t> by_rank_;  // indices of keys
};

}  // namespace

std::unique_ptr<Placement> make_bounded_ring(const Keys& keys, uint32_t pods, uint64_t seed, uint32_t points,
                                             double bound) {
  return std::make_unique<BoundedRing>(keys, pods, seed, points, bound);
}

}  // namespace limpet::sim
