#include "sketch/exponential_pages.h"

#include <algorithm>

namespace limpet {

size_t ExponentialPages::new_page(bool negative, uint32_t page) {
  Directory& directory = directories_[negative];
  if (directory.slots.empty()) directory.first = page;
  if (page < directory.first) {
    directory.slots.insert(directory.slots.begin(), directory.first - page, kNoSlot);
    directory.first = page;
  }
  size_t at = page - directory.first;
  if (at >= directory.slots.size()) directory.slots.resize(at + 1, kNoSlot);
  if (directory.slots[at] == kNoSlot) {
    directory.slots[at] = static_cast<uint16_t>(pages_.size());
    // Doubling would leave a third of all pages unused.
    if (pages_.size() == pages_.capacity()) pages_.reserve(pages_.size() + pages_.size() / 4 + 4);
    pages_.emplace_back();
  }
  return directory.slots[at];
}

void ExponentialPages::merge(const ExponentialPages& other) {
  zeros_ += other.zeros_;
  // By copy: merging with itself adds to the list it reads.
  for (const Carry& c : std::vector<Carry>(other.carries_)) carry(c.key, c.high);
  for (bool negative : {false, true}) {
    const Directory& directory = other.directories_[negative];
    for (size_t i = 0; i < directory.slots.size(); i++)
      if (directory.slots[i] != kNoSlot)
        merge_page(negative, directory.first + static_cast<uint32_t>(i), other.pages_[directory.slots[i]]);
  }
}

void ExponentialPages::merge_page(bool negative, uint32_t page, const Page& from) {
  Page& into = pages_[new_page(negative, page)];
  Page sum;
  uint32_t wrapped = 0;
  for (size_t j = 0; j < kPageSize; j++) {
    sum[j] = into[j] + from[j];
    wrapped |= sum[j] < from[j];
  }
  if (wrapped) [[unlikely]] {
    for (uint32_t j = 0; j < kPageSize; j++)
      if (sum[j] < from[j]) carry(key_of(negative, page, j), 1);
  }
  into = sum;
}

size_t ExponentialPages::bytes() const {
  size_t n = sizeof *this + pages_.capacity() * sizeof(Page) + carries_.capacity() * sizeof(Carry);
  for (const Directory& d : directories_) n += d.slots.capacity() * sizeof(uint16_t);
  return n;
}

void ExponentialPages::carry(int32_t key, uint64_t high) {
  auto it = std::ranges::lower_bound(carries_, key, {}, &Carry::key);
  if (it != carries_.end() && it->key == key)
    it->high += high;
  else
    carries_.insert(it, {key, high});
}

uint64_t ExponentialPages::high_of(int32_t key) const {
  auto it = std::ranges::lower_bound(carries_, key, {}, &Carry::key);
  return it != carries_.end() && it->key == key ? it->high : 0;
}

}  // namespace limpet
