#include "plugin/aggregate_command.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>

#include "base/limits.h"
#include "io/stderr_log.h"
#include "io/stdio.h"
#include "io/unique_fd.h"
#include "plugin/config_flags.h"
#include "service/aggregator.h"
#include "service/config.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(The aggregator. Telegraf starts it; lines come on stdin or over listeners, results and what passes through go to stdout.

Under [[processors.execd]] Telegraf sends every metric through it. Under [[inputs.execd]] senders write to its own listener (an
InfluxDB URL), and only results pass through Telegraf. It stops when stdin is closed; SIGHUP, or a change of the files, reloads
the rules. What goes wrong is said on stderr in Telegraf's form and never keeps it from starting: with bad rules every line
passes through.)";

constexpr const char* kExamples = R"(
Examples (telegraf.conf):
  [[processors.execd]]
    command = ["limpet", "aggregate", "--rules", "/etc/limpet/rules/*.toml"]

  [[inputs.execd]]
    command = ["limpet", "aggregate", "--config", "/etc/limpet/limpet.toml"]
    signal = "none"

By hand:
  telegraf --config inputs.conf --test-wait 60 | sed 's/^> //' | limpet aggregate --rules 'rules/*.toml'
  limpet aggregate --rules 'rules/*.toml' --listen.http 127.0.0.1:8086 --stdin none
  curl -d 'm,host=a v=1' http://127.0.0.1:8086/api/v2/write ; curl http://127.0.0.1:8086/metrics

Each flag is also a key of the configuration file, of the same name ([listen] http is --listen.http); flags win.)";

// The signals this process takes one by one, instead of being interrupted by them.
UniqueFd take_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGUSR1, SIG_IGN);
  std::signal(SIGUSR2, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

// The listeners may have as many connections as limits.h says; the usual soft limit of descriptors is below that.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, 2 * limits::kConnectionsMax));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

LoadedConfig load(const ConfigArguments& arguments, const std::vector<std::string>& rest) {
  ConfigSource source = read_config_source(arguments, rest);
  LoadedConfig loaded = load_config(source.file, source.flags);
  loaded.diagnostics.insert(loaded.diagnostics.begin(), source.unread.begin(), source.unread.end());
  return loaded;
}

int aggregate(const ConfigArguments& arguments, const std::vector<std::string>& rest) {
  UniqueFd signals = take_signals();  // first of all: a SIGTERM may be on its way
  raise_descriptor_limit();
  LoadedConfig config = load(arguments, rest);
  // A person at a terminal is told at once; Telegraf's child runs on with what is right, since to end would mean to
  // lose every line.
  if (!config.ok() && is_terminal(STDIN_FILENO)) {
    for (const Diagnostic& diagnostic : config.diagnostics) fmt::print(stderr, "{}\n", to_string(diagnostic));
    return 1;
  }
  StderrLog log(STDERR_FILENO, LogStyle::kTelegraf, config.config.log_level, monotonic_now);
  int code = Aggregator(std::move(config), {STDIN_FILENO, STDOUT_FILENO, signals.get()}, log, [&] {
               return log.dropped();
             }).run();
  // Telegraf reads stderr, like stdout, only until it notices that we are gone: let it see the end first.
  log.finish();
  ::close(STDERR_FILENO);
  ::usleep(Lifecycle::kLingerNs / kMicrosecondNs);
  return code;
}

}  // namespace

void add_aggregate_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("aggregate", kHelp);
  command->footer(kExamples);
  auto arguments = add_config_flags(*command, aggregate_config_keys());
  command->callback([arguments, command, &exit_code] { exit_code = aggregate(*arguments, command->remaining()); });
}

}  // namespace limpet
