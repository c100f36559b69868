// The one executable: a list of commands, each in a file of its own.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

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

  CLI11_PARSE(app, argc, argv);
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "E! limpet: %s\n", e.what());
  }
  return 1;
}
