// Who makes how much load: keys with weights, some of them hot, looked up by ranges.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace limpet::sim {

class Load {
 public:
  Load(size_t keys, double exponent, double total_cpu, std::mt19937_64& r) {
    keys_.resize(keys);
    for (uint64_t& key : keys_) key = r();
    std::sort(keys_.begin(), keys_.end());
    base_.resize(keys);
    std::vector<size_t> rank(keys);
    for (size_t i = 0; i < keys; i++) rank[i] = i;
    std::shuffle(rank.begin(), rank.end(), r);
    for (size_t i = 0; i < keys; i++) base_[i] = 1 / std::pow(static_cast<double>(rank[i] + 1), exponent);
    double sum = 0;
    for (double w : base_) sum += w;
    for (double& w : base_) w *= total_cpu / sum;
    weight_ = base_;
    add_up();
  }

  // Of [low, high), CPU seconds per second; high 0 is the end of the key space.
  double of(uint64_t low, uint64_t high) const {
    return sums_[index(high)] - sums_[std::lower_bound(keys_.begin(), keys_.end(), low) - keys_.begin()];
  }
  // The heaviest key of [low, high), or none.
  bool heaviest(uint64_t low, uint64_t high, uint64_t& key, double& load) const {
    size_t first = static_cast<size_t>(std::lower_bound(keys_.begin(), keys_.end(), low) - keys_.begin()),
           last = index(high);
    if (first >= last) return false;
    auto at = std::max_element(weight_.begin() + static_cast<ptrdiff_t>(first),
                               weight_.begin() + static_cast<ptrdiff_t>(last));
    key = keys_[static_cast<size_t>(at - weight_.begin())], load = *at;
    return true;
  }
  void heat(size_t i, double factor) { weight_[i % weight_.size()] *= factor, add_up(); }
  void jump(std::mt19937_64& r, double noise) {
    std::uniform_real_distribution<double> factor(1 - noise, 1 + noise);
    for (double& w : weight_) w *= factor(r);
    add_up();
  }
  void calm() { weight_ = base_, add_up(); }
  const std::vector<uint64_t>& keys() const { return keys_; }

 private:
  size_t index(uint64_t high) const {
    return high == 0 ? keys_.size()
                     : static_cast<size_t>(std::lower_bound(keys_.begin(), keys_.end(), high) - keys_.begin());
  }
  void add_up() {
    sums_.assign(1, 0);
    for (double w : weight_) sums_.push_back(sums_.back() + w);
  }

  std::vector<uint64_t> keys_;
  std::vector<double> base_, weight_, sums_;
};

}  // namespace limpet::sim
