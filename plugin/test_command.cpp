#include "plugin/test_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "io/files.h"
#include "service/rule_test.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(Runs unit tests of rules: lines and a clock in, expected lines out. Exit code 1 with the difference where they are not as expected.)";

constexpr const char* kExamples = R"(
A test file, for a rule "http" with without = ["pod_id"], period = "1m", drop_original = true and seconds = ["count", "mean"]:

  rules = ["http.toml"]                 # seen from the test file; or rules_text = """...""" in place
  [[test]]
  name = "requests are counted per service"
  input = """
  http_request_duration,service=a,pod_id=x seconds=0.2 1763640000000000000
  """
  expect = """
  http_request_duration,service=a seconds_count=1i,seconds_mean=0.2 1763640060000000000
  """
  written_back = ""                     # optional: the lines that pass through
  dropped = { http = { late = 0 } }     # optional: samples of a rule that were dropped, by reason

Results come in any order; at the end all windows are emitted. Instead of `input` there may be steps, one after another:

  [[test]]
  name = "a sample later than the grace is dropped"
  dropped = { http = { late = 1 } }
  [[test.step]]
  input = "http_request_duration,service=a,pod_id=x seconds=0.2 1763640000000000000"
  clock = 2025-11-20T12:01:15Z          # the end of the window and 15 s of grace: no quotes; or ns since 1970
  expect = "http_request_duration,service=a seconds_count=1i,seconds_mean=0.2 1763640060000000000"
  [[test.step]]
  input = "http_request_duration,service=a,pod_id=x seconds=0.4 1763640000000000000"

A step without `expect` and `written_back` expects no results; silent = true does not look yet. end = true ends the input;
reload = """...""" puts other rules in force.

Examples:
  limpet test tests/*.toml
  limpet test --quiet http_test.toml && echo fine)";

class NoLog : public Log {
  void write(LogLevel, std::string_view) override {}
};

struct Arguments {
  std::vector<std::string> files;
  bool quiet = false;
};

int run(const Arguments& arguments) {
  NoLog log;
  size_t tests = 0, failed = 0;
  std::vector<std::string> files = expand_globs(arguments.files);
  bool broken = files.empty();
  if (broken) fmt::print(stderr, "{}: error: no file matches\n", fmt::join(arguments.files, " "));
  for (const std::string& file : files) {
    RuleTestReport report = run_rule_tests(file, log);
    tests += report.tests;
    failed += report.failures.size();
    for (const Diagnostic& d : report.diagnostics) fmt::print(stderr, "{}\n", to_string(d));
    for (const RuleTestFailure& f : report.failures) fmt::print("FAILED {}: {}\n{}", file, f.test, f.difference);
    broken |= !report.diagnostics.empty();
  }
  if (!arguments.quiet || failed > 0) fmt::print("{} passed, {} failed\n", tests - failed, failed);
  return broken || failed > 0 ? 1 : 0;
}

}  // namespace

void add_test_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("test", "Run unit tests of rules");
  command->footer(std::string(kHelp) + "\n" + kExamples);
  command->add_option("files", arguments->files, "Test files, or patterns of their names")
      ->required()
      ->type_name("FILE");
  command->add_flag("-q,--quiet", arguments->quiet, "Print failures only");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace limpet
