#include "service/config.h"

#include <fmt/format.h>

#include <optional>

#include "io/files.h"
#include "rules/duration.h"
#include "sharding/pod_name.h"

namespace limpet {
namespace {

using Kind = ConfigKey::Kind;

constexpr ConfigKey kKeys[] = {
    {"rules", Kind::kTexts, "GLOB", "Rules files; in a configuration file seen from its directory"},
    {"listen.http", Kind::kTexts, "HOST:PORT", "Take lines over HTTP: InfluxDB's /write and /api/v2/write"},
    {"listen.socket", Kind::kTexts, "SOCKET", "Take lines from a stream: unix:PATH or tcp://HOST:PORT"},
    {"listen.insecure", Kind::kBoolean, "BOOL",
     "Allow listening on other addresses than loopback, without authentication"},
    {"emit_rate", Kind::kInteger, "LINES", "Result lines per second, at least; 0: no limit; default 20000"},
    {"on_stop", Kind::kText, "WORD", "What becomes of open windows at the end: flush; default flush"},
    {"stdin", Kind::kText, "WORD", "lines, or none: listeners only; default lines, none if stdin is /dev/null"},
    {"dialect", Kind::kText, "WORD", "What is a valid line: telegraf or strict; default telegraf"},
    {"pod", Kind::kText, "NAME", "This process in tags and metrics; default the host's name"},
    {"metrics_interval", Kind::kDuration, "TIME",
     "Write metrics about itself as lines that often, as in 10s; default off"},
    {"log_level", Kind::kText, "WORD", "error, warn, info or debug; default info"},
    {"stats_file", Kind::kText, "FILE", "Write the ledger there as JSON at the end"},
    {"assignment.directory", Kind::kText, "DIRECTORY", "Share the work: where the sharder keeps assignment.json"},
    {"assignment.unowned", Kind::kText, "WORD", "What becomes of lines that are other pods': drop; no default"},
    {"assignment.pod", Kind::kText, "NAME", "The same as `pod`: by this name slices are assigned"},
    {"assignment.zone", Kind::kText, "NAME", "Failure domain; a standby is placed in another one"},
    {"assignment.host", Kind::kText, "NAME", "The machine it runs on; default the host's name"},
    {"assignment.revision", Kind::kText, "NAME",
     "Of the deployment, as a pod-template-hash: tells a roll is under way"},
    {"assignment.weight", Kind::kNumber, "NUMBER", "Share of the load, relative to other pods; default 1"},
};
// Tables of later versions. Running without them would lose or double data, so it does not.
constexpr std::string_view kLaterTables[] = {"state"};
constexpr std::string_view kTables[] = {"listen", "assignment"};

std::string hint(std::string_view name) {
  if (name != "rule") return {};
  return ": a rules file of its own holds the [[rule]] entries, and `rules = [\"rules/*.toml\"]` names it";
}

constexpr ConfigSchema kSchema{.keys = kKeys, .tables = kTables, .later_tables = kLaterTables, .hint = hint};

class Loader {
 public:
  Loader()
      : reader_(kSchema, [this](const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place) {
          apply(key, setting, place);
        }) {}
  LoadedConfig load(const SourceFile& file, const std::vector<Flag>& flags);

 private:
  void apply(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place);
  void apply_assignment(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place);
  void finish_assignment();
  void refuse_exposed();

