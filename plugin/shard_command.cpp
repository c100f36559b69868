#include "plugin/shard_command.h"

#include <fmt/format.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "io/stderr_log.h"
#include "io/unique_fd.h"
#include "plugin/config_flags.h"
#include "service/sharder_service.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(The sharder: says which aggregator owns which part of the keys, and moves them when pods come, go, die or are overloaded.

It shares one directory with the aggregators (`[assignment] directory` in their configuration): they write what they do to
reports/, it writes assignment.json. Nobody asks it anything while lines flow; while it is away the aggregators go on with what
they have. It keeps no state of its own: stop it with SIGTERM or kill it at any time, and start it again. Several of them may work
on one directory; of two that want to change something, one wins.

It moves nothing before it has listened for `dead_after`, 10 s; the first generation of a new cluster does not wait for that.)";

constexpr const char* kExamples = R"(
Examples:
  limpet shard --assignment.directory /run/limpet                 status page: http://127.0.0.1:8099/
  limpet shard --config /etc/limpet/sharder.toml
  limpet shard --assignment.directory /run/limpet --listen.http 0.0.0.0:8099 --listen.insecure

  curl http://127.0.0.1:8099/api/cluster                          everything that the page shows
  curl http://127.0.0.1:8099/metrics                              for Prometheus
  limpet status --assignment.directory /run/limpet                the same in a terminal, without the sharder
  limpet drain --assignment.directory /run/limpet --pod agg-1     hands off everything that agg-1 owns

Each flag is also a key of the configuration file, of the same name ([listen] http is --listen.http); flags win.)";

UniqueFd take_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

int shard(const ConfigArguments& arguments, const std::vector<std::string>& rest) {
  UniqueFd signals = take_signals();
  ConfigSource source = read_config_source(arguments, rest);
  LoadedShardConfig loaded = load_shard_config(source.file, source.flags);
  loaded.diagnostics.insert(loaded.diagnostics.begin(), source.unread.begin(), source.unread.end());
  for (const Diagnostic& diagnostic : loaded.diagnostics) fmt::print(stderr, "{}\n", to_string(diagnostic));
  if (!loaded.ok()) return 1;
  StderrLog log(STDERR_FILENO, LogStyle::kTelegraf, loaded.config.log_level, monotonic_now);
  int code = ShardService(std::move(loaded.config), signals.get(), log).run();
  log.finish();
  return code;
}

}  // namespace

void add_shard_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("shard", "The sharder: assigns keys to aggregators");
  command->footer(std::string(kHelp) + "\n" + kExamples);
  auto arguments = add_config_flags(*command, shard_config_keys());
  command->callback([arguments, command, &exit_code] { exit_code = shard(*arguments, command->remaining()); });
}

}  // namespace limpet
