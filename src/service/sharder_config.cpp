#include "service/sharder_config.h"

#include <fmt/format.h>

#include "base/time.h"

namespace limpet {
namespace {

using Kind = ConfigKey::Kind;

constexpr ConfigKey kKeys[] = {
    {"assignment.directory", Kind::kText, "DIRECTORY",
     "What it shares with the aggregators: assignment.json, assignments/, reports/"},
    {"assignment.cluster", Kind::kText, "NAME", "Of the cluster; it touches no assignment of another; default default"},
    {"listen.http", Kind::kTexts, "HOST:PORT", "Status page, API and metrics; default 127.0.0.1:8099"},
    {"listen.insecure", Kind::kBoolean, "BOOL",
     "Allow listening on other addresses than loopback, without authentication"},
    {"dead_after", Kind::kDuration, "TIME", "A pod whose report does not change for so long is dead; default 10s"},
    {"log_level", Kind::kText, "WORD", "error, warn, info or debug; default info"},
    {"planner.tolerance", Kind::kNumber, "SHARE", "Load over or under the mean that is left alone; default 0.05"},
    {"planner.round_budget", Kind::kNumber, "SHARE", "Of the keys that balance may move in a round; default 0.02"},
    {"planner.hour_budget", Kind::kNumber, "SHARE", "Of the keys that balance may move in an hour; default 0.09"},
    {"planner.round", Kind::kDuration, "TIME", "How often balance is looked at; default 30s"},
    {"planner.cooldown", Kind::kDuration, "TIME", "A slice moved for balance stays for so long; default 5m"},
    {"planner.cutover_delay", Kind::kDuration, "TIME", "How far ahead a move is announced; default 10s"},
    {"planner.hold", Kind::kDuration, "TIME",
     "While a roll is under way a pod that owns nothing is kept for the next one so long; default 1m"},
    {"planner.carousel", Kind::kBoolean, "BOOL",
     "In a rolling restart the pod that just came back takes the next one's slices; default true"},
    {"planner.standbys", Kind::kBoolean, "BOOL", "Name a standby for each slice; default true"},
    {"planner.slices_per_pod", Kind::kInteger, "N", "At first; later between half and three times as many; default 32"},
    {"planner.dead_share", Kind::kNumber, "SHARE",
     "More pods (and at least 3) dead at once are not believed: nothing moves; default 0.25"},
};
constexpr std::string_view kTables[] = {"assignment", "listen", "planner"};
constexpr ConfigSchema kSchema{.keys = kKeys, .tables = kTables};
constexpr const char* kDefaultListener = "127.0.0.1:8099";

class Loader {
 public:
  Loader()
      : reader_(kSchema, [this](const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place) {
          apply(key, setting, place);
        }) {}

  LoadedShardConfig load(const SourceFile& file, const std::vector<Flag>& flags) {
    result_.config.http = {*parse_http_endpoint(kDefaultListener)};
    reader_.read(file, flags);
    if (result_.config.directory.empty())
      reader_.error(reader_.place_of_table("assignment").value_or(ConfigPlace{file.path, 0, 0}),
                    "`directory` below [assignment] is needed (or --assignment.directory): where the aggregators "
                    "find assignment.json and put their reports");
    if (!insecure_)
      for (const Endpoint& endpoint : reader_.refuse_exposed()) std::erase(result_.config.http, endpoint);
    result_.diagnostics = reader_.take_diagnostics();
    return std::move(result_);
  }

 private:
  void apply(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place);
  void apply_planner(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place);
  void share(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place, double& out);
  void seconds(const ConfigKey& key, const ConfigSetting& setting, int64_t min_s, int64_t max_s, int64_t& out_s);

