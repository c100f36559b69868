// Counts of numbers by magnitude, for quantiles: each power of two is cut into 64 buckets of equal width, so that a
// bucket's middle is within 1/129 (0.78 %) of every number in it. Covers all doubles: subnormals by their own leading
// bit, negatives, zero. Sparse and never coarsened; merging adds counts, so the order of adds and merges leaves no
// trace. (The layout of HdrHistogram and, but for the scale, of OpenTelemetry's exponential histogram.)
//
// Three forms, by the count alone, since most groups hold few numbers per pane: up to kHereMax numbers stand in the
// object itself (32 bytes in all), up to kListMax in a list of 4 bytes each, more as counts in pages (see
// exponential_pages.h). An add is some ns in each. One thread at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/codec.h"
#include "sketch/exponential_pages.h"

namespace limpet {

class ExponentialHistogram {
 public:
  static constexpr size_t kHereMax = 6;
  static constexpr size_t kListMax = 64;

  ExponentialHistogram() = default;
  ExponentialHistogram(const ExponentialHistogram& other) { copy(other); }
  ExponentialHistogram(ExponentialHistogram&& other) noexcept { take(other); }
  ExponentialHistogram& operator=(const ExponentialHistogram& other) {
    if (this != &other) release(), copy(other);
    return *this;
  }
  ExponentialHistogram& operator=(ExponentialHistogram&& other) noexcept {
    if (this != &other) release(), take(other);
    return *this;
  }
  ~ExponentialHistogram() { release(); }

  // REQUIRES: v is finite. The numbers of all counts together are right below 2^64, where the count stops.
  void add(double v, uint64_t n = 1) { add_key(key_of(v), n); }
  void merge(const ExponentialHistogram& other);
  void clear() { release(); }

  uint64_t count() const { return count_; }
  // The value of rank ceil(q n), q = numerator / denominator, of the numbers in rising order; the first at q = 0. 0 if
  // there are none. REQUIRES: numerator <= denominator, denominator > 0.
  double quantile(uint64_t numerator, uint64_t denominator) const;
  size_t bytes() const;  // allocated, without the object itself
  bool operator==(const ExponentialHistogram& other) const;

  void encode(Writer& out) const;  // FORMAT.md
  bool decode(Reader& in);         // false: malformed; the histogram is then empty

 private:
  // A bucket's key rises with the numbers in it: 0 for zero, index + 1 for positive, -(index + 1) for negative ones.
  // The index of a positive number: (exponent + 1074) * 64 + the 6 bits behind its leading one.
  static int32_t key_of(double v) {
    auto bits = std::bit_cast<uint64_t>(v);
    uint64_t magnitude = bits & ~(uint64_t{1} << 63);
    int32_t place;
    if (magnitude >> 52) [[likely]]
      place = static_cast<int32_t>(magnitude >> 46) + kNormals;
    else
      place = place_of_subnormal(magnitude);
    return v < 0 ? -place : place;
  }
  static constexpr int32_t kNormals = (1074 - 1023) * 64 + 1;
  static int32_t place_of_subnormal(uint64_t magnitude);
  static double middle_of(int32_t key);

  void add_key(int32_t key, uint64_t n) {
    if (count_ > kListMax) {
      raise_count(n);
      heap_.pages->add(key, n);
    } else if (n == 1 && count_ < kHereMax) {
      here_[count_++] = key;
    } else {
      add_to_list(key, n);
    }
  }
  // The form hangs on the count, so it must not wrap, whatever counts were decoded and merged.
  void raise_count(uint64_t n) {
    if (__builtin_add_overflow(count_, n, &count_)) [[unlikely]]
      count_ = UINT64_MAX;
  }
  void add_to_list(int32_t key, uint64_t n);
  void grow_list(size_t capacity);
  void to_pages();
  const int32_t* keys() const { return count_ <= kHereMax ? here_ : heap_.list; }

  void copy(const ExponentialHistogram& other);  // REQUIRES: this is empty, in these two
  void take(ExponentialHistogram& other);
  void release();
  template <typename F>
  void for_each(F f) const;  // f(key, count) in order of key

  struct Heap {
    union {
      int32_t* list;  // count_ keys in order of arrival, room for `capacity`
      ExponentialPages* pages;
    };
    uint32_t capacity;
  };
  union {
    int32_t here_[kHereMax];  // count_ <= kHereMax: count_ keys in order of arrival
    Heap heap_;
  };
  uint64_t count_ = 0;
};
static_assert(sizeof(ExponentialHistogram) == 32);

}  // namespace limpet
