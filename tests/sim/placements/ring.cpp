#include "placements/placement.h"
#include "placements/ring_points.h"

namespace limpet::sim {
namespace {

class Ring : public Placement {
 public:
  Ring(const Keys& keys, uint32_t pods, uint64_t seed, uint32_t points) : keys_(keys), ring_(pods, seed, points) {
    place();
  }
  void add(uint32_t pod) override { ring_.add(pod), place(); }
  void remove(uint32_t pod) override { ring_.remove(pod), place(); }

 private:
  void place() {
    owner_.resize(keys_.size());
    ring_.for_each(keys_, [&](size_t key, size_t point) { owner_[key] = ring_.points()[point].pod; });
  }

  const Keys& keys_;
  RingPoints ring_;
};

}  // namespace

std::unique_ptr<Placement> make_ring(const Keys& keys, uint32_t pods, uint64_t seed, uint32_t points) {
  return std::make_unique<Ring>(keys, pods, seed, points);
}

}  // namespace limpet::sim
