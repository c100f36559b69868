// Counts of numbers per power of two, for `histogram` without bounds: the count of power k is that of (2^(k-1), 2^k],
// numbers at or below 0 stand apart. Exact, mergeable in any order. 8 bytes for each power from the smallest to the
// largest number's: as many as there are lines in the result.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
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
    if (n == 0) return;
    largest_ = std::max(largest_, v);
    count_of(power_of(v)) += n;
  }
  void merge(const PowerHistogram& other) {
    not_positive_ += other.not_positive_;
    largest_ = std::max(largest_, other.largest_);
    if (other.counts_.empty()) return;
    // Both ends first: then no count below moves what is above it.
    count_of(other.first_);
    count_of(other.first_ + static_cast<int>(other.counts_.size()) - 1);
    uint64_t* into = &counts_[static_cast<size_t>(other.first_ - first_)];
    for (size_t i = 0; i < other.counts_.size(); i++) into[i] += other.counts_[i];
  }
  uint64_t count() const {
    uint64_t n = not_positive_;
    for (uint64_t c : counts_) n += c;
    return n;
  }
  // Calls f(bound, count of numbers at or below it) for 0 where numbers at or below 0 came, then for the powers of two
  // from the largest one below the smallest positive number to the smallest one above the largest, as far as they are
  // doubles. The caller adds +Inf.
  template <typename F>
  void for_each_bound(F f) const {
    uint64_t n = not_positive_;
    if (n) f(0.0, n);
    if (counts_.empty()) return;
    if (first_ > kLowest) f(std::ldexp(1.0, first_ - 1), n);
    int k = first_;
    for (uint64_t c : counts_) {
      n += c;
      if (k <= kHighest) f(std::ldexp(1.0, k), n);
      k++;
    }
    if (k <= kHighest && largest_ == std::ldexp(1.0, k - 1)) f(std::ldexp(1.0, k), n);
  }
  size_t bytes() const { return counts_.capacity() * sizeof(uint64_t); }
  bool operator==(const PowerHistogram&) const = default;

  void encode(Writer& out) const {
    out.u8(kVersion), out.varint(not_positive_), out.f64(largest_);
    out.varint(counts_.size() - static_cast<size_t>(std::ranges::count(counts_, uint64_t{0})));
    for (size_t i = 0; i < counts_.size(); i++)
      if (counts_[i]) out.zigzag(first_ + static_cast<int>(i)), out.varint(counts_[i]);
  }
  // False: malformed; the histogram is then unusable.
  bool decode(Reader& in) {
    *this = PowerHistogram();
    if (in.u8() != kVersion) return false;
    not_positive_ = in.varint(), largest_ = in.f64();
    uint64_t used = in.varint();
    int64_t before = kLowest - 1;
    for (uint64_t i = 0; i < used && in.ok(); i++) {
      int64_t power = in.zigzag();
      uint64_t n = in.varint();
      if (power <= before || power > kHighest + 1 || n == 0) return false;
      count_of(static_cast<int>(power)) = n;
      before = power;
    }
    if (!in.ok() || !std::isfinite(largest_)) return false;
    if (counts_.empty()) return std::bit_cast<uint64_t>(largest_) == 0;
    return largest_ > 0 && power_of(largest_) == before;
  }

 private:
  static constexpr uint8_t kVersion = 1;

  // The smallest k with v <= 2^k. REQUIRES: v > 0.
  static int power_of(double v) {
    auto bits = std::bit_cast<uint64_t>(v);
    if (bits >> 52) [[likely]]
      return static_cast<int>((bits - 1) >> 52) - 1022;
    return static_cast<int>(std::bit_width(bits - 1)) + kLowest;  // subnormal: bits * 2^-1074
  }
  uint64_t& count_of(int power) {
    auto i = static_cast<size_t>(static_cast<int64_t>(power) - first_);  // huge if below first
    if (i >= counts_.size()) [[unlikely]] {
      extend_to(power);
      i = static_cast<size_t>(power - first_);
    }
    return counts_[i];
  }
  void extend_to(int power) {
    if (counts_.empty()) first_ = power;
    if (power < first_) {
      counts_.insert(counts_.begin(), static_cast<size_t>(first_ - power), 0);
      first_ = power;
    }
    counts_.resize(std::max(counts_.size(), static_cast<size_t>(power - first_) + 1));
  }

  std::vector<uint64_t> counts_;  // of powers first_, first_ + 1, ...; the first and the last are not 0
  int first_ = 0;
  uint64_t not_positive_ = 0;
  double largest_ = 0;
};

}  // namespace limpet
