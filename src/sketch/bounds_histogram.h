// Counts of numbers between given bounds, for `histogram(bounds...)`: bucket i holds what is at or below bounds[i] and
// above bounds[i - 1]; one more holds the rest. The bounds are the caller's (FunctionSpec::bounds), only the counts are
// kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/codec.h"

namespace limpet {

class BoundsHistogram {
 public:
  // REQUIRES: `bounds` rise, and are the same in every call on this object and on those merged into it.
  void add(const std::vector<double>& bounds, double v, uint64_t n = 1) {
    if (counts_.empty()) counts_.resize(bounds.size() + 1);
    counts_[bucket_of(bounds, v)] += n;
  }
  // REQUIRES: the same bounds.
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

  // How many bounds lie below v, without a branch that depends on it.
  static size_t bucket_of(const std::vector<double>& bounds, double v) {
    const double* at = bounds.data();
    size_t n = bounds.size();
    if (n == 0) return 0;
    while (n > 1) {
      size_t half = n / 2;
      at += static_cast<size_t>(at[half - 1] < v) * half;
      n -= half;
    }
    return static_cast<size_t>(at - bounds.data()) + static_cast<size_t>(*at < v);
  }

  std::vector<uint64_t> counts_;
};

}  // namespace limpet
