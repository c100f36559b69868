// The one executable: a list of commands, each in a file of its own.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "base/suggest.h"
#include "plugin/aggregate_command.h"
#include "plugin/check_command.h"
#include "plugin/drain_command.h"
#include "plugin/explain_command.h"
#include "plugin/inspect_command.h"
#include "plugin/parse_command.h"
#include "plugin/replay_command.h"
#include "plugin/shard_command.h"
#include "plugin/status_command.h"
#include "plugin/test_command.h"

namespace {

constexpr int kUsageError = 2;

// "(did you mean ...?)" for a command that there is not, or a flag that the command does not have.
std::string suggestion(const CLI::App& app, int argc, char** argv) {
  if (argc < 2) return {};
  std::string word = argv[1];
  const CLI::App* command = nullptr;
  std::vector<std::string> names;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(each->get_name());
    if (names.back() == word) command = each;
  }
  if (!command && word.starts_with('-')) return {};
  if (command) {
    names.clear();
    auto unknown = command->remaining();
    auto flag = std::find_if(unknown.begin(), unknown.end(), [](const auto& w) { return w.starts_with("--"); });
    if (flag == unknown.end()) return {};
    word = flag->substr(0, flag->find('='));
    for (const CLI::Option* option : command->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  std::vector<std::string_view> known(names.begin(), names.end());
  std::string nearest = limpet::did_you_mean(word, known);
  return command ? nearest : "there is no command \"" + word + "\"" + nearest;
}

int run(int argc, char** argv) {
  CLI::App app{"Limpet: sticky, loss-free metric aggregation for Telegraf.", "limpet"};
  app.set_version_flag("--version", "limpet " LIMPET_VERSION);
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_help_all_flag("--help-all", "Print the help of every command");
  app.require_subcommand(1);
  app.footer("`limpet COMMAND --help` explains a command, with examples.");

  int exit_code = 0;
  limpet::add_aggregate_command(app, exit_code);
  limpet::add_check_command(app, exit_code);
  limpet::add_drain_command(app, exit_code);
  limpet::add_explain_command(app, exit_code);
  limpet::add_inspect_command(app, exit_code);
  limpet::add_parse_command(app, exit_code);
  limpet::add_replay_command(app, exit_code);
  limpet::add_shard_command(app, exit_code);
  limpet::add_status_command(app, exit_code);
  limpet::add_test_command(app, exit_code);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    std::string hint = suggestion(app, argc, argv);
    app.failure_message([&](const CLI::App* of, const CLI::Error& error) {
      if (hint.starts_with("there is no")) return "limpet: " + hint + "\n`limpet --help` lists the commands.\n";
      return "limpet: " + std::string(error.what()) + hint + "\n`limpet " +
             (of->get_subcommands().empty() ? "" : of->get_subcommands()[0]->get_name() + " ") + "--help` says more.\n";
    });
    app.exit(e);
    return kUsageError;
  }
  return exit_code;
}

// A descriptor that whoever started us has closed would be given to the next file that is opened. It gets one that can
// neither be read nor written, as before.
void fill_closed_descriptors() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

// What was printed, and could not be written, must not look like success.
int checked_output(int code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  std::fprintf(stderr, "E! limpet: cannot write to stdout%s%s\n", errno ? ": " : "", errno ? std::strerror(errno) : "");
  return std::max(code, 1);
}

}  // namespace

int main(int argc, char** argv) {
  fill_closed_descriptors();
  try {
    return checked_output(run(argc, argv));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "E! limpet: %s\n", e.what());
  }
  return 1;
}
