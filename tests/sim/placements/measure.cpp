#include "placements/measure.h"

#include <algorithm>

namespace limpet::sim {
namespace {

using Owners = std::vector<uint32_t>;

double imbalance(const Owners& owner, const LoadModel& model, uint32_t pods) {
  std::vector<double> load(pods);
  for (size_t k = 0; k < owner.size(); k++) load[owner[k]] += model.loads()[k];
  return *std::max_element(load.begin(), load.end()) * pods;
}

struct Moved {
  double all = 0, collateral = 0;
};

// `gone`: whose keys had to move.
Moved moved(const Owners& before, const Owners& after, uint32_t gone) {
  size_t all = 0, collateral = 0;
  for (size_t k = 0; k < before.size(); k++) {
    bool moves = before[k] != after[k];
    all += moves, collateral += moves && before[k] != gone;
  }
  auto keys = static_cast<double>(before.size());
  return {static_cast<double>(all) / keys, static_cast<double>(collateral) / keys};
}

void measure_restarts(Placement& placement, uint32_t pods, uint32_t restarts, Measured& out) {
  double scale = 1.0 / restarts;
  for (uint32_t i = 0; i < restarts; i++) {
    auto pod = static_cast<uint32_t>(uint64_t{i} * pods / restarts);
    Owners before = placement.owner();
    placement.remove(pod);
    Owners without = placement.owner();
    Moved stop = moved(before, without, pod);
    placement.add(pod);
    out.remove += scale * stop.all, out.collateral += scale * stop.collateral;
    out.restart += scale * pods * (stop.all + moved(without, placement.owner(), pod).all);
  }
}

template <typename Get>
double median_of(const std::vector<Measured>& seeds, Get get) {
  std::vector<double> values;
  for (const Measured& m : seeds) values.push_back(get(m));
  return median(std::move(values));
}

}  // namespace

Measured measure(const Scheme& scheme, std::span<const LoadModel> models, uint32_t pods, uint64_t seed,
                 uint32_t restarts) {
  Measured out;
  std::unique_ptr<Placement> placement = scheme.make(models.front().keys(), pods, seed);
  for (const LoadModel& model : models) out.imbalance.push_back(imbalance(placement->owner(), model, pods));
  Owners before = placement->owner();
  placement->add(pods);
  out.add = moved(before, placement->owner(), pods).all;
  placement->remove(pods);
  measure_restarts(*placement, pods, restarts, out);
  return out;
}

double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

Measured median(const std::vector<Measured>& seeds) {
  Measured out;
  out.add = median_of(seeds, [](const Measured& m) { return m.add; });
  out.remove = median_of(seeds, [](const Measured& m) { return m.remove; });
  out.collateral = median_of(seeds, [](const Measured& m) { return m.collateral; });
  out.restart = median_of(seeds, [](const Measured& m) { return m.restart; });
  for (size_t i = 0; i < seeds.front().imbalance.size(); i++)
    out.imbalance.push_back(median_of(seeds, [&](const Measured& m) { return m.imbalance[i]; }));
  return out;
}

}  // namespace limpet::sim
