#include "plugin/status_command.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/printable.h"
#include "io/assignment_directory.h"
#include "io/stderr_log.h"
#include "io/stdio.h"
#include "plugin/directory_flags.h"
#include "service/cluster_status.h"
#include "service/cluster_text.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(Prints a cluster: its assignment, the pods with their state and load, the last moves. Reads the shared directory itself, so
it needs no sharder. A pod whose report is older than 10 s by this machine's clock is shown as dead, and so is one whose life the
assignment calls dead.)";

constexpr const char* kExamples = R"(
Examples:
  limpet status --assignment.directory /run/limpet
  limpet status --config /etc/limpet/limpet.toml --watch
  limpet status --assignment.directory /run/limpet --json | jq .generation)";

constexpr double kDeadAfterS = 10;
constexpr unsigned kWatchS = 2;

double age_of(const std::string& directory, const std::string& pod) {
  struct stat st{};
  if (::stat(fmt::format("{}/reports/{}.json", directory, pod).c_str(), &st) != 0) return -1;
  int64_t written_ns = st.st_mtim.tv_sec * kSecondNs + st.st_mtim.tv_nsec;
  return static_cast<double>(std::max<int64_t>(0, wall_now().ns - written_ns)) / kSecondNs;
}

// The exit code: 1 if there is nothing to see.
int print(AssignmentDirectory& directory, bool as_json, bool clear) {
  AssignmentRead read = directory.read();
  ReportsRead reports = read.error.empty() ? directory.read_reports() : ReportsRead{};
  std::vector<PodSight> sights;
  for (PodReport& report : reports.reports) {
    double age_s = age_of(directory.path(), report.name);
    bool alive = age_s <= kDeadAfterS && !called_dead(read.assignment.get(), report);
    sights.push_back({.report = std::move(report), .alive = alive, .reported = true, .report_age_s = age_s});
  }
  std::string error = read.error.empty() ? reports.error : read.error;
  if (error.empty() && !read.assignment && !read.rejected.empty())
    error = directory.path() + ": no assignment in it is valid";
  ClusterView view = make_view(read.assignment, std::move(sights));
  WallTime now = wall_now();
  std::string text = as_json ? view_json(view, now) : cluster_text(view, now.ns / kSecondNs);
  fmt::print("{}{}", clear ? "\x1b[H\x1b[2J" : "", error.empty() ? text : "");
  std::fflush(stdout);
  for (const auto* list : {&read.rejected, &reports.rejected})
    for (const std::string& reason : *list) fmt::print(stderr, "limpet status: {}\n", printable(reason));
  if (!error.empty()) fmt::print(stderr, "limpet status: {}\n", printable(error));
  return error.empty() ? 0 : 1;
}

int status(const DirectoryArguments& arguments, bool as_json, bool watch) {
  ClusterPlace place = find_cluster(arguments, "status");
  if (place.directory.empty()) return 1;
  AssignmentDirectory directory(place.directory);
  if (!watch) return print(directory, as_json, false);
  bool clear = !as_json && is_terminal(STDOUT_FILENO);
  for (;; ::sleep(kWatchS)) {
    print(directory, as_json, clear);
    if (std::ferror(stdout)) return 0;
  }
}

}  // namespace

void add_status_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("status", "Print a cluster: pods, load, moves");
  command->footer(std::string(kHelp) + "\n" + kExamples);
  auto arguments = add_directory_flags(*command);
  auto watch = std::make_shared<bool>(false);
  command->add_flag("--watch", *watch, "Again every 2 s, until interrupted");
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json,
                    "As JSON, one line: what the sharder's /api/cluster says, as far as files tell");
  command->callback([arguments, as_json, watch, &exit_code] { exit_code = status(*arguments, *as_json, *watch); });
}

}  // namespace limpet
