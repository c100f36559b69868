#include "placements/limpet.h"

#include <fmt/format.h>

#include <algorithm>

#include "sharding/invariants.h"

namespace limpet::sim {
namespace {

// Every pod can do one CPU second per second, and half of all that is used.
constexpr double kCpuPerPod = 0.5;
constexpr int64_t kBeginS = 1'700'000'000;
constexpr uint32_t kZones = 3;

std::string name_of(uint32_t pod) { return fmt::format("agg-{:05}", pod); }

PodReport new_pod(uint32_t pod) {
  PodReport r;
  r.name = name_of(pod), r.incarnation = "1", r.revision = "1";
  r.zone = fmt::format("zone-{}", pod % kZones), r.host = r.name, r.address = r.name + ":8087";
  r.state = PodState::kReady;
  return r;
}

}  // namespace

LimpetCluster::LimpetCluster(const LoadModel& model, uint32_t pods, const PlannerConfig& config)
    : model_(model), config_(config) {
  for (uint32_t pod = 0; pod < pods; pod++) reports_.push_back(new_pod(pod));
  input_.now_s = kBeginS;
  round();
}

std::vector<PodReport>::iterator LimpetCluster::find(uint32_t pod) {
  return std::lower_bound(reports_.begin(), reports_.end(), name_of(pod),
                          [](const PodReport& r, const std::string& name) { return r.name < name; });
}

size_t LimpetCluster::round() {
  if (assignment_.slices.size() > 0)
    report_loads(model_, kCpuPerPod * static_cast<double>(reports_.size()), assignment_, reports_);
  input_.pods.resize(reports_.size());
  for (size_t i = 0; i < reports_.size(); i++) reports_[i].sequence++, input_.pods[i].report = reports_[i];
  Plan planned = plan(assignment_, input_, config_);
  size_t moved = 0;
  changed_ = planned.next.has_value();
  moved_from_.clear();
  if (planned.next) {
    if (violations_)
      for (std::string& v : check_step(assignment_, *planned.next, input_, config_))
        violations_->push_back(std::move(v));
    Assignment before = std::move(assignment_);
    assignment_ = std::move(*planned.next);
    moved = count_moved(before);
  }
  input_.now_s += config_.round_s;
  return moved;
}

// Not from what the planner says that it moved, but from who owns what.
size_t LimpetCluster::count_moved(const Assignment& before) {
  const Slices &a = before.slices, &b = assignment_.slices;
  if (a.size() == 0) return 0;
  std::vector<int32_t> now_at(before.pods.size());
  for (size_t i = 0; i < now_at.size(); i++) now_at[i] = assignment_.find_pod(before.pods[i].name);
  std::vector<size_t> first_a = first_keys(a, model_.keys()), first_b = first_keys(b, model_.keys());
  std::vector<size_t> from(before.pods.size());
  size_t moved = 0;
  for (size_t i = 0, j = 0, k = 0; i < a.size() && j < b.size();) {
    size_t end = std::min(first_a[i + 1], first_b[j + 1]);
    if (now_at[a.owner[i]] != static_cast<int32_t>(b.owner[j])) moved += end - k, from[a.owner[i]] += end - k;
    k = end;
    bool next_a = first_a[i + 1] == end, next_b = first_b[j + 1] == end;
    i += next_a, j += next_b;
  }
  for (size_t i = 0; i < from.size(); i++)
    if (from[i] > 0) moved_from_.push_back({before.pods[i].name, from[i]});
  return moved;
}

size_t LimpetCluster::settle(uint32_t quiet, uint32_t most) {
  size_t moved = 0;
  for (uint32_t still = 0, n = 0; still < quiet && n < most; n++) {
    moved += round();
    still = changed_ ? 0 : still + 1;
  }
  return moved;
}

void LimpetCluster::add(uint32_t pod) { reports_.insert(find(pod), new_pod(pod)); }

void LimpetCluster::drain(uint32_t pod) { find(pod)->state = PodState::kDraining; }

void LimpetCluster::stop(uint32_t pod) { reports_.erase(find(pod)); }

void LimpetCluster::start_again(uint32_t pod) {
  PodReport r = new_pod(pod);
  r.incarnation = r.revision = "2";
  reports_.insert(find(pod), std::move(r));
}

bool LimpetCluster::owns_nothing(uint32_t pod) const {
  int32_t at = assignment_.find_pod(name_of(pod));
  const auto& owner = assignment_.slices.owner;
  return at == kNoPod || std::find(owner.begin(), owner.end(), static_cast<uint32_t>(at)) == owner.end();
}

double LimpetCluster::imbalance() const {
  std::vector<double> load(assignment_.pods.size());
  std::vector<size_t> first = first_keys(assignment_.slices, model_.keys());
  for (size_t i = 0; i < assignment_.slices.size(); i++)
    load[assignment_.slices.owner[i]] += model_.sum(first[i], first[i + 1]);
  return *std::max_element(load.begin(), load.end()) * static_cast<double>(reports_.size());
}

size_t LimpetCluster::collateral_of(uint32_t pod) const {
  size_t keys = 0;
  for (const auto& [name, count] : moved_from_)
    if (name != name_of(pod)) keys += count;
  return keys;
}

}  // namespace limpet::sim
