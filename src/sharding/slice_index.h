// From a key to its slice, fast enough not to be seen in the aggregator's profile. Immutable, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace limpet {

class SliceIndex {
 public:
  SliceIndex() = default;
  // REQUIRES: `low` is strictly rising and begins with 0. O(slices).
  explicit SliceIndex(std::span<const uint64_t> low);
  // The index of the slice that holds the key. REQUIRES: not built empty. O(1) for evenly spread slices, else
  // O(log slices).
  size_t find(uint64_t key) const;

 private:
  std::vector<uint64_t> low_;
  std::vector<uint32_t> first_;  // by the key's highest bits: the slice that holds the first key with them
  unsigned shift_ = 64;
};

}  // namespace limpet
