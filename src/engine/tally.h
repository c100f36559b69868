// How many different things there have been, of which most are gone: a set of the hashes of those, and from kExactMax
// on an estimate within 2 % or so (sketch/hyperloglog.h), so that things that come and go do not fill the memory. One
// thread at a time.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>

#include "sketch/hyperloglog.h"

namespace limpet {

class Tally {
 public:
  static constexpr size_t kExactMax = 100'000;  // a few MiB

  // REQUIRES: the bits of `hash` are evenly spread, and no other thing has it.
  void gone(uint64_t hash) {
    if (!exact_) return all_.add(hash);
    gone_.insert(hash);
    if (gone_.size() <= kExactMax) return;
    for (uint64_t each : gone_) all_.add(each);
    gone_ = {};
    exact_ = false;
  }
  void back(uint64_t hash) {
    if (!gone_.empty()) gone_.erase(hash);
  }

  bool exact() const { return exact_; }
  // `present`: those that are not gone. for_each(f) calls f(hash) for each of them; only where it takes an estimate.
  template <typename ForEach>
  uint64_t count(uint64_t present, ForEach for_each) const {
    if (exact_) return gone_.size() + present;
    HyperLogLog all = all_;
    for_each([&](uint64_t hash) { all.add(hash); });
    return all.estimate();
  }

 private:
  boost::unordered_flat_set<uint64_t> gone_;
  HyperLogLog all_;  // once they are too many: of all that were ever gone
  bool exact_ = true;
};

}  // namespace limpet
