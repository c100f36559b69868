#include "plugin/check_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/counted.h"
#include "base/printable.h"
#include "io/assignment_directory.h"
#include "io/files.h"
#include "rules/rule_set.h"
#include "service/config.h"
#include "service/rule_test.h"
#include "service/sharder_config.h"
#include "sharding/assignment_codec.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(Validates rules files, configurations, assignments and reports. Prints every error as file:line:column: error: ...,
exit code 1 if there is any.

All rules files are checked together, as `limpet aggregate` would load them: names must be unique over all of them, and no two
rules may write the same result. What a file is, is told by its content.

With --against: what a reload from the rules OLD to the rules NEW would do to each rule.)";

constexpr const char* kExamples = R"(
Examples:
  limpet check rules/*.toml
  limpet check limpet.toml 'rules/*.toml'
  limpet check /run/limpet/assignment.json /run/limpet/reports/*.json
  limpet check --against /etc/limpet/rules new-rules       directories: all *.toml in them, without those for `limpet test`)";

struct Arguments {
  std::vector<std::string> files;
  std::vector<std::string> against;
};

bool is_directory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// What is named is read, whatever it is; of a directory the files for `limpet test` are not meant.
struct Paths {
  std::vector<std::string> all;    // each once, in order
  std::vector<std::string> named;  // by themselves or by a pattern, in order
};

// A directory stands for the TOML files in it.
Paths expanded(const std::vector<std::string>& patterns) {
  std::vector<std::string> named, all;
  for (const std::string& pattern : patterns) {
    if (!is_directory(pattern)) named.push_back(pattern);
    all.push_back(is_directory(pattern) ? pattern + "/*.toml" : pattern);
  }
  return {expand_globs(all), expand_globs(named)};
}

// Reads the files; one that cannot be read is an error, and so is none at all.
std::vector<SourceFile> read_all(const std::vector<std::string>& patterns, std::vector<Diagnostic>& diagnostics) {
  std::vector<SourceFile> files;
  Paths paths = expanded(patterns);
  size_t faults_before = diagnostics.size();
  for (const std::string& path : paths.all) {
    auto text = read_file(path);
    bool named = std::ranges::binary_search(paths.named, path);
    if (text && (named || !looks_like_rule_test({path, *text})))
      files.push_back({path, std::move(*text)});
    else if (!text)
      diagnostics.push_back({path, 0, 0, text.error().substr(std::min(text.error().size(), path.size() + 2)),
                             Diagnostic::Severity::kError});
  }
  if (files.empty() && diagnostics.size() == faults_before)
    diagnostics.push_back(
        {fmt::format("{}", fmt::join(patterns, " ")), 0, 0, "no file matches", Diagnostic::Severity::kError});
  return files;
}

size_t print(const std::vector<Diagnostic>& diagnostics) {
  for (const Diagnostic& d : diagnostics) fmt::print(stderr, "{}\n", printable(to_string(d)));
  return static_cast<size_t>(std::count_if(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& d) {
    return d.severity == Diagnostic::Severity::kError;
  }));
}

// A kind of file: how it is recognised, and the check of all files of that kind together. Appends errors, returns what
// was found.
struct FileKind {
  std::function<bool(const SourceFile&)> is;
  std::function<std::string(const std::vector<SourceFile>&, std::vector<Diagnostic>&)> check;
};

std::string check_rules(const std::vector<SourceFile>& files, std::vector<Diagnostic>& diagnostics) {
  LoadedRules loaded = load_rules(files, Advice::kGiven);
  diagnostics.insert(diagnostics.end(), loaded.diagnostics.begin(), loaded.diagnostics.end());
  diagnostics.insert(diagnostics.end(), loaded.advice.begin(), loaded.advice.end());
  return loaded.ok() ? counted(loaded.rules->rules().size(), "rule") + " in " + counted(files.size(), "file") : "";
}

std::string check_configs(const std::vector<SourceFile>& files, std::vector<Diagnostic>& diagnostics) {
  for (const SourceFile& file : files) {
    auto found = check_config(file);
    diagnostics.insert(diagnostics.end(), found.begin(), found.end());
  }
  return counted(files.size(), "configuration");
}

std::string check_shard_configs(const std::vector<SourceFile>& files, std::vector<Diagnostic>& diagnostics) {
  for (const SourceFile& file : files) {
    auto found = load_shard_config(file, {}).diagnostics;
    diagnostics.insert(diagnostics.end(), found.begin(), found.end());
  }
  return counted(files.size(), "sharder's configuration");
}

// No rules file begins like that. By its name, too: an assignment that a crash has left empty is no empty rules file.
bool looks_like_json(const SourceFile& file) {
  size_t begin = file.text.find_first_not_of(" \t\r\n");
  return file.path.ends_with(".json") || (begin != file.text.npos && file.text[begin] == '{');
}

// "line 2: slices.low[0]: expected ..." at its line; the path says where in it.
Diagnostic json_diagnostic(const std::string& path, std::string_view fault) {
  constexpr std::string_view kLine = "line ";
  int line = 1;
  if (size_t colon = fault.find(": "); fault.starts_with(kLine) && colon != fault.npos) {
    auto [end, failed] = std::from_chars(fault.data() + kLine.size(), fault.data() + colon, line);
    if (failed == std::errc() && end == fault.data() + colon) fault.remove_prefix(colon + 2);
  }
  return {path, line, 1, std::string(fault), Diagnostic::Severity::kError};
}

// What is wrong with a file that looks like JSON; empty: nothing.
std::string json_fault(const SourceFile& file) {
  auto fault = [&](const auto& decoded) { return decoded ? misplaced(file.path, *decoded) : decoded.error(); };
  if (looks_like_report(file.text)) return fault(decode_report(file.text));
  if (looks_like_assignment(file.text)) return fault(decode_assignment(file.text));
  return "is neither rules nor a configuration, an assignment or a report";
}

std::string check_json(const std::vector<SourceFile>& files, std::vector<Diagnostic>& diagnostics) {
  for (const SourceFile& file : files)
    if (std::string fault = json_fault(file); !fault.empty()) diagnostics.push_back(json_diagnostic(file.path, fault));
  auto reports = static_cast<size_t>(
      std::count_if(files.begin(), files.end(), [](const SourceFile& file) { return looks_like_report(file.text); }));
  if (reports == 0) return counted(files.size(), "assignment");
  if (reports == files.size()) return counted(reports, "report");
  return counted(files.size() - reports, "assignment") + ", " + counted(reports, "report");
}

int check(const Arguments& arguments) {
  const FileKind kinds[] = {{looks_like_json, check_json},
                            {looks_like_shard_config, check_shard_configs},
                            {looks_like_config, check_configs},
                            {[](const SourceFile&) { return true; }, check_rules}};
  std::vector<Diagnostic> diagnostics;
  std::vector<SourceFile> files = read_all(arguments.files, diagnostics);
  std::string found;
  for (const FileKind& kind : kinds) {
    auto rest = std::stable_partition(files.begin(), files.end(), kind.is);
    std::vector<SourceFile> mine(std::make_move_iterator(files.begin()), std::make_move_iterator(rest));
    files.erase(files.begin(), rest);
    if (mine.empty()) continue;
    std::string what = kind.check(mine, diagnostics);
    if (!what.empty()) (found.empty() ? found : found += ", ") += what;
  }
  size_t errors = print(diagnostics);
  if (errors > 0)
    fmt::print(stderr, "{}\n", counted(errors, "error"));
  else
    fmt::print("{}: fine\n", found);
  return errors > 0 ? 1 : 0;
}

int against(const Arguments& arguments) {
  std::vector<Diagnostic> diagnostics;
  LoadedRules before = load_rules(read_all({arguments.against[0]}, diagnostics));
  LoadedRules after = load_rules(read_all({arguments.against[1]}, diagnostics));
  for (const LoadedRules* loaded : {&before, &after})
    diagnostics.insert(diagnostics.end(), loaded->diagnostics.begin(), loaded->diagnostics.end());
  if (print(diagnostics) > 0) return 1;
  fmt::print("{}", render_plan(plan_changes(*before.rules, *after.rules)));
  return 0;
}

}  // namespace

void add_check_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("check", "Validate rules files, configurations, assignments");
  command->footer(std::string(kHelp) + "\n" + kExamples);
  auto* files =
      command->add_option("files", arguments->files, "Files, patterns of names, or directories")->type_name("FILE");
  command->add_option("--against", arguments->against, "Show what a reload from OLD to NEW would do")
      ->expected(2)
      ->type_name("OLD NEW")
      ->excludes(files);
  command->callback([arguments, &exit_code] {
    if (!arguments->against.empty())
      exit_code = against(*arguments);
    else if (arguments->files.empty())
      throw CLI::RequiredError("files");
    else
      exit_code = check(*arguments);
  });
}

}  // namespace limpet
