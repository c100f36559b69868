#include <algorithm>
#include <map>
#include <numeric>

#include "placements/placement.h"

namespace limpet::sim {
namespace {

uint32_t bucket_of(uint64_t key, uint32_t buckets) {
  int64_t bucket = -1, next = 0;
  while (next < int64_t{buckets}) {
    bucket = next;
    key = key * 2862933555777941757 + 1;
    double scale = static_cast<double>(int64_t{1} << 31) / static_cast<double>((key >> 33) + 1);
    next = static_cast<int64_t>(static_cast<double>(bucket + 1) * scale);
  }
  return static_cast<uint32_t>(bucket);
}

class Jump : public Placement {
 public:
  Jump(const Keys& keys, uint32_t pods, bool keeps_bucket) : keys_(keys), keeps_bucket_(keeps_bucket), holder_(pods) {
    std::iota(holder_.begin(), holder_.end(), 0);
    place();
  }
  void add(uint32_t pod) override {
    holder_.push_back(pod);
    auto had = had_.find(pod);
    if (keeps_bucket_ && had != had_.end() && had->second < holder_.size())
      std::swap(holder_[had->second], holder_.back());
    place();
  }
  void remove(uint32_t pod) override {
    auto at = std::find(holder_.begin(), holder_.end(), pod);
    had_[pod] = static_cast<size_t>(at - holder_.begin());
    *at = holder_.back();
    holder_.pop_back();
    place();
  }

 private:
  // Remembered, since a rolling restart goes to and fro between two numbers of pods.
  const std::vector<uint32_t>& buckets(uint32_t count) {
    std::vector<uint32_t>& known = buckets_[count];
    if (known.empty())
      for (uint64_t key : keys_.place) known.push_back(bucket_of(key, count));
    return known;
  }
  void place() {
    const auto& bucket = buckets(static_cast<uint32_t>(holder_.size()));
    owner_.resize(keys_.size());
    for (size_t k = 0; k < keys_.size(); k++) owner_[k] = holder_[bucket[k]];
  }

  const Keys& keys_;
  bool keeps_bucket_;
  std::vector<uint32_t> holder_;                       // by bucket
  std::map<uint32_t, size_t> had_;                     // buckets of pods that went
  std::map<uint32_t, std::vector<uint32_t>> buckets_;  // of the keys, by number of buckets
};

}  // namespace

std::unique_ptr<Placement> make_jump(const Keys& keys, uint32_t pods, bool keeps_bucket) {
  return std::make_unique<Jump>(keys, pods, keeps_bucket);
}

}  // namespace limpet::sim
