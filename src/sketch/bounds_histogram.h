// Counts of numbers between given bounds, for `histogram(bounds...)`: bucket i holds what is at or below bounds[i] and
// above bounds[i - 1]; one more holds the rest. The bounds are the caller's (FunctionSpec::bounds), only the counts are
// kept.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/codec.h"

namespace limpet {

class BoundsHistogram {
 public:
  // REQUIRES: `bounds` rise, and are the same in every call on this object and on those merged into it.
  void add(const std::vector<double>& bounds, double v, uint64_t n = 1) {
    if (counts_.empty()) counts_.resize(bounds.size() + 1);
    counts_[static_cast<size_t>(std::lower_bound(bounds.begin(), bounds.end(), v) - bounds.begin())] += n;
  }
  void merge(const BoundsHistogram& other) {
    if (counts_.size() < other.counts_.size()) counts_.resize(other.counts_.size());
    for (size_t i = 0; i < other.counts_.size(); i++) counts_[i] += other.counts_[i];
  }
  bool empty() const { return counts_.empty(); }
  // Not cumulative; one more than there are bounds, or none.
  const std::vector<uint64_t>& counts() const { return counts_; }
  size_t bytes() const { return counts_.capacity() * sizeof(uint64_t); }
  bool operator==(const BoundsHistogram&) const = default;

  void encode(Writer& out) const {
    out.u8(kVersion), out.varint(counts_.size());
    for (uint64_t n : counts_) out.varint(n);
  }
  // False: malformed, or not of `bounds` bounds.
  bool decode(Reader& in, size_t bounds) {
    counts_.clear();
    if (in.u8() != kVersion) return false;
    uint64_t size = in.varint();
    if (size != 0 && size != bounds + 1) return false;
    for (uint64_t i = 0; i < size && in.ok(); i++) counts_.push_back(in.varint());
    return in.ok();
  }

 private:
  static constexpr uint8_t kVersion = 1;
  std::vector<uint64_t> counts_;
};

}  // namespace limpet
