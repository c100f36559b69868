#include "sharding/hot_keys.h"

#include <algorithm>

namespace limpet {

void HotKeys::add(uint64_t key, uint64_t samples) {
  total_ += samples;
  if (auto it = at_.find(key); it != at_.end()) return void(entries_[it->second].samples += samples);
  if (entries_.size() < kEntries) {
    at_[key] = static_cast<uint32_t>(entries_.size());
    return entries_.push_back({key, samples, 0});
  }
  auto least = std::min_element(entries_.begin(), entries_.end(),
                                [](const Entry& a, const Entry& b) { return a.samples < b.samples; });
  at_.erase(least->key);
  at_[key] = static_cast<uint32_t>(least - entries_.begin());
  *least = {key, least->samples + samples, least->samples};
}

void HotKeys::age() {
  total_ /= 2;
  for (Entry& entry : entries_) entry.samples /= 2, entry.error /= 2;
}

std::vector<HotKeys::Entry> HotKeys::hottest() const {
  std::vector<Entry> sorted = entries_;
  std::sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) {
    return a.samples != b.samples ? a.samples > b.samples : a.key < b.key;
  });
  return sorted;
}

}  // namespace limpet
