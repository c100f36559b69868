// Counts of numbers per power of two, for `histogram` without bounds: bucket k holds (2^(k-1), 2^k], numbers at or
// below 0 stand apart. Sparse, exact, mergeable in any order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/codec.h"

namespace limpet {

class PowerHistogram {
 public:
  static constexpr int kLowest = -1074, kHighest = 1023;  // powers of two that are doubles

  // REQUIRES: v is finite.
  void add(double v, uint64_t n = 1) {
    if (v <= 0) return void(not_positive_ += n);
    largest_ = std::max(largest_, v);
    int exponent;
    double fraction = std::frexp(v, &exponent);  // v = fraction * 2^exponent, fraction in [0.5, 1)
    bucket(fraction == 0.5 ? exponent - 1 : exponent) += n;
  }
  void merge(const PowerHistogram& other) {
    not_positive_ += other.not_positive_;
    largest_ = std::max(largest_, other.largest_);
    for (const Bucket& b : other.buckets_) bucket(b.power) += b.count;
  }
  uint64_t count() const {
    uint64_t n = not_positive_;
    for (const Bucket& b : buckets_) n += b.count;
    return n;
  }
  // Calls f(bound, count of numbers at or below it) for 0 where numbers at or below 0 came, then for the powers of two
  // from the largest one below the smallest positive number to the smallest one above the largest. The caller adds
  // +Inf.
  template <typename F>
  void for_each_bound(F f) const {
    uint64_t n = not_positive_;
    if (n) f(0.0, n);
    if (buckets_.empty()) return;
    int last = buckets_.back().power;
    if (largest_ == std::ldexp(1.0, last)) last++;
    size_t at = 0;
    for (int k = buckets_.front().power - 1; k <= last && k <= kHighest; k++) {
      while (at < buckets_.size() && buckets_[at].power <= k) n += buckets_[at++].count;
      if (k >= kLowest) f(std::ldexp(1.0, k), n);
    }
  }
  size_t bytes() const { return buckets_.capacity() * sizeof(Bucket); }
  bool operator==(const PowerHistogram&) const = default;

  void encode(Writer& out) const {
    out.u8(kVersion), out.varint(not_positive_), out.f64(largest_), out.varint(buckets_.size());
    for (const Bucket& b : buckets_) out.zigzag(b.power), out.varint(b.count);
  }
  bool decode(Reader& in) {
    *this = PowerHistogram();
    if (in.u8() != kVersion) return false;
    not_positive_ = in.varint(), largest_ = in.f64();
    if (!std::isfinite(largest_) || largest_ < 0) return false;
    uint64_t used = in.varint();
    int64_t before = kLowest - 1;
    for (uint64_t i = 0; i < used && in.ok(); i++) {
      int64_t power = in.zigzag();
      uint64_t n = in.varint();
      if (power <= before || power > kHighest + 1 || n == 0) return false;
      buckets_.push_back({static_cast<int>(power), n});
      before = power;
    }
    return in.ok() && buckets_.empty() == (largest_ == 0);
  }

 private:
  static constexpr uint8_t kVersion = 1;
  struct Bucket {
    int power = 0;
    uint64_t count = 0;
    bool operator==(const Bucket&) const = default;
  };
  uint64_t& bucket(int power) {
    auto it =
        std::lower_bound(buckets_.begin(), buckets_.end(), power, [](const Bucket& b, int p) { return b.power < p; });
    if (it == buckets_.end() || it->power != power) it = buckets_.insert(it, {power, 0});
    return it->count;
  }

  std::vector<Bucket> buckets_;  // by power
  uint64_t not_positive_ = 0;
  double largest_ = 0;
};

}  // namespace limpet
