#include "plugin/replay_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

#include "io/files.h"
#include "io/stderr_log.h"
#include "io/stdio.h"
#include "plugin/rules_flag.h"
#include "service/load_rule_files.h"
#include "service/replay.h"

namespace limpet {
namespace {

struct Arguments {
  std::vector<std::string> rules;
  std::vector<std::string> lines;
  std::string stats;
  std::string dialect = "telegraf";
  bool all = false;
};

constexpr const char* kHelp = R"(Runs the aggregator on recorded lines, to try rules out before they go into production.

Time is the lines' own time: a window is printed when a line's timestamp passes its end and the rule's grace, and at the end of
the input all that are still open. The same input always gives the same output. Results go to stdout, a summary to stderr.

Files may be gzip. Several files are merged by the times of their lines.)";

constexpr const char* kExamples = R"(
Examples:
  limpet replay --rules 'rules/*.toml' metrics.lp.gz
  limpet replay --rules http.toml --all pod-1.lp pod-2.lp    what Telegraf's outputs would get: lines that pass through, too
  limpet replay --rules http.toml --stats stats.json - <metrics.lp
  telegraf --test | sed 's/^> //' | limpet replay --rules host.toml -

Bad lines are skipped and reported with file:line:column; the exit code is 1 only for errors in the rules or unreadable files.
If the summary says that samples came late, its `grace = ...` is what a rule would need to keep them.)";

void print(const Diagnostic& diagnostic) { fmt::print(stderr, "{}\n", to_string(diagnostic)); }

// One line on a terminal, written over again and again.
class Progress {
 public:
  void show(double share, uint64_t bytes) {
    std::string text = fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
    if (share >= 0) text = fmt::format("{:5.1f} %  {}", 100 * share, text);
    fmt::print(stderr, "\r{}\033[K", text);
    shown_ = true;
  }
  void clear() {
    if (shown_) fmt::print(stderr, "\r\033[K");
    shown_ = false;
  }

 private:
  bool shown_ = false;
};

void write_out(std::string_view text) {
  while (!text.empty()) {
    WriteResult result = write_some(STDOUT_FILENO, text);
    if (result.status == WriteStatus::kBroken) {
      if (errno != EPIPE) fmt::print(stderr, "error: cannot write to stdout: {}\n", std::strerror(errno));
      _exit(1);  // nobody reads the rest
    }
    if (result.status == WriteStatus::kFull) wait_until_writable(STDOUT_FILENO);
    text.remove_prefix(result.written);
  }
}

int replay(const Arguments& arguments) {
  RuleFiles rules = load_rule_files(arguments.rules, {});
  for (const Diagnostic& diagnostic : rules.loaded.diagnostics) print(diagnostic);
  if (!rules.loaded.ok()) return 1;
  std::vector<InputFile> files;
  for (const std::string& path : arguments.lines) {
    auto file = InputFile::open(path);
    if (!file) return fmt::print(stderr, "error: {}\n", file.error()), 1;
    files.push_back(std::move(*file));
  }
  StderrLog log(STDERR_FILENO, LogStyle::kConsole, LogLevel::kInfo, monotonic_now);
  Progress progress;
  Replay::Sinks sinks;
  sinks.results = write_out;
  sinks.bad_line = [&](const Diagnostic& diagnostic) { progress.clear(), print(diagnostic); };
  if (is_terminal(STDERR_FILENO)) sinks.progress = [&](double share, uint64_t bytes) { progress.show(share, bytes); };
  enlarge_pipe(STDOUT_FILENO, size_t{1} << 20);

  ReplayOptions options;
  options.dialect = arguments.dialect == "strict" ? Dialect::kStrict : Dialect::kTelegraf;
  options.all = arguments.all;
  Replay run(rules.loaded.rules, options, sinks, log);
  auto done = run.run(std::move(files));
  progress.clear();
  fmt::print(stderr, "{}", run.summary().to_text());
  if (!done) return fmt::print(stderr, "error: {}\n", done.error()), 1;
  if (arguments.stats.empty()) return 0;
  std::signal(SIGPIPE, SIG_IGN);  // a reader of the file that goes away is an error, and told
  auto written = write_file(arguments.stats, run.summary().to_json());
  if (!written) return fmt::print(stderr, "error: the stats file {}\n", written.error()), 1;
  return 0;
}

}  // namespace

void add_replay_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("replay", kHelp);
  command->footer(kExamples);
  add_rules_flag(*command, arguments->rules);
  command->add_flag("--all", arguments->all, "Print the lines that are written back, too, in the order of things");
  command
      ->add_option(
          "--stats", arguments->stats,
          "Write the summary's numbers and the ledger there, as JSON; \"series_estimated\" where more than 100 000 "
          "series were freed and \"series\" is an estimate")
      ->type_name("FILE");
  command->add_option("--dialect", arguments->dialect, "What is a valid line: telegraf or strict")
      ->check(CLI::IsMember({"telegraf", "strict"}))
      ->capture_default_str();
  command->add_option("lines", arguments->lines, "Files of line protocol; `-` is the standard input")
      ->required()
      ->type_name("LINES");
  command->callback([arguments, &exit_code] {
    // Two readers would share the bytes between them.
    if (std::ranges::count(arguments->lines, "-") > 1) throw CLI::ValidationError("lines", "`-` can be named once");
    exit_code = replay(*arguments);
  });
}

}  // namespace limpet
