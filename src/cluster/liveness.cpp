#include "cluster/liveness.h"

#include <algorithm>

namespace limpet {
namespace {

// A difference that a planner acts upon at once, load aside.
bool same_terms(const PodReport& a, const PodReport& b) {
  return a.incarnation == b.incarnation && a.state == b.state && a.address == b.address && a.zone == b.zone &&
         a.host == b.host && a.revision == b.revision && a.weight == b.weight;
}

PodReport as_assigned(const AssignedPod& pod) {
  PodReport report;
  report.name = pod.name;
  report.incarnation = pod.incarnation;
  report.address = pod.address;
  report.zone = pod.zone;
  report.host = pod.host;
  report.revision = pod.revision;
  report.weight = pod.weight;
  report.state = pod.state == PodState::kDead ? PodState::kReady : pod.state;
  return report;
}

}  // namespace

void Liveness::listen_anew(MonoTime now) {
  listening_since_ = last_newcomer_ = now;
  for (auto& [name, pod] : pods_) {
    pod.heard = false;
    pod.heard_at = pod.served_at = now;
  }
}

bool Liveness::observe(std::span<const PodReport> reports, const Assignment* assignment, MonoTime now) {
  news_.clear();
  MonoTime newcomer_before = last_newcomer_;
  for (auto& [name, pod] : pods_) pod.present = pod.assigned = pod.owns = false;
  if (assignment) take_assignment(*assignment, now);
  for (const PodReport& report : reports) take_report(report, now);
  first_look_ = false;
  declare_deaths(now);
  for (auto& [name, pod] : pods_)
    if (!pod.owns || !pod.alive || pod.report.state == PodState::kReady) pod.served_at = now;
  // Nothing is left of them but our memory.
  size_t forgotten = std::erase_if(pods_, [](const auto& entry) {
    const TrackedPod& pod = entry.second;
    return !pod.alive && !pod.present && !pod.assigned;
  });
  return !news_.empty() || forgotten > 0 || last_newcomer_ != newcomer_before;
}

void Liveness::take_assignment(const Assignment& assignment, MonoTime now) {
  std::vector<bool> owns(assignment.pods.size());
  for (uint32_t owner : assignment.slices.owner) owns[owner] = true;
  for (size_t i = 0; i < assignment.pods.size(); i++) {
    const AssignedPod& assigned = assignment.pods[i];
    auto [it, is_new] = pods_.try_emplace(assigned.name);
    TrackedPod& pod = it->second;
    pod.assigned = true;
    pod.owns = owns[i];
    if (!is_new) continue;
    pod.report = as_assigned(assigned);
    // Who was found dead before stays so until it is heard.
    pod.alive = assigned.state != PodState::kDead;
    pod.heard_at = pod.silent_since = pod.served_at = now;
  }
}

void Liveness::take_report(const PodReport& report, MonoTime now) {
  auto [it, is_new] = pods_.try_emplace(report.name);
  TrackedPod& pod = it->second;
  pod.present = true;
  if (is_new) {
    note(report.name, News::What::kNew);
    last_newcomer_ = now;
  }
  if (!pod.reported) return take_first_report(pod, report, now);
  if (pod.report.incarnation == report.incarnation && pod.report.sequence == report.sequence) return;
  if (!pod.heard) last_newcomer_ = now;
  if (!pod.alive)
    note(report.name, News::What::kBack, now.ns - pod.silent_since.ns);
  else if (pod.report.incarnation != report.incarnation)
    note(report.name, News::What::kRestarted);
  else if (!same_terms(pod.report, report))
    note(report.name, News::What::kState);
  pod.heard = pod.alive = true;
  pod.heard_at = pod.silent_since = now;
  pod.report = report;
}

// Of what lies there at the first look nobody knows how old it is; what appears later was written now.
void Liveness::take_first_report(TrackedPod& pod, const PodReport& report, MonoTime now) {
  bool new_life = pod.report.incarnation != report.incarnation;
  if (pod.assigned && pod.alive && !new_life && !same_terms(pod.report, report))
    note(report.name, News::What::kState);
  else if (pod.assigned && pod.alive && new_life)
    note(report.name, News::What::kRestarted);
  if (!pod.alive && (new_life || !first_look_)) {
    note(report.name, News::What::kBack, now.ns - pod.silent_since.ns);
    pod.alive = true;
  }
  pod.heard = !first_look_;
  pod.heard_at = pod.silent_since = now;
  pod.reported = true;
  pod.report = report;
}

bool Liveness::death_waits(MonoTime now) const {
  return std::ranges::any_of(pods_, [&](const auto& entry) {
    return entry.second.alive && now.ns - entry.second.heard_at.ns >= dead_after_ns_;
  });
}

void Liveness::declare_deaths(MonoTime now) {
  const int64_t together_ns = std::min(kTogetherNs, dead_after_ns_ / 3);
  auto silent_ns = [&](const TrackedPod& pod) { return now.ns - pod.heard_at.ns; };
  bool others_in_doubt = std::ranges::any_of(pods_, [&](const auto& entry) {
    const TrackedPod& pod = entry.second;
    return pod.alive && silent_ns(pod) >= dead_after_ns_ - together_ns && silent_ns(pod) < dead_after_ns_;
  });
  auto is_due = [&](const TrackedPod& pod) {
    return pod.alive && silent_ns(pod) >= dead_after_ns_ + (others_in_doubt ? together_ns : 0);
  };
  for (auto& [name, pod] : pods_)
    if (is_due(pod)) {
      pod.alive = false;
      note(name, News::What::kDead, silent_ns(pod));
    }
}

MonoTime Liveness::next_death(MonoTime none) const {
  for (const auto& [name, pod] : pods_)
    if (pod.alive) none.ns = std::min(none.ns, pod.heard_at.ns + dead_after_ns_);
  return none;
}

std::vector<std::string> Liveness::gone(MonoTime now) const {
  std::vector<std::string> names;
  for (const auto& [name, pod] : pods_)
    if (pod.present && !pod.alive && !pod.owns && now.ns - pod.silent_since.ns >= kForgetNs) names.push_back(name);
  return names;
}

std::vector<std::string> Liveness::unready(MonoTime now, int64_t for_ns) const {
  std::vector<std::string> names;
  for (const auto& [name, pod] : pods_)
    if (now.ns - pod.served_at.ns >= for_ns) names.push_back(name);
  return names;
}

std::vector<PodView> Liveness::views(bool only_heard) const {
  std::vector<PodView> views;
  views.reserve(pods_.size());
  for (const auto& [name, pod] : pods_)
    if (pod.heard || !only_heard) views.push_back({.report = pod.report, .alive = pod.alive});
  return views;
}

}  // namespace limpet
