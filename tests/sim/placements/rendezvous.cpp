#include <algorithm>

#include "placements/placement.h"

namespace limpet::sim {
namespace {

// Only what a change concerns is hashed anew: a pod's coming asks every key once, its going its own keys for all pods.
class Rendezvous : public Placement {
 public:
  Rendezvous(const Keys& keys, uint32_t pods, uint64_t seed) : keys_(keys), seed_(mix(seed ^ 0x485257)) {
    for (uint32_t pod = 0; pod < pods; pod++) pods_.push_back({hash_of(pod), pod});
    owner_.resize(keys.size()), weight_.resize(keys.size());
    for (size_t k = 0; k < keys.size(); k++) choose(k);
  }
  void add(uint32_t pod) override {
    Pod comes{hash_of(pod), pod};
    pods_.push_back(comes);
    for (size_t k = 0; k < keys_.size(); k++)
      if (uint64_t w = weight(keys_.place[k], comes.hash); w > weight_[k]) weight_[k] = w, owner_[k] = pod;
  }
  void remove(uint32_t pod) override {
    std::erase_if(pods_, [&](const Pod& p) { return p.number == pod; });
    for (size_t k = 0; k < keys_.size(); k++)
      if (owner_[k] == pod) choose(k);
  }

 private:
  struct Pod {
    uint64_t hash = 0;
    uint32_t number = 0;
  };

  uint64_t hash_of(uint32_t pod) const { return mix(seed_ ^ mix(pod)); }
  // Both are hashes already, so that two multiplications are enough.
  static uint64_t weight(uint64_t key, uint64_t pod) {
    uint64_t x = (key ^ pod) * 0x9e3779b97f4a7c15;
    return (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  }
  void choose(size_t k) {
    uint64_t key = keys_.place[k], best = 0;
    uint32_t pod = pods_.front().number;
    for (const Pod& p : pods_)
      if (uint64_t w = weight(key, p.hash); w > best) best = w, pod = p.number;
    weight_[k] = best, owner_[k] = pod;
  }

  const Keys& keys_;
  uint64_t seed_;
  std::vector<Pod> pods_;
  std::vector<uint64_t> weight_;  // by key: of its pod
};

}  // namespace

std::unique_ptr<Placement> make_rendezvous(const Keys& keys, uint32_t pods, uint64_t seed) {
  return std::make_unique<Rendezvous>(keys, pods, seed);
}

}  // namespace limpet::sim
