#include "sharding/assignment.h"

#include <algorithm>
#include <cmath>

namespace limpet {

double key_share(uint64_t low, uint64_t high) {
  if (low == high) return 1;
  return std::ldexp(static_cast<double>(high - low), -64);
}

double Slices::share(size_t i) const { return key_share(low[i], high(i)); }

int32_t Assignment::find_pod(std::string_view name) const {
  auto at = std::lower_bound(pods.begin(), pods.end(), name,
                             [](const AssignedPod& pod, std::string_view want) { return pod.name < want; });
  return at != pods.end() && at->name == name ? static_cast<int32_t>(at - pods.begin()) : kNoPod;
}

std::string_view to_string(PodState state) {
  constexpr std::string_view kNames[] = {"starting", "ready", "draining", "drained", "dead"};
  return kNames[static_cast<size_t>(state)];
}

std::string_view to_string(MoveCause cause) {
  constexpr std::string_view kNames[] = {"death", "drain", "fill", "balance", "merge"};
  return kNames[static_cast<size_t>(cause)];
}

}  // namespace limpet
