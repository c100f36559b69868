// The keys with the most samples, found in a stream with a table of fixed size: Space-Saving (Metwally, Agrawal and
// El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005). A key that makes more
// than 1/kEntries of all samples is always in it; an estimate is too high by at most the smallest of them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <vector>

namespace limpet {

class HotKeys {
 public:
  static constexpr size_t kEntries = 256;
  struct Entry {
    uint64_t key = 0;
    uint64_t samples = 0;  // at most
    uint64_t error = 0;    // at least samples - error
  };

  // O(1) for a key that is in the table, else O(kEntries).
  void add(uint64_t key, uint64_t samples);
  // Halves everything, so that the past fades.
  void age();
  std::vector<Entry> hottest() const;  // most samples first
  uint64_t total() const { return total_; }

 private:
  std::vector<Entry> entries_;
  boost::unordered_flat_map<uint64_t, uint32_t> at_;
  uint64_t total_ = 0;
};

}  // namespace limpet
