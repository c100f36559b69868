// The large form of ExponentialHistogram: counts in pages of 16 neighbouring buckets, a cache line each, found through
// a directory for either sign that spans the pages in use. A page is allocated when its first number comes. Counts are
// 32 bits wide; what is beyond goes to a short list.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace limpet {

class ExponentialPages {
 public:
  // Keys as of ExponentialHistogram.
  void add(int32_t key, uint64_t n) {
    if (key == 0) return void(zeros_ += n);
    bool negative = key < 0;
    auto index = static_cast<uint32_t>(negative ? -key : key) - 1;
    const Directory& directory = directories_[negative];
    size_t at = index / kPageSize - directory.first;  // huge if below first
    size_t slot = at < directory.slots.size() ? directory.slots[at] : kNoSlot;
    if (slot == kNoSlot) [[unlikely]]
      slot = new_page(negative, index / kPageSize);
    uint32_t& low = pages_[slot][index % kPageSize];
    uint64_t sum = low + n;
    low = static_cast<uint32_t>(sum);
    if (sum >> 32) [[unlikely]]
      carry(key, sum >> 32);
  }
  void merge(const ExponentialPages& other);
  size_t bytes() const;

  // f(key, count) in order of key, for counts above 0; stops when f returns true.
  template <typename F>
  void for_each(F f) const {
    for (size_t i = directories_[1].slots.size(); i-- > 0;)
      if (visit_page(true, i, f)) return;
    if (zeros_ && f(0, zeros_)) return;
    for (size_t i = 0; i < directories_[0].slots.size(); i++)
      if (visit_page(false, i, f)) return;
  }

 private:
  static constexpr uint32_t kPageSize = 16;
  using Page = std::array<uint32_t, kPageSize>;
  // Page `first + i` of a sign is pages_[slots[i]]. There are 8392 pages a sign, so that two bytes number them all.
  static constexpr uint16_t kNoSlot = 0xffff;
  struct Directory {
    std::vector<uint16_t> slots;
    uint32_t first = 0;
  };
  struct Carry {  // counts beyond 32 bits
    int32_t key;
    uint64_t high;
  };

  template <typename F>
  bool visit_page(bool negative, size_t at, F& f) const {
    const Directory& directory = directories_[negative];
    if (directory.slots[at] == kNoSlot) return false;
    const Page& page = pages_[directory.slots[at]];
    for (uint32_t i = 0; i < kPageSize; i++) {
      uint32_t bucket = negative ? kPageSize - 1 - i : i;
      int32_t key = key_of(negative, directory.first + static_cast<uint32_t>(at), bucket);
      uint64_t n = page[bucket];
      if (!carries_.empty()) [[unlikely]]
        n += high_of(key) << 32;
      if (n && f(key, n)) return true;
    }
    return false;
  }
  static int32_t key_of(bool negative, uint32_t page, uint32_t bucket) {
    auto place = static_cast<int32_t>(page * kPageSize + bucket + 1);
    return negative ? -place : place;
  }
  size_t new_page(bool negative, uint32_t page);
  void merge_page(bool negative, uint32_t page, const Page& from);
  void carry(int32_t key, uint64_t high);
  uint64_t high_of(int32_t key) const;

  std::array<Directory, 2> directories_;  // positive, negative
  std::vector<Page> pages_;               // in order of first use
  std::vector<Carry> carries_;            // by key
  uint64_t zeros_ = 0;
};

}  // namespace limpet
