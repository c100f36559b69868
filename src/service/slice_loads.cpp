#include "service/slice_loads.h"

#include <algorithm>
#include <cmath>

namespace limpet {
namespace {

// Key shares worth telling: of the pod, of a slice.
constexpr double kHotOfPod = 0.01, kHotOfSlice = 0.05;
constexpr size_t kHotKeysMax = 64;

}  // namespace

void SliceLoads::adopt(std::shared_ptr<const Ownership> ownership) {
  std::vector<Load> loads(ownership->slices());
  auto high = [](const Ownership& o, size_t i) { return i + 1 < o.slices() ? o.slice_low(i + 1) : 0; };
  // Both cover the key space in order: where they overlap, the share of the old slice that the new one has goes over.
  for (size_t i = 0, j = 0; i < loads.size() && j < loads_.size();) {
    uint64_t low = std::max(ownership->slice_low(i), ownership_->slice_low(j));
    uint64_t old_high = high(*ownership_, j), new_high = high(*ownership, i);
    uint64_t end = std::min(old_high - 1, new_high - 1) + 1;
    double share = key_share(low, end) / key_share(ownership_->slice_low(j), old_high);
    loads[i].samples.value += loads_[j].samples.value * share, loads[i].cpu.value += loads_[j].cpu.value * share;
    loads[i].cost.value += loads_[j].cost.value * share;
    loads[i].samples.weight = std::max(loads[i].samples.weight, loads_[j].samples.weight);
    loads[i].cpu.weight = std::max(loads[i].cpu.weight, loads_[j].cpu.weight);
    loads[i].cost.weight = std::max(loads[i].cost.weight, loads_[j].cost.weight);
    i += end == new_high, j += end == old_high;
  }
  loads_ = std::move(loads);
  before_.assign(loads_.size(), {});
  ownership_ = std::move(ownership);
  // A slice that is no more this pod's makes no load; one that is new has none yet to average over.
  for (size_t i = 0; i < loads_.size(); i++)
    if (!ownership_->concerns(i)) loads_[i] = {};
}

// The cost of what came since the last time. If nothing came, what is done now is left over from what came before:
// windows are emitted between the bursts of lines. If nothing ever came, each slice has its share of the key space.
SliceLoads::Weights SliceLoads::weights(const std::vector<SliceWork>& work) const {
  Weights out{.of = std::vector<double>(loads_.size()), .total = 0};
  auto weigh = [&](auto weight_of) {
    for (size_t i = 0; i < loads_.size(); i++)
      if (ownership_->concerns(i)) out.total += out.of[i] = weight_of(i);
    return out.total > 0;
  };
  auto cost_of = [&](size_t i) {
    return i < work.size() && i < before_.size() ? static_cast<double>(work[i].cost - before_[i].cost) : 0.0;
  };
  auto share_of = [&](size_t i) {
    return key_share(ownership_->slice_low(i), i + 1 < loads_.size() ? ownership_->slice_low(i + 1) : 0);
  };
  weigh(cost_of) || weigh([&](size_t i) { return loads_[i].cost.value; }) || weigh(share_of);
  return out;
}

void SliceLoads::add(const std::vector<SliceWork>& work, double cpu_s, MonoTime now) {
  if (added_.ns == 0) {
    added_ = now, cpu_before_s_ = cpu_s;
    return;
  }
  double seconds = static_cast<double>(now.ns - added_.ns) * 1e-9;
  if (seconds <= 0) return;
  double share = 1 - std::exp2(-seconds * 1e9 / static_cast<double>(kHalfLifeNs));
  double cpu = std::max(0.0, cpu_s - cpu_before_s_) / seconds;
  Weights by = weights(work);
  size_t slices = std::min({work.size(), loads_.size(), before_.size()});
  for (size_t i = 0; i < slices; i++) {
    if (!ownership_->concerns(i)) continue;
    loads_[i].samples.add(static_cast<double>(work[i].samples - before_[i].samples) / seconds, share);
    loads_[i].cost.add(static_cast<double>(work[i].cost - before_[i].cost) / seconds, share);
    loads_[i].cpu.add(by.total > 0 ? cpu * by.of[i] / by.total : 0, share);
  }
  cpu_.add(cpu, share);
  before_ = work;
  cpu_before_s_ = cpu_s, added_ = now;
}

double SliceLoads::samples_per_s() const {
  double sum = 0;
  for (const Load& load : loads_) sum += load.samples.rate();
  return sum;
}

double SliceLoads::cpu() const { return cpu_.rate(); }

void SliceLoads::describe(const std::vector<SliceState>& state, const HotKeys& hot, PodReport& report) const {
  for (size_t i = 0; i < loads_.size(); i++) {
    if (!ownership_->concerns(i)) continue;
    const SliceState held = i < state.size() ? state[i] : SliceState();
    report.slices.push_back(
        {ownership_->slice_low(i), loads_[i].samples.rate(), loads_[i].cpu.rate(), held.bytes, held.groups});
  }
  report.cpu = cpu();
  if (hot.total() == 0 || loads_.empty()) return;
  for (const HotKeys::Entry& entry : hot.hottest()) {
    if (report.hot_keys.size() >= kHotKeysMax) break;
    // What is surely its own.
    double of_pod = static_cast<double>(entry.samples - entry.error) / static_cast<double>(hot.total());
    const Load& slice = loads_[ownership_->slice_of(entry.key)];
    double samples = of_pod * samples_per_s(), of_slice = samples / std::max(slice.samples.rate(), 1e-9);
    if (of_pod < kHotOfPod && of_slice < kHotOfSlice) continue;
    report.hot_keys.push_back({entry.key, samples, std::min(of_slice, 1.0) * slice.cpu.rate()});
  }
}

}  // namespace limpet
