#include "placements/measure_limpet.h"

#include <algorithm>
#include <utility>

namespace limpet::sim {
namespace {

// What the planner leaves alone: twice its tolerance.
constexpr double kBand = 0.1;
// A slice rests ten rounds after a move: nothing for two more, and nothing will come.
constexpr uint32_t kQuietRounds = 12;
// A roll without the carousel goes on when the last pod is full again, or after five minutes.
constexpr uint32_t kRefillQuiet = 1, kRefillRoundsMax = 10;

double share(size_t keys, const LoadModel& model) {
  return static_cast<double>(keys) / static_cast<double>(model.keys().size());
}

void measure_add(LimpetCluster cluster, const LoadModel& model, uint32_t pods, const LimpetLimits& limits,
                 Measured& out) {
  cluster.add(pods);
  out.add = share(cluster.settle(kQuietRounds, limits.rounds_max), model);
}

// Returns the keys that changed pods until it owns nothing; `collateral` gets those that were not its own.
size_t drain(LimpetCluster& cluster, uint32_t pod, size_t& collateral) {
  constexpr uint32_t kRoundsMax = 10;
  cluster.drain(pod);
  size_t keys = 0;
  for (uint32_t n = 0; n < kRoundsMax && !cluster.owns_nothing(pod); n++) {
    keys += cluster.round();
    collateral += cluster.collateral_of(pod);
  }
  cluster.stop(pod);
  return keys;
}

void measure_remove(LimpetCluster cluster, const LoadModel& model, uint32_t pods, const LimpetLimits& limits,
                    Measured& out) {
  size_t collateral = 0, keys = drain(cluster, pods / 2, collateral);
  size_t later = cluster.settle(kQuietRounds, limits.rounds_max);
  out.remove = share(keys + later, model), out.collateral = share(collateral + later, model);
}

}  // namespace

Convergence converge(LimpetCluster& cluster, const LoadModel& model, uint32_t pods, const LimpetLimits& limits) {
  Convergence out;
  double wanted = model.floor(pods) * (1 + kBand);
  out.reached = cluster.imbalance() <= wanted;
  size_t keys = 0;
  uint32_t still = 0;
  for (uint32_t n = 1; n <= limits.rounds_max && !(out.reached && still >= limits.quiet); n++) {
    keys += cluster.round();
    still = cluster.changed() ? 0 : still + 1;
    out.imbalance = cluster.imbalance();
    bool was_reached = std::exchange(out.reached, out.imbalance <= wanted);
    if (!was_reached) out.rounds = n, out.moved = share(keys, model);
  }
  return out;
}

// The first pods and the last are not like those between: with the carousel the first one's keys are spread and the
// last one is filled, and the others' go round. What lies between is what is extrapolated.
double rolling_restart(LimpetCluster cluster, const LoadModel& model, uint32_t pods, bool carousel,
                       const LimpetLimits& limits) {
  uint32_t restarts = std::min(pods, limits.restarts);
  double first = 0, between = 0, last = 0;
  for (uint32_t pod = 0; pod < restarts; pod++) {
    size_t collateral = 0, keys = drain(cluster, pod, collateral);
    keys += cluster.round();
    cluster.start_again(pod);
    keys += carousel ? cluster.round() : cluster.settle(kRefillQuiet, kRefillRoundsMax);
    (pod == 0 ? first : between) += share(keys, model);
  }
  last = share(cluster.settle(kQuietRounds, limits.rounds_max), model);
  if (restarts > 1) between *= (pods - 1.0) / (restarts - 1.0);
  return first + between + last;
}

MeasuredLimpet measure_limpet(std::span<const LoadModel> models, uint32_t pods, size_t moves_under,
                              const LimpetLimits& limits) {
  MeasuredLimpet out;
  for (size_t i = 0; i < models.size(); i++) {
    LimpetCluster cluster(models[i], pods, {});
    if (limits.checked) cluster.check_steps(out.violations);
    out.convergence.push_back(converge(cluster, models[i], pods, limits));
    out.moves.imbalance.push_back(out.convergence.back().imbalance);
    if (i != moves_under) continue;
    measure_add(cluster, models[i], pods, limits, out.moves);
    measure_remove(cluster, models[i], pods, limits, out.moves);
    out.moves.restart = rolling_restart(cluster, models[i], pods, true, limits);
    cluster.set_carousel(false);
    out.restart_without_carousel = rolling_restart(cluster, models[i], pods, false, limits);
  }
  return out;
}

MeasuredLimpet median(const std::vector<MeasuredLimpet>& seeds) {
  MeasuredLimpet out;
  std::vector<Measured> moves;
  std::vector<double> without;
  for (const MeasuredLimpet& m : seeds) {
    moves.push_back(m.moves), without.push_back(m.restart_without_carousel);
    out.violations.insert(out.violations.end(), m.violations.begin(), m.violations.end());
  }
  out.moves = median(moves), out.restart_without_carousel = median(without);
  for (size_t i = 0; i < seeds.front().convergence.size(); i++) {
    std::vector<double> rounds, moved;
    bool reached = true;
    for (const MeasuredLimpet& m : seeds) {
      rounds.push_back(m.convergence[i].rounds), moved.push_back(m.convergence[i].moved);
      reached &= m.convergence[i].reached;
    }
    out.convergence.push_back({static_cast<uint32_t>(median(rounds)), median(moved), out.moves.imbalance[i], reached});
  }
  return out;
}

}  // namespace limpet::sim
