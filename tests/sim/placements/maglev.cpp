#include <algorithm>
#include <set>

#include "placements/placement.h"

namespace limpet::sim {
namespace {

constexpr uint32_t kFree = UINT32_MAX;

class Maglev : public Placement {
 public:
  Maglev(const Keys& keys, uint32_t pods, uint64_t seed, uint32_t table)
      : seed_(mix(seed ^ 0x4d61676c)), size_(table ? table : prime_from(100 * pods)), slot_(keys.size()) {
    for (size_t k = 0; k < keys.size(); k++) slot_[k] = static_cast<uint32_t>(keys.place[k] % size_);
    for (uint32_t pod = 0; pod < pods; pod++) pods_.insert(pod);
    place();
  }
  void add(uint32_t pod) override { pods_.insert(pod), place(); }
  void remove(uint32_t pod) override { pods_.erase(pod), place(); }

 private:
  // Each pod prefers the slots in an order of its own: offset, offset + skip, ...
  struct Turn {
    uint32_t pod = 0, at = 0, skip = 0;
  };

  std::vector<Turn> turns() const {
    std::vector<Turn> all;
    for (uint32_t pod : pods_) {
      uint64_t a = mix(seed_ ^ mix(pod)), b = mix(a);
      all.push_back({pod, static_cast<uint32_t>(a % size_), static_cast<uint32_t>(b % (size_ - 1) + 1)});
    }
    return all;
  }
  std::vector<uint32_t> fill() const {
    std::vector<uint32_t> table(size_, kFree);
    std::vector<Turn> all = turns();
    for (size_t filled = 0, t = 0; filled < size_; filled++, t = t + 1 < all.size() ? t + 1 : 0) {
      Turn& turn = all[t];
      while (table[turn.at] != kFree) advance(turn);
      table[turn.at] = turn.pod;
    }
    return table;
  }
  void advance(Turn& turn) const {
    turn.at += turn.skip;
    if (turn.at >= size_) turn.at -= size_;
  }
  void place() {
    std::vector<uint32_t> table = fill();
    owner_.resize(slot_.size());
    for (size_t k = 0; k < slot_.size(); k++) owner_[k] = table[slot_[k]];
  }

  uint64_t seed_;
  uint32_t size_;
  std::vector<uint32_t> slot_;  // by key
  std::set<uint32_t> pods_;     // take turns in order of their names
};

}  // namespace

uint32_t prime_from(uint32_t at_least) {
  auto is_prime = [](uint32_t n) {
    for (uint32_t d = 2; uint64_t{d} * d <= n; d++)
      if (n % d == 0) return false;
    return n >= 2;
  };
  while (!is_prime(at_least)) at_least++;
  return at_least;
}

std::unique_ptr<Placement> make_maglev(const Keys& keys, uint32_t pods, uint64_t seed, uint32_t table) {
  return std::make_unique<Maglev>(keys, pods, seed, table);
}

}  // namespace limpet::sim
