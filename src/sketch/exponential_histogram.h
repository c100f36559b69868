// Counts of numbers by magnitude, for quantiles: each power of two is cut into 64 buckets of equal width, so that a
// bucket's middle is within 1/129 (0.78 %) of every number in it. Covers all doubles: subnormals by their own leading
// bit, negatives, zero. Sparse and never coarsened; merging adds counts, so the order of adds and merges leaves no
// trace. (The layout of HdrHistogram and, but for the scale, of OpenTelemetry's exponential histogram.)
//
// While few buckets are in use they are a sorted list of 12 bytes each; later, pages of 64 counts. An add costs a few
// ns once the power of two is known. One thread at a time.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/codec.h"

namespace limpet {

class ExponentialHistogram {
 public:
  ExponentialHistogram() = default;
  ExponentialHistogram(const ExponentialHistogram& other) { *this = other; }
  ExponentialHistogram(ExponentialHistogram&&) = default;
  ExponentialHistogram& operator=(const ExponentialHistogram& other);
  ExponentialHistogram& operator=(ExponentialHistogram&&) = default;

  // REQUIRES: v is finite.
  void add(double v, uint64_t n = 1) {
    count_ += n;
    if (v == 0) return void(zero_ += n);
    int32_t index = index_of(std::fabs(v));
    int32_t key = v < 0 ? -index - 1 : index;
    if (last_ < pages_.size() && pages_[last_]->page == page_of(key))
      pages_[last_]->add(key, n, *this);
    else
      add_cold(key, n);
  }
  void merge(const ExponentialHistogram& other);
  void clear() { *this = ExponentialHistogram(); }

  uint64_t count() const { return count_; }
  // The value of rank ceil(q n), q = numerator / denominator, of the numbers in rising order; the first at q = 0. 0 if
  // there are none.
  double quantile(uint64_t numerator, uint64_t denominator) const;
  size_t bytes() const;
  bool operator==(const ExponentialHistogram& other) const;

  void encode(Writer& out) const;  // FORMAT.md
  bool decode(Reader& in);         // false: malformed

 private:
  static constexpr int32_t kBuckets = 64;            // a power of two
  static constexpr int32_t kLowestExponent = -1074;  // of the least subnormal
  static constexpr int32_t kIndexes = 2098 * kBuckets;
  static constexpr size_t kFewMax = 32;

  // A bucket's key rises with the numbers in it: its index, or -index - 1 for negative numbers. Page p holds the keys
  // [64 p, 64 p + 64).
  static int32_t page_of(int32_t key) { return key >> 6; }
  struct Page {
    int32_t page = 0;
    std::array<uint32_t, kBuckets> counts{};
    void add(int32_t key, uint64_t n, ExponentialHistogram& owner) {
      uint32_t& low = counts[static_cast<size_t>(key & 63)];
      uint64_t sum = low + n;
      low = static_cast<uint32_t>(sum);
      if (sum >> 32) [[unlikely]]
        owner.carry(key, sum >> 32);
    }
  };
  struct Few {
    int32_t key;
    uint64_t count;
  };
  struct Carry {  // counts beyond 32 bits
    int32_t key;
    uint64_t high;
  };

  // Of a positive number: (exponent - kLowestExponent) * 64 + the 6 bits behind its leading one.
  static int32_t index_of(double v) {
    auto bits = std::bit_cast<uint64_t>(v);
    auto exponent = static_cast<int32_t>(bits >> 52);
    if (exponent > 0) return (exponent - 1023 - kLowestExponent) * kBuckets + static_cast<int32_t>((bits >> 46) & 63);
    int leading = 63 - std::countl_zero(bits);  // subnormal: bits * 2^-1074
    uint64_t rest = bits - (uint64_t{1} << leading);
    return leading * kBuckets + static_cast<int32_t>(leading >= 6 ? rest >> (leading - 6) : rest << (6 - leading));
  }
  static double middle_of(int32_t key);

  void add_cold(int32_t key, uint64_t n);
  void add_to_page(int32_t key, uint64_t n);
  void carry(int32_t key, uint64_t high);
  uint64_t high_of(int32_t key) const;
  template <typename F>
  void for_each(F f) const;  // f(key, count) in order; stops when it returns true

  std::vector<Few> few_;                      // by key; empty once there are pages
  std::vector<std::unique_ptr<Page>> pages_;  // by page
  std::vector<Carry> carries_;                // by key
  uint32_t last_ = 0;                         // the page that was used last
  uint64_t zero_ = 0;
  uint64_t count_ = 0;
};

}  // namespace limpet