  LoadedShardConfig result_;
  ConfigReader reader_;
  bool insecure_ = false;
};

void Loader::apply(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place) {
  ShardConfig& c = result_.config;
  if (key.name == "assignment.directory") {
    c.directory = reader_.path(setting);
  } else if (key.name == "assignment.cluster") {
    c.sharder.planner.cluster = setting.text();
  } else if (key.name == "listen.http") {
    c.http = reader_.endpoints(setting, parse_http_endpoint);
  } else if (key.name == "listen.insecure") {
    insecure_ = setting.boolean;
  } else if (key.name == "log_level") {
    if (auto word = reader_.word(key, setting, {"error", "warn", "info", "debug"})) c.log_level = LogLevel(*word);
  } else if (key.name == "dead_after") {
    // Pods report every 2 s; below 5 s a single slow write would look like a death.
    if (auto ns = reader_.duration(key, setting, 5 * kSecondNs, 10 * kMinuteNs)) c.sharder.dead_after_ns = *ns;
  } else {
    apply_planner(key, setting, place);
  }
}

void Loader::apply_planner(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place) {
  PlannerConfig& p = result_.config.sharder.planner;
  std::string_view name = key.name.substr(key.name.find('.') + 1);
  if (name == "tolerance") share(key, setting, place, p.tolerance);
  if (name == "round_budget") share(key, setting, place, p.round_budget);
  if (name == "hour_budget") share(key, setting, place, p.hour_budget);
  if (name == "dead_share") share(key, setting, place, p.dead_share_max);
  if (name == "round_budget" && setting.number > 0 && setting.number < kRoundBudgetMin)
    reader_.error(place, fmt::format("\"{}\" must be at least {}", key.name, kRoundBudgetMin));
  // The assignment remembers the moves of an hour.
  if (name == "round") seconds(key, setting, 1, 3600, p.round_s);
  if (name == "cooldown") seconds(key, setting, 0, 3600, p.cooldown_s);
  // Half of it is for publishing, half for the pods, which look each half second.
  if (name == "cutover_delay") seconds(key, setting, 2, 600, p.cutover_delay_s);
  if (name == "hold") seconds(key, setting, 0, 24 * 3600, p.hold_s);
  if (name == "carousel") p.carousel = setting.boolean;
  if (name == "standbys") p.standbys = setting.boolean;
  if (name != "slices_per_pod") return;
  if (setting.integer < 2 || setting.integer > 1000)
    return reader_.error(place, "\"planner.slices_per_pod\" must be at least 2 and at most 1000");
  p.slices_per_pod_initial = static_cast<uint32_t>(setting.integer);
  p.slices_per_pod_min = p.slices_per_pod_initial / 2;
  p.slices_per_pod_max = p.slices_per_pod_initial * 3;
}

void Loader::share(const ConfigKey& key, const ConfigSetting& setting, const ConfigPlace& place, double& out) {
  if (!(setting.number > 0 && setting.number <= 1))
    reader_.error(place, fmt::format("\"{}\" must be above 0 and at most 1", key.name));
  else
    out = setting.number;
}

void Loader::seconds(const ConfigKey& key, const ConfigSetting& setting, int64_t min_s, int64_t max_s, int64_t& out_s) {
  auto ns = reader_.duration(key, setting, min_s * kSecondNs, max_s * kSecondNs);
  if (ns) out_s = *ns / kSecondNs;
}

}  // namespace

std::span<const ConfigKey> shard_config_keys() { return kKeys; }

LoadedShardConfig load_shard_config(const SourceFile& file, const std::vector<Flag>& flags) {
  return Loader().load(file, flags);
}

bool looks_like_shard_config(const SourceFile& file) {
  constexpr ConfigKey kOnly[] = {{"planner", Kind::kText, "", ""}, {"dead_after", Kind::kDuration, "", ""}};
  if (sets_any_of(file, {.keys = kOnly, .tables = {}})) return true;
  // An aggregator's has rules, or says what becomes of lines that it does not own.
  constexpr ConfigKey kAggregators[] = {{"rules", Kind::kTexts, "", ""}, {"state", Kind::kText, "", ""}};
  constexpr ConfigKey kShared[] = {{"assignment", Kind::kText, "", ""}};
  return sets_any_of(file, {.keys = kShared, .tables = {}}) &&
         !sets_any_of(file, {.keys = kAggregators, .tables = {}}) && file.text.find("unowned") == file.text.npos;
}

}  // namespace limpet
