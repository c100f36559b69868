#include <algorithm>
#include <numeric>

#include "placements/placement.h"

namespace limpet::sim {
namespace {

class ModN : public Placement {
 public:
  ModN(const Keys& keys, uint32_t pods) : keys_(keys), pods_(pods) {
    std::iota(pods_.begin(), pods_.end(), 0);
    place();
  }
  void add(uint32_t pod) override {
    pods_.insert(std::lower_bound(pods_.begin(), pods_.end(), pod), pod);
    place();
  }
  void remove(uint32_t pod) override {
    std::erase(pods_, pod);
    place();
  }

 private:
  void place() {
    owner_.resize(keys_.size());
    for (size_t k = 0; k < keys_.size(); k++) owner_[k] = pods_[keys_.place[k] % pods_.size()];
  }

  const Keys& keys_;
  std::vector<uint32_t> pods_;
};

}  // namespace

std::unique_ptr<Placement> make_mod_n(const Keys& keys, uint32_t pods) { return std::make_unique<ModN>(keys, pods); }

}  // namespace limpet::sim
