// Who makes how much load: keys in the key space with Zipf weights, and what pods would report of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sharding/report.h"

namespace limpet::sim {

// A bijection of 64 bits whose output looks random (the finalizer of SplitMix64; Steele, Lea and Flood, OOPSLA 2014).
uint64_t mix(uint64_t x);

// Keys by their place in the key space.
struct Keys {
  std::vector<uint64_t> place;  // sorted, each once
  std::vector<uint32_t> rank;   // 0: the hottest, if any is

  size_t size() const { return place.size(); }
};

// The same ranks on other places for each seed. O(count log count).
Keys make_keys(size_t count, uint64_t seed);

// The key of rank r has a load in proportion to 1 / (r + 1)^exponent; exponent 0 is uniform. All together have 1.
// Refers to the keys, which must outlive it.
class LoadModel {
 public:
  LoadModel(const Keys& keys, double exponent);

  const Keys& keys() const { return *keys_; }
  const std::vector<double>& loads() const { return loads_; }  // by key
  double hottest() const { return hottest_; }
  // The lowest max/mean of any placement that keeps a key on one pod: the hottest key's, or 1.
  double floor(size_t pods) const;
  // Of the keys with indices in [first, last).
  double sum(size_t first, size_t last) const { return sums_[last] - sums_[first]; }

 private:
  const Keys* keys_;
  std::vector<double> loads_, sums_;
  double hottest_ = 0;
};

// By slice of the assignment: the index of its first key; one more for the end. O(slices + keys).
std::vector<size_t> first_keys(const Slices& slices, const Keys& keys);

// Writes into each report what its pod would say of its load if it had adopted the assignment: generation, cpu, load
// per slice, and the hot keys (5 % of their slice or 1 % of their pod, at most 100). `total_cpu`: CPU seconds per
// second of all load. The reports are found by their names. O(slices + keys).
void report_loads(const LoadModel& model, double total_cpu, const Assignment& assignment, std::span<PodReport> reports);

}  // namespace limpet::sim
