// Distinct 64-bit hashes: exact while few, then HyperLogLog with 2^12 registers (Flajolet et al. 2007) read by the
// improved estimator of Ertl (2017, "New cardinality estimation algorithms for HyperLogLog sketches"), which needs no
// bias tables; standard error 1.04 / sqrt(4096) = 1.6 %. The set that was added alone decides estimate and encoding:
// order of adds and merges leaves no trace.
//
// 16 bytes, and what is allocated: a hash table of 4 to 512 words, or 4 KiB of registers. An add is a few ns. One
// thread at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/codec.h"

namespace limpet {

class HyperLogLog {
 public:
  static constexpr size_t kExactMax = 256;

  HyperLogLog() = default;
  HyperLogLog(const HyperLogLog& other) { copy(other); }
  HyperLogLog(HyperLogLog&& other) noexcept { take(other); }
  HyperLogLog& operator=(const HyperLogLog& other) {
    if (this != &other) copy(other);
    return *this;
  }
  HyperLogLog& operator=(HyperLogLog&& other) noexcept {
    if (this != &other) take(other);
    return *this;
  }
  ~HyperLogLog() = default;

  // REQUIRES: the bits of `hash` are evenly spread (sketch/value_hash.h).
  void add(uint64_t hash) {
    if (is_dense())
      set_register(hash);
    else
      add_exact(hash);
  }
  void merge(const HyperLogLog& other);
  uint64_t estimate() const;
  bool empty() const { return size_ == 0; }
  size_t bytes() const { return capacity() * sizeof(uint64_t); }  // allocated, without the object itself
  bool operator==(const HyperLogLog& other) const;

  void encode(Writer& out) const;  // FORMAT.md
  bool decode(Reader& in);         // false: malformed; the sketch is then empty

 private:
  static constexpr int kBits = 12;
  static constexpr size_t kRegisters = size_t{1} << kBits;
  static constexpr int kRankMax = 64 - kBits + 1;
  static constexpr uint32_t kDense = UINT32_MAX;

  bool is_dense() const { return size_ == kDense; }
  size_t capacity() const { return is_dense() ? kRegisters / sizeof(uint64_t) : capacity_; }
  uint8_t* registers() { return reinterpret_cast<uint8_t*>(words_.get()); }
  const uint8_t* registers() const { return reinterpret_cast<const uint8_t*>(words_.get()); }
  void set_register(uint64_t hash) {
    // The bit behind the last one that counts ends the run of zeros.
    auto rank = static_cast<uint8_t>(std::countl_zero(hash << kBits | uint64_t{1} << (kBits - 1)) + 1);
    uint8_t& r = registers()[hash >> (64 - kBits)];
    if (r < rank) r = rank;
  }

  void add_exact(uint64_t hash);
  uint64_t& place_of(uint64_t hash);
  void resize(size_t capacity);
  void to_registers();
  template <typename F>
  void for_each_exact(F f) const;  // in no order
  void copy(const HyperLogLog& other);
  void take(HyperLogLog& other);

  std::unique_ptr<uint64_t[]> words_;  // the table, 0 where free, at most three quarters full; or the registers
  uint32_t size_ = 0;                  // hashes, or kDense
  uint16_t capacity_ = 0;              // of the table: 0 or a power of two
  bool has_zero_ = false;              // of the hashes, 0 stands here
};
static_assert(sizeof(HyperLogLog) == 16);

}  // namespace limpet
