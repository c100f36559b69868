#include "service/cluster_view.h"

#include <algorithm>
#include <cmath>

namespace limpet {
namespace {

PodReport report_of(const AssignedPod& pod) {
  PodReport report;
  report.name = pod.name;
  report.incarnation = pod.incarnation;
  report.address = pod.address;
  report.zone = pod.zone;
  report.host = pod.host;
  report.revision = pod.revision;
  report.weight = pod.weight;
  report.state = pod.state;
  return report;
}

void add_unseen(const Assignment& assignment, std::vector<PodSight>& pods) {
  size_t seen = pods.size();
  for (const AssignedPod& pod : assignment.pods) {
    auto known = std::lower_bound(pods.begin(), pods.begin() + static_cast<ptrdiff_t>(seen), pod.name,
                                  [](const PodSight& a, const std::string& name) { return a.report.name < name; });
    if (known != pods.begin() + static_cast<ptrdiff_t>(seen) && known->report.name == pod.name) continue;
    pods.push_back({.report = report_of(pod), .alive = pod.state != PodState::kDead, .reported = false});
  }
  std::ranges::sort(pods, {}, [](const PodSight& pod) -> const std::string& { return pod.report.name; });
}

// Fills view.slices. Of a slice several pods may report, since the former owner finishes it: the owner's word counts,
// and until it has one, the other's.
void take_loads(ClusterView& view) {
  const Assignment& assignment = *view.assignment;
  const Slices& slices = assignment.slices;
  std::vector<bool> owners_word(slices.size());
  view.slices.resize(slices.size());
  for (size_t i = 0; i < slices.size(); i++) view.slices[i].low = slices.low[i];
  for (const PodLine& pod : view.pods) {
    int32_t index = assignment.find_pod(pod.sight.report.name);
    for (const SliceLoad& load : pod.sight.report.slices) {
      auto at = std::ranges::lower_bound(slices.low, load.low);
      if (at == slices.low.end() || *at != load.low) continue;
      auto i = static_cast<size_t>(at - slices.low.begin());
      bool owner = static_cast<int32_t>(slices.owner[i]) == index;
      if (owners_word[i] && !owner) continue;
      owners_word[i] = owner;
      view.slices[i] = load;
    }
  }
  view.load_is_cpu = std::ranges::any_of(view.slices, [](const SliceLoad& slice) { return slice.cpu > 0; });
}

void add_up(ClusterView& view) {
  const Assignment& assignment = *view.assignment;
  std::vector<PodLine*> of(assignment.pods.size());
  for (PodLine& pod : view.pods)
    if (int32_t index = assignment.find_pod(pod.sight.report.name); index != kNoPod)
      of[static_cast<size_t>(index)] = &pod;
  for (size_t i = 0; i < assignment.slices.size(); i++) {
    PodLine& pod = *of[assignment.slices.owner[i]];
    const SliceLoad& load = view.slices[i];
    pod.slices++;
    pod.share += assignment.slices.share(i);
    pod.load += view.load_of(load);
    pod.samples_per_s += load.samples_per_s;
    pod.groups += load.groups;
    pod.state_bytes += load.state_bytes;
    if (assignment.slices.standby[i] != kNoPod) of[static_cast<size_t>(assignment.slices.standby[i])]->standby_slices++;
  }
}

Imbalance imbalance_of(const std::vector<PodLine>& pods) {
  std::vector<double> loads;
  double load = 0, weight = 0;
  for (const PodLine& pod : pods) {
    if (pod.state != "ready" || !(pod.sight.report.weight > 0)) continue;
    loads.push_back(pod.load / pod.sight.report.weight);
    load += pod.load;
    weight += pod.sight.report.weight;
  }
  if (!(load > 0)) return {};
  std::ranges::sort(loads);
  double mean = load / weight;
  auto p95 = static_cast<size_t>(std::ceil(0.95 * static_cast<double>(loads.size()))) - 1;
  return {.max_mean = loads.back() / mean, .p95_mean = loads[p95] / mean};
}

}  // namespace

bool called_dead(const Assignment* assignment, const PodReport& report) {
  int32_t index = assignment ? assignment->find_pod(report.name) : kNoPod;
  if (index == kNoPod) return false;
  const AssignedPod& pod = assignment->pods[static_cast<size_t>(index)];
  return pod.state == PodState::kDead && pod.incarnation == report.incarnation;
}

ClusterView make_view(std::shared_ptr<const Assignment> assignment, std::vector<PodSight> pods) {
  ClusterView view;
  if (assignment) add_unseen(*assignment, pods);
  for (PodSight& sight : pods) {
    PodLine line;
    line.state = sight.alive ? to_string(sight.report.state) : "dead";
    line.sight = std::move(sight);
    view.pods.push_back(std::move(line));
  }
  view.assignment = std::move(assignment);
  if (!view.assignment) return view;
  take_loads(view);
  add_up(view);
  view.imbalance = imbalance_of(view.pods);
  return view;
}

}  // namespace limpet
