#include "plugin/drain_command.h"

#include <fmt/format.h>
#include <poll.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "base/counted.h"
#include "base/printable.h"
#include "base/suggest.h"
#include "io/assignment_directory.h"
#include "io/stderr_log.h"
#include "plugin/directory_flags.h"
#include "rules/duration.h"
#include "service/cluster_view.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(Asks an aggregator to hand off everything it owns, and waits until it owns nothing and has finished its windows. Then it can be
stopped, and nothing is lost. For Kubernetes' preStop, or by hand. The request is for the pod's present life: started anew, it takes
part again.

Exit code 0: it owns nothing. 1: it still did when the time was up, or the files did not tell, and the request stays in force. At
once where nobody knows the pod, where it does not run and still has slices, and where its report is bad.)";

constexpr const char* kExamples = R"(
Examples:
  limpet drain --config /etc/limpet/limpet.toml                    the pod that this configuration is for
  limpet drain --assignment.directory /run/limpet --pod agg-1
  limpet drain --assignment.directory /run/limpet --pod agg-1 --timeout 5m)";

constexpr int64_t kPollNs = 500 * kMillisecondNs, kProgressNs = 5 * kSecondNs;

struct Arguments {
  std::string pod;
  std::string timeout = "90s";
};

// How far it is.
struct Progress {
  std::string fault;  // why that is not known; empty: it is
  std::optional<PodReport> report;
  std::vector<std::string> names;  // of all pods
  bool assigned = false;           // there is an assignment
  bool dead = false;               // so it says, of the report's incarnation
  uint64_t slices = 0;             // in it
  double share = 0;

  bool done(const std::string& incarnation) const {
    if (!fault.empty() || slices > 0) return false;
    if (report && report->incarnation == incarnation && report->state == PodState::kDrained) return true;
    // Without its report, dead, or in another life, the one that was asked is gone.
    return assigned && (!report || dead || report->incarnation != incarnation);
  }
  std::string text(const std::string& pod) const {
    if (!fault.empty()) return fault;
    std::string state = report ? std::string(to_string(report->state)) : "no report";
    if (slices > 0)
      return fmt::format("{} owns {}, {:.2f} % of the keys ({})", pod, counted(slices, "slice"), share * 100, state);
    return fmt::format("{} owns nothing, and finishes its windows ({})", pod, state);
  }
};

Progress look(AssignmentDirectory& directory, const std::string& pod) {
  Progress progress;
  AssignmentRead read = directory.read();
  ReportsRead reports = directory.read_reports();
  if (!read.error.empty() || !reports.error.empty()) {
    progress.fault =
        fmt::format("{} cannot be read ({})", directory.path(), read.error.empty() ? reports.error : read.error);
    return progress;
  }
  for (PodReport& report : reports.reports) {
    progress.names.push_back(report.name);
    if (report.name == pod) progress.report = std::move(report);
  }
  std::string file = fmt::format("{}/reports/{}.json: ", directory.path(), pod);
  for (const std::string& reason : reports.rejected)
    if (reason.starts_with(file)) progress.fault = printable(reason);
  progress.assigned = read.assignment != nullptr;
  if (!read.assignment && !read.rejected.empty() && progress.fault.empty())
    progress.fault = printable(read.rejected.front());
  if (!read.assignment) return progress;
  for (const AssignedPod& other : read.assignment->pods) progress.names.push_back(other.name);
  progress.dead = progress.report && called_dead(read.assignment.get(), *progress.report);
  int32_t index = read.assignment->find_pod(pod);
  const Slices& slices = read.assignment->slices;
  for (size_t i = 0; i < slices.size(); i++)
    if (static_cast<int32_t>(slices.owner[i]) == index) {
      progress.slices++;
      progress.share += slices.share(i);
    }
  return progress;
}

