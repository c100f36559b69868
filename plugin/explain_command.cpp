#include "plugin/explain_command.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/printable.h"
#include "io/assignment_directory.h"
#include "io/files.h"
#include "plugin/rules_flag.h"
#include "service/explain.h"
#include "service/load_rule_files.h"
#include "sharding/assignment_codec.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(Says of a line which rules take it: the group it counts in, the key that decides who owns the group and the bytes it is the
XXH3-64 of, the result fields; whether the line passes through; and of every other rule why it does not take it. Rules with
enabled = false are not there.

With --assignment also the slice of each key, its owner and its standby, and which pod writes the line back if it passes through.
A directory is read as pods read it: the newest valid generation counts.

Exit code 1 if a line, the rules or the assignment are bad.)";

constexpr const char* kExamples = R"(
Examples:
  limpet explain --rules 'rules/*.toml' 'http_request_duration,service=a,pod_id=x seconds=0.2'
  limpet explain --rules 'rules/*.toml' --assignment /run/limpet 'http_request_duration,service=a seconds=0.2')";

struct Arguments {
  std::vector<std::string> rules;
  std::vector<std::string> lines;
  std::string assignment;
  bool all = false;
};

using AssignmentOrError = std::expected<std::shared_ptr<const Assignment>, std::string>;

AssignmentOrError newest_in(const std::string& path) {
  AssignmentRead read = AssignmentDirectory(path).read();
  for (const std::string& reason : read.rejected) fmt::print(stderr, "limpet explain: {}\n", printable(reason));
  if (!read.error.empty()) return std::unexpected(read.error);
  if (!read.assignment) return std::unexpected(path + ": holds no valid assignment");
  return read.assignment;
}

AssignmentOrError assignment_at(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return newest_in(path);
  auto text = read_file(path, kAssignmentBytesMax);
  if (!text) return std::unexpected(text.error());
  auto decoded = decode_assignment(*text);
  if (!decoded) return std::unexpected(path + ": " + decoded.error());
  return std::make_shared<const Assignment>(std::move(*decoded));
}

int run(const Arguments& arguments) {
  LoadedRules loaded = load_rule_files(arguments.rules, {}).loaded;
  for (const Diagnostic& d : loaded.diagnostics)
    if (d.severity == Diagnostic::Severity::kError) fmt::print(stderr, "{}\n", to_string(d));
  if (!loaded.ok()) return 1;
  std::shared_ptr<const Assignment> assignment;
  if (!arguments.assignment.empty()) {
    AssignmentOrError read = assignment_at(arguments.assignment);
    if (!read) {
      fmt::print(stderr, "limpet explain: {}\n", printable(read.error()));
      return 1;
    }
    assignment = std::move(*read);
    fmt::print("assignment of cluster {}, generation {}\n", printable(assignment->cluster), assignment->generation);
  }
  int exit_code = 0;
  for (const std::string& line : arguments.lines) {
    auto text = explain(*loaded.rules, line, {.assignment = assignment.get(), .all_rules = arguments.all});
    if (text) {
      std::fwrite(text->data(), 1, text->size(), stdout);
      continue;
    }
    std::fflush(stdout);
    fmt::print(stderr, "limpet explain: column {}: {}\n", text.error().offset + 1, text.error().text);
    exit_code = 1;
  }
  return exit_code;
}

}  // namespace

void add_explain_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("explain", "Say which rules take a line, whose its keys are, and why not");
  command->footer(std::string(kHelp) + "\n" + kExamples);
  add_rules_flag(*command, arguments->rules);
  command->add_option("lines", arguments->lines, "Lines of line protocol, quoted")->required()->type_name("LINE");
  command->add_option("--assignment", arguments->assignment, "Whose each key is, by this assignment or cluster")
      ->type_name("FILE|DIRECTORY");
  command->add_flag("--all", arguments->all, "Show every rule that does not take the line");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace limpet
