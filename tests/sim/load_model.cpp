#include "load_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace limpet::sim {
namespace {

constexpr double kHotOfSlice = 0.05, kHotOfPod = 0.01;
constexpr size_t kHotKeysMax = 100;
// What a CPU second is in samples, and a share of all load in state.
constexpr double kSamplesPerCpuSecond = 1e6, kStateBytesPerLoad = 1e9;

void name_hot_keys(const LoadModel& model, double total_cpu, size_t first, size_t last, PodReport& report) {
  double limit = std::min(kHotOfSlice * model.sum(first, last) * total_cpu, kHotOfPod * report.cpu);
  for (size_t k = first; k < last; k++) {
    double cpu = model.loads()[k] * total_cpu;
    if (cpu >= limit) report.hot_keys.push_back({model.keys().place[k], cpu * kSamplesPerCpuSecond, cpu});
  }
}

void keep_hottest(std::vector<HotKey>& keys) {
  std::stable_sort(keys.begin(), keys.end(), [](const HotKey& a, const HotKey& b) { return a.cpu > b.cpu; });
  if (keys.size() > kHotKeysMax) keys.resize(kHotKeysMax);
}

}  // namespace

uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

Keys make_keys(size_t count, uint64_t seed) {
  // mix() is a bijection, so that no two keys meet.
  std::vector<std::pair<uint64_t, uint32_t>> placed(count);
  for (size_t r = 0; r < count; r++) placed[r] = {mix(r ^ mix(seed)), static_cast<uint32_t>(r)};
  std::sort(placed.begin(), placed.end());
  Keys keys;
  for (auto [place, rank] : placed) keys.place.push_back(place), keys.rank.push_back(rank);
  return keys;
}

LoadModel::LoadModel(const Keys& keys, double exponent) : keys_(&keys), loads_(keys.size()), sums_(keys.size() + 1) {
  double sum = 0;
  for (size_t r = keys.size(); r > 0; r--) sum += std::pow(static_cast<double>(r), -exponent);
  for (size_t k = 0; k < keys.size(); k++) loads_[k] = std::pow(keys.rank[k] + 1.0, -exponent) / sum;
  std::partial_sum(loads_.begin(), loads_.end(), sums_.begin() + 1);
  hottest_ = 1 / sum;
}

double LoadModel::floor(size_t pods) const { return std::max(1.0, hottest_ * static_cast<double>(pods)); }

std::vector<size_t> first_keys(const Slices& slices, const Keys& keys) {
  std::vector<size_t> first;
  first.reserve(slices.size() + 1);
  size_t k = 0;
  for (uint64_t low : slices.low) {
    while (k < keys.size() && keys.place[k] < low) k++;
    first.push_back(k);
  }
  first.push_back(keys.size());
  return first;
}

void report_loads(const LoadModel& model, double total_cpu, const Assignment& assignment,
                  std::span<PodReport> reports) {
  std::vector<size_t> first = first_keys(assignment.slices, model.keys());
  std::vector<PodReport*> of(assignment.pods.size());
  for (PodReport& r : reports) {
    r.generation = assignment.generation;
    r.cpu = 0, r.slices.clear(), r.hot_keys.clear();
    if (int32_t pod = assignment.find_pod(r.name); pod != kNoPod) of[static_cast<size_t>(pod)] = &r;
  }
  for (size_t i = 0; i < assignment.slices.size(); i++) {
    PodReport* r = of[assignment.slices.owner[i]];
    if (!r) continue;
    double load = model.sum(first[i], first[i + 1]), cpu = load * total_cpu;
    r->slices.push_back({assignment.slices.low[i], cpu * kSamplesPerCpuSecond, cpu,
                         static_cast<uint64_t>(load * kStateBytesPerLoad), first[i + 1] - first[i]});
    r->cpu += cpu;
  }
  for (size_t i = 0; i < assignment.slices.size(); i++)
    if (PodReport* r = of[assignment.slices.owner[i]]) name_hot_keys(model, total_cpu, first[i], first[i + 1], *r);
  for (PodReport& r : reports) keep_hottest(r.hot_keys);
}

}  // namespace limpet::sim
