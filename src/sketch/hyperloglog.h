// Distinct 64-bit hashes: exact while few (a sorted set), then HyperLogLog with 2^12 registers (Flajolet et al. 2007)
// read by the improved estimator of Ertl (2017, "New cardinality estimation algorithms for HyperLogLog sketches"),
// which needs no bias tables; standard error 1.04 / sqrt(4096) = 1.6 %. The set that was added alone decides the state:
// order of adds and merges leaves no trace.
#pragma once

#include <cstdint>
#include <vector>

#include "base/codec.h"

namespace limpet {

class HyperLogLog {
 public:
  static constexpr size_t kExactMax = 256;

  void add(uint64_t hash);
  void merge(const HyperLogLog& other);
  uint64_t estimate() const;
  bool empty() const { return few_.empty() && registers_.empty(); }
  size_t bytes() const { return few_.capacity() * sizeof(uint64_t) + registers_.capacity(); }
  bool operator==(const HyperLogLog&) const = default;

  void encode(Writer& out) const;  // FORMAT.md
  bool decode(Reader& in);

 private:
  static constexpr int kBits = 12;
  static constexpr size_t kRegisters = size_t{1} << kBits;
  static constexpr int kRankMax = 64 - kBits + 1;

  void set_register(uint64_t hash);
  void to_registers();

  std::vector<uint64_t> few_;       // sorted; empty once there are registers
  std::vector<uint8_t> registers_;  // empty or kRegisters
};

}  // namespace limpet
