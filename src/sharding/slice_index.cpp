#include "sharding/slice_index.h"

#include <algorithm>
#include <bit>

namespace limpet {

// A table over the key's highest bits, with about twice as many places as there are slices: evenly spread slices leave
// one or two candidates. Single keys and other narrow slices crowd in one place, which is then searched by halves.
SliceIndex::SliceIndex(std::span<const uint64_t> low) : low_(low.begin(), low.end()) {
  unsigned bits = std::max(1, static_cast<int>(std::bit_width(low.size())));
  shift_ = 64 - bits;
  first_.resize((size_t{1} << bits) + 1);
  size_t slice = 0;
  for (size_t place = 0; place + 1 < first_.size(); place++) {
    uint64_t key = static_cast<uint64_t>(place) << shift_;
    while (slice + 1 < low_.size() && low_[slice + 1] <= key) slice++;
    first_[place] = static_cast<uint32_t>(slice);
  }
  first_.back() = static_cast<uint32_t>(low_.size() - 1);
}

size_t SliceIndex::find(uint64_t key) const {
  size_t place = key >> shift_;
  // The last slice of the next place that may begin within this one is its first.
  const uint64_t* begin = low_.data() + first_[place];
  const uint64_t* end = low_.data() + first_[place + 1] + 1;
  return static_cast<size_t>(std::upper_bound(begin, end, key) - low_.data()) - 1;
}

}  // namespace limpet
