#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "service/cluster_status.h"
#include "service/prometheus_text.h"

namespace limpet {
namespace {

struct Metric {
  const char* name;
  const char* help;
  double (*value)(const ClusterStatus&);
};

#define OF_STATUS(expression) [](const ClusterStatus& s) { return static_cast<double>(expression); }

double now_s(const ClusterStatus& status) { return static_cast<double>(status.process.now.ns) / kSecondNs; }

constexpr Metric kMetrics[] = {
    {"limpet_sharder_generation", "Generation of the assignment in force; 0: none.",
     OF_STATUS(s.view.assignment ? s.view.assignment->generation : 0)},
    {"limpet_sharder_generation_age_seconds", "Since it was created.",
     OF_STATUS(s.view.assignment ? now_s(s) - static_cast<double>(s.view.assignment->created_s) : 0)},
    {"limpet_sharder_slices", "Slices of the assignment.",
     OF_STATUS(s.view.assignment ? s.view.assignment->slices.size() : 0)},
    {"limpet_sharder_assignment_bytes", "Size of assignment.json.", OF_STATUS(s.process.assignment_bytes)},
    {"limpet_sharder_brake_engaged", "1: more pods died at once than can be believed, and nothing is moved for it.",
     OF_STATUS(std::ranges::any_of(s.alarms, [](const ActiveAlarm& a) { return a.alarm.name == "frozen"; }))},
    {"limpet_sharder_handoffs_open", "Handoffs that the assignment still names.",
     OF_STATUS(s.view.assignment ? s.view.assignment->handoffs.size() : 0)},
    {"limpet_sharder_imbalance_max_mean", "Load of the hottest pod over that of the mean one; 0: no load is known.",
     OF_STATUS(s.view.imbalance.max_mean)},
    {"limpet_sharder_imbalance_p95_mean", "Load of the 95th percentile of pods over that of the mean one.",
     OF_STATUS(s.view.imbalance.p95_mean)},
    {"limpet_sharder_listening", "1: it listens to who lives, and moves nothing.",
     OF_STATUS(s.process.listening_s > 0)},
    {"limpet_sharder_directory_ok", "1: the directory could be read at the last look.",
     OF_STATUS(s.process.directory_ok)},
    {"limpet_sharder_published_total", "Generations that this sharder published.", OF_STATUS(s.stats.published)},
    {"limpet_sharder_commit_conflicts_total", "Times that another sharder was first.", OF_STATUS(s.stats.conflicts)},
    {"limpet_sharder_publish_errors_total", "Times that an assignment could not be written.",
     OF_STATUS(s.stats.publish_errors)},
    {"limpet_sharder_bugs_total", "Plans that broke an invariant, and were not published. Should be 0.",
     OF_STATUS(s.stats.bugs)},
    {"limpet_sharder_restored_total", "Generations published since files were lost or damaged.",
     OF_STATUS(s.stats.restored)},
    {"limpet_sharder_held_up_total", "Times that it was held up and listened anew.", OF_STATUS(s.stats.held_up)},
    {"limpet_sharder_frozen_plans_total", "Plans that took too many deaths for its own blindness.",
     OF_STATUS(s.stats.frozen_plans)},
    {"limpet_sharder_deaths_total", "Pods found dead.", OF_STATUS(s.stats.deaths)},
    {"limpet_sharder_plans_total", "Times that it planned.", OF_STATUS(s.stats.plans)},
    {"limpet_sharder_steps_total", "Times that it looked.", OF_STATUS(s.stats.steps)},
    {"limpet_sharder_step_seconds", "How long the last look took.", OF_STATUS(s.process.step_s)},
    {"limpet_sharder_step_seconds_max", "How long the longest look took.", OF_STATUS(s.process.step_max_s)},
    {"limpet_sharder_directory_errors_total", "Looks at a directory that could not be read.",
     OF_STATUS(s.process.directory_errors)},
    {"limpet_sharder_assignments_rejected_total", "Assignment files that were not valid.",
     OF_STATUS(s.process.assignments_rejected)},
    {"limpet_sharder_reports_rejected_total", "Reports that were not valid.", OF_STATUS(s.process.reports_rejected)},
    {"limpet_sharder_http_requests_total", "HTTP requests.", OF_STATUS(s.process.requests)},
    {"limpet_sharder_start_time_seconds", "When the process started, in Unix time.",
     OF_STATUS(static_cast<double>(s.process.started.ns) / kSecondNs)},
};

void by_cause(const ClusterStatus& status, PrometheusText& text) {
  auto each = [&](const char* name, const char* help, auto value) {
    text.family(name, help);
    for (size_t i = 0; i < SharderStats::kCauses; i++)
      text.sample(name, fmt::format("cause=\"{}\"", to_string(MoveCause(i))), static_cast<double>(value(i)));
  };
  each("limpet_sharder_moves_total", "Slices that changed their owner; standby: their standby.",
       [&](size_t i) { return status.stats.moves[i]; });
  text.sample("limpet_sharder_moves_total", "cause=\"standby\"", static_cast<double>(status.stats.standby_moves));
  each("limpet_sharder_churn_total",
       "Share of the key space that changed its owner (standby: its standby); 1: all keys once.",
       [&](size_t i) { return status.stats.churn[i]; });
  text.sample("limpet_sharder_churn_total", "cause=\"standby\"", status.stats.standby_churn);
  text.family("limpet_sharder_phase_seconds_total", "Time spent, by what it was spent for.");
  for (const auto& [phase, seconds] : status.process.phases_s)
    text.sample("limpet_sharder_phase_seconds_total", fmt::format("phase=\"{}\"", phase), seconds);
  text.family("limpet_sharder_decisions_total", "Why it planned, and what it wanted and did not do.");
  for (const auto& [reason, n] : status.stats.decisions)
    text.sample("limpet_sharder_decisions_total", fmt::format("reason=\"{}\"", prometheus_label(reason)),
                static_cast<double>(n));
  text.family("limpet_sharder_alarm", "1 for each alarm that is on.");
  for (const ActiveAlarm& each_alarm : status.alarms)
    text.sample("limpet_sharder_alarm", fmt::format("name=\"{}\"", prometheus_label(each_alarm.alarm.name)), 1);
}

void by_pod(const ClusterStatus& status, PrometheusText& text) {
  std::map<std::string, size_t> states{{"starting", 0}, {"ready", 0}, {"draining", 0}, {"drained", 0}, {"dead", 0}};
  for (const PodLine& pod : status.view.pods) states[pod.state]++;
  text.family("limpet_sharder_pods", "Pods by state.");
  for (const auto& [state, n] : states)
    text.sample("limpet_sharder_pods", fmt::format("state=\"{}\"", state), static_cast<double>(n));
  auto each = [&](const char* name, const char* help, auto value) {
    text.family(name, help);
    for (const PodLine& pod : status.view.pods)
      text.sample(name, fmt::format("pod=\"{}\"", prometheus_label(pod.sight.report.name)),
                  static_cast<double>(value(pod)));
  };
  each("limpet_sharder_pod_slices", "Slices that the pod owns.", [](const PodLine& pod) { return pod.slices; });
  each("limpet_sharder_pod_share", "Share of the key space that the pod owns.",
       [](const PodLine& pod) { return pod.share; });
  each("limpet_sharder_pod_load", "Load of its slices: CPU seconds per second, or samples/s where no pod tells CPU.",
       [](const PodLine& pod) { return pod.load; });
  each("limpet_sharder_pod_report_age_seconds", "Since its report last changed.",
       [](const PodLine& pod) { return pod.sight.report_age_s; });
  each("limpet_sharder_pod_generation", "Generation that the pod adopted.",
       [](const PodLine& pod) { return pod.sight.report.generation; });
  each("limpet_sharder_pod_generation_lag_seconds", "How long the pod has lacked the newest generation.",
       [&](const PodLine& pod) {
         const auto& assignment = status.view.assignment;
         bool behind = assignment && pod.sight.report.generation < assignment->generation;
         return behind ? std::max(0.0, now_s(status) - static_cast<double>(assignment->created_s)) : 0;
       });
}

void propagation(const ClusterStatus& status, PrometheusText& text) {
  constexpr const char* kName = "limpet_sharder_propagation_seconds";
  text.family(kName, "From a generation's creation to the report of a pod that adopted it.", "histogram");
  std::string bucket = std::string(kName) + "_bucket";
  uint64_t sum = 0;
  for (size_t i = 0; i < std::size(Propagation::kBoundsS); i++) {
    sum += status.propagation.counts()[i];
    text.sample(bucket, fmt::format("le=\"{}\"", Propagation::kBoundsS[i]), static_cast<double>(sum));
  }
  text.sample(bucket, "le=\"+Inf\"", static_cast<double>(status.propagation.count()));
  text.sample(std::string(kName) + "_sum", "", status.propagation.sum_s());
  text.sample(std::string(kName) + "_count", "", static_cast<double>(status.propagation.count()));
}

}  // namespace

std::string sharder_prometheus(const ClusterStatus& status) {
  PrometheusText text;
  text.family("limpet_sharder_build_info", "The version, always 1.");
  text.sample("limpet_sharder_build_info", "version=\"" LIMPET_VERSION "\"", 1);
  for (const Metric& metric : kMetrics) text.single(metric.name, metric.help, metric.value(status));
  by_cause(status, text);
  by_pod(status, text);
  propagation(status, text);
  return text.take();
}

}  // namespace limpet