// `assigned`: there was an assignment before.
int wait_drained(AssignmentDirectory& directory, const std::string& pod, const std::string& incarnation, bool assigned,
                 int64_t timeout_ns) {
  int64_t begin_ns = monotonic_now().ns, told_ns = begin_ns - kProgressNs;
  std::string told;
  for (;;) {
    directory.watch(true);
    Progress progress = look(directory, pod);
    if (assigned && !progress.assigned && progress.fault.empty()) progress.fault = "the assignment is gone";
    assigned |= progress.assigned;
    int64_t now_ns = monotonic_now().ns;
    double seconds = static_cast<double>(now_ns - begin_ns) / kSecondNs;
    if (progress.done(incarnation)) {
      fmt::print(stderr, "limpet drain: {} owns nothing more, after {:.1f} s\n", pod, seconds);
      return 0;
    }
    std::string text = progress.text(pod);
    if (text != told || now_ns - told_ns >= kProgressNs)
      fmt::print(stderr, "limpet drain: {}\n", text), told_ns = now_ns;
    told = text;
    if (now_ns - begin_ns >= timeout_ns) {
      // A directory that was made anew has lost it.
      fmt::print(stderr, "limpet drain: gave up after {:.1f} s: {}.{}\n", seconds, text,
                 directory.drain_requested(pod, incarnation) ? " The request stays in force." : "");
      return 1;
    }
    pollfd fd{.fd = directory.watch_fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, static_cast<int>(std::min(kPollNs, timeout_ns - (now_ns - begin_ns)) / kMillisecondNs + 1));
    directory.drain_watch();
  }
}

int drain(const DirectoryArguments& where, const Arguments& arguments) {
  auto timeout_ns = parse_duration(arguments.timeout);
  if (!timeout_ns) {
    fmt::print(stderr, "limpet drain: --timeout: \"{}\" {}\n", arguments.timeout, describe(timeout_ns.error()));
    return 1;
  }
  ClusterPlace place = find_cluster(where, "drain");
  if (place.directory.empty()) return 1;
  std::string pod = arguments.pod.empty() ? place.pod : arguments.pod;
  if (pod.empty()) {
    fmt::print(stderr, "limpet drain: which pod? Name it with --pod\n");
    return 1;
  }
  AssignmentDirectory directory(place.directory);
  Progress now = look(directory, pod);
  if (!now.fault.empty() && !now.report) {
    fmt::print(stderr, "limpet drain: {}\n", now.fault);
    return 1;
  }
  if (std::ranges::find(now.names, pod) == now.names.end()) {
    fmt::print(stderr, "limpet drain: nobody in {} knows a pod \"{}\"{}\n", place.directory, pod,
               did_you_mean(pod, std::vector<std::string_view>(now.names.begin(), now.names.end())));
    return 1;
  }
  if (!now.report) {
    fmt::print(stderr, "limpet drain: {} has no report in {}/reports: it does not run{}\n", pod, place.directory,
               now.slices > 0 ? ", and its slices move when the sharder finds it dead" : "");
    return now.slices > 0 ? 1 : 0;
  }
  if (now.dead && now.slices > 0) {
    fmt::print(stderr, "limpet drain: {} does not run, and its slices move when the sharder finds it dead\n", pod);
    return 1;
  }
  if (auto asked = directory.request_drain(pod, now.report->incarnation); !asked) {
    fmt::print(stderr, "limpet drain: {}\n", asked.error());
    return 1;
  }
  return wait_drained(directory, pod, now.report->incarnation, now.assigned, *timeout_ns);
}

}  // namespace

void add_drain_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("drain", "Hand off everything that an aggregator owns");
  command->footer(std::string(kHelp) + "\n" + kExamples);
  auto where = add_directory_flags(*command);
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--pod", arguments->pod, "Which one; default the one that --config is for")->type_name("NAME");
  command->add_option("--timeout", arguments->timeout, "How long to wait; default 90s")->type_name("TIME");
  command->callback([where, arguments, &exit_code] { exit_code = drain(*where, *arguments); });
}

}  // namespace limpet