  LoadedConfig result_;
  ConfigReader reader_;
  std::optional<ConfigPlace> assignment_place_, pod_place_;
  bool unowned_set_ = false;
};

LoadedConfig Loader::load(const SourceFile& file, const std::vector<Flag>& flags) {
  if (!file.path.empty()) result_.config.rules_directory = directory_of(file.path);
  reader_.read(file, flags);
  finish_assignment();
  refuse_exposed();
  result_.pass_everything = reader_.asked_for_later();
  result_.diagnostics = reader_.take_diagnostics();
  return std::move(result_);
}

void Loader::apply(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place) {
  AggregateConfig& c = result_.config;
  if (key.name == "rules") {
    c.rules = setting.texts;
    // The flag replaces what the file says.
    if (place.line == 0 && place.file.starts_with("--")) c.rules_directory.clear();
  } else if (key.name == "listen.http") {
    c.http = reader_.endpoints(setting, parse_http_endpoint);
  } else if (key.name == "listen.socket") {
    c.sockets = reader_.endpoints(setting, parse_socket_endpoint);
  } else if (key.name == "listen.insecure") {
    c.insecure = setting.boolean;
  } else if (key.name == "pod") {
    c.pod = setting.text();
    pod_place_ = place;
  } else if (key.name == "stats_file") {
    c.stats_file = setting.text();
  } else if (key.name == "stdin") {
    if (auto word = reader_.word(key, setting, {"lines", "none"})) c.read_lines = *word == 0;
  } else if (key.name == "dialect") {
    if (auto word = reader_.word(key, setting, {"telegraf", "strict"})) c.dialect = Dialect(*word);
  } else if (key.name == "log_level") {
    if (auto word = reader_.word(key, setting, {"error", "warn", "info", "debug"})) c.log_level = LogLevel(*word);
  } else if (key.name == "on_stop") {
    if (reader_.word(key, setting, {"flush", "keep"}) == 1)
      reader_.error(
          place,
          "on_stop = \"keep\" needs a state directory, which this version of Limpet does not have: use \"flush\"");
  } else if (key.name == "emit_rate") {
    if (setting.integer < 0)
      reader_.error(place, "\"emit_rate\" must not be negative");
    else
      c.emit_rate_lines_per_s = static_cast<uint64_t>(setting.integer);
  } else if (key.name.starts_with("assignment.")) {
    apply_assignment(key, setting, place);
  } else if (key.name == "metrics_interval") {
    auto ns = parse_duration(setting.text());
    if (!ns)
      reader_.error(place, fmt::format("\"{}\" {}", setting.text(), describe(ns.error())));
    else if (*ns != 0 && *ns < kSecondNs)
      reader_.error(place, "\"metrics_interval\" must be at least 1s, or 0s for off");
    else
      c.metrics_interval_ns = *ns;
  }
}

void Loader::apply_assignment(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place) {
  if (!assignment_place_) assignment_place_ = place;
  AssignmentConfig& a = result_.config.assignment;
  if (key.name == "assignment.directory") {
    a.directory = reader_.path(setting);
  } else if (key.name == "assignment.pod") {
    result_.config.pod = setting.text();
    pod_place_ = place;
  } else if (key.name == "assignment.zone") {
    a.zone = setting.text();
  } else if (key.name == "assignment.host") {
    a.host = setting.text();
  } else if (key.name == "assignment.revision") {
    a.revision = setting.text();
  } else if (key.name == "assignment.weight") {
    if (setting.number > 0 && setting.number <= 1000)
      a.weight = setting.number;
    else
      reader_.error(place, "\"assignment.weight\" must be above 0 and at most 1000");
  } else if (key.name == "assignment.unowned") {
    unowned_set_ = true;
    auto word = reader_.word(key, setting, {"drop", "forward"});
    if (!word) return;
    a.may_own = *word == 0;
    if (*word == 1)
      reader_.error(
          place,
          "unowned = \"forward\" needs delivery between pods, which this version of Limpet does not have: send "
          "every line to every pod and use \"drop\"");
  }
}

// With keys shared, what is left out cannot be guessed: the pod then owns nothing.
void Loader::finish_assignment() {
  AssignmentConfig& a = result_.config.assignment;
  if (auto table = reader_.place_of_table("assignment")) assignment_place_ = table;
  a.configured = assignment_place_.has_value();
  if (!a.configured) return;
  if (pod_place_)
    if (std::string wrong = pod_name_error(result_.config.pod); !wrong.empty()) reader_.error(*pod_place_, wrong);
  if (a.directory.empty()) {
    reader_.error(*assignment_place_, "[assignment] needs `directory`: where the sharder keeps assignment.json");
    a.may_own = false;
  }
  if (!unowned_set_)
    reader_.error(
        *assignment_place_,
        "[assignment] needs `unowned`, which has no default: \"drop\" if every pod sees every line; until it is "
        "set this pod owns nothing");
}

void Loader::refuse_exposed() {
  AggregateConfig& c = result_.config;
  if (c.insecure) return;
  for (const Endpoint& endpoint : reader_.refuse_exposed()) {
    std::erase(c.http, endpoint);
    std::erase(c.sockets, endpoint);
  }
}

}  // namespace

std::span<const ConfigKey> aggregate_config_keys() { return kKeys; }

LoadedConfig load_config(const SourceFile& file, const std::vector<Flag>& flags) { return Loader().load(file, flags); }

std::vector<Diagnostic> check_config(const SourceFile& file) {
  LoadedConfig loaded = load_config(file, {});
  if (loaded.config.rules.empty() && loaded.ok())
    loaded.diagnostics.push_back(
        {file.path, 0, 0, "no `rules`: every line will pass through", Diagnostic::Severity::kWarning});
  return loaded.diagnostics;
}

bool looks_like_config(const SourceFile& file) {
  if (has_array_of_tables(file, "rules")) return false;  // a rules file with its [[rule]] misspelt
  constexpr ConfigKey kRules[] = {{"rule", Kind::kText, "", ""}, {"defaults", Kind::kText, "", ""}};
  return sets_any_of(file, kSchema) && !sets_any_of(file, {.keys = kRules, .tables = {}});
}

}  // namespace limpet
