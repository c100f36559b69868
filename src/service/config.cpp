#include "service/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <sstream>
#include <tuple>

#include "base/suggest.h"
#include "io/files.h"
#include "rules/duration.h"

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

struct Place {
  std::string file;
  int line = 0, column = 0;
};

// What one key was set to, by the file or a flag, checked for its kind.
struct Setting {
  std::vector<std::string> texts;
  int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  int64_t duration_ns = 0;
  std::vector<Place> places;  // of each text; of the value
};

class Loader {
 public:
  void read_file(const SourceFile& file);
  void read_flag(const Flag& flag);
  void finish();
  LoadedConfig take() { return std::move(result_); }

 private:
  void read_table(const toml::table& table, const std::string& prefix);
  void read_value(const ConfigKey& key, const toml::node& node);
  void apply(const ConfigKey& key, const Setting& setting);
  void word(const ConfigKey& key, const Setting& setting, std::initializer_list<std::string_view> words,
            const std::function<void(size_t)>& f);
  void endpoints(const Setting& setting, std::vector<Endpoint>& out,
                 std::expected<Endpoint, std::string> (*parse)(std::string_view));
  void error(const Place& place, std::string message) {
    result_.diagnostics.push_back(
        {place.file, place.line, place.column, std::move(message), Diagnostic::Severity::kError});
  }
  Place place_of(const toml::source_region& region) const {
    return {path_, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
  }

  void note_assignment(const Place& place);
  void apply_assignment(const ConfigKey& key, const Setting& setting, const Place& place);
  void finish_assignment();

  LoadedConfig result_;
  std::string path_;
  Place assignment_place_;
  bool unowned_set_ = false;
  std::vector<std::pair<Endpoint, Place>> exposed_;  // listeners that others could reach
};

const ConfigKey* find_key(std::string_view name) {
  auto it = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const ConfigKey& key) { return key.name == name; });
  return it == std::end(kKeys) ? nullptr : it;
}

// "http" of "listen.http" where the prefix is "listen.".
std::vector<std::string_view> names_below(std::string_view prefix) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : kKeys)
    if (key.name.starts_with(prefix))
      names.push_back(key.name.substr(prefix.size(), key.name.find('.', prefix.size()) - prefix.size()));
  if (prefix.empty()) names.insert(names.end(), std::begin(kLaterTables), std::end(kLaterTables));
  return names;
}

std::vector<std::string_view> all_names() {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : kKeys) names.push_back(key.name);
  return names;
}

std::string_view expected_form(Kind kind) {
  switch (kind) {
    case Kind::kText:
      return "must be a string in quotes";
    case Kind::kTexts:
      return "must be a string in quotes or an array of them, as in [\"a\", \"b\"]";
    case Kind::kInteger:
      return "must be a whole number without quotes";
    case Kind::kNumber:
      return "must be a number without quotes";
    case Kind::kBoolean:
      return "must be true or false, without quotes";
    case Kind::kDuration:
      return "must be a duration in quotes, as in \"10s\"";
  }
  return {};
}

void Loader::read_file(const SourceFile& file) {
  path_ = file.path;
  result_.config.rules_directory = directory_of(file.path);
  try {
    toml::table table = toml::parse(file.text, file.path);
    read_table(table, "");
  } catch (const toml::parse_error& e) {
    error(place_of(e.source()), std::string(e.description()));
  }
}

void Loader::read_table(const toml::table& table, const std::string& prefix) {
  for (const auto& [key, node] : table) {
    std::string name = prefix + std::string(key.str());
    if (const ConfigKey* known = find_key(name)) {
      read_value(*known, node);
    } else if (prefix.empty() && std::ranges::count(kLaterTables, key.str())) {
      error(place_of(key.source()), fmt::format("[{}] is not supported by this version of Limpet: leave it out", name));
      result_.pass_everything = true;
    } else if (prefix.empty() && std::ranges::count(kTables, key.str())) {
      if (!node.is_table())
        error(place_of(key.source()), fmt::format("\"{0}\" must be a table: [{0}]", name));
      else
        read_table(*node.as_table(), name + ".");
      if (name == "assignment") note_assignment(place_of(key.source()));
    } else {
      std::string hint = did_you_mean(key.str(), names_below(prefix));
      if (name == "rule")
        hint = ": a rules file of its own holds the [[rule]] entries, and `rules = [\"rules/*.toml\"]` names it";
      error(place_of(key.source()), fmt::format("unknown key \"{}\"{}", name, hint));
    }
  }
}

void Loader::read_value(const ConfigKey& key, const toml::node& node) {
  Setting setting;
  setting.places.push_back(place_of(node.source()));
  auto wrong = [&] { error(setting.places.front(), fmt::format("\"{}\" {}", key.name, expected_form(key.kind))); };
  const toml::array* array = node.as_array();
  if (array && key.kind == Kind::kTexts) {
    setting.places.clear();
    for (const toml::node& element : *array) {
      setting.places.push_back(place_of(element.source()));
      auto text = element.value_exact<std::string>();
      if (!text) return error(setting.places.back(), fmt::format("\"{}\" {}", key.name, expected_form(key.kind)));
      setting.texts.push_back(*text);
    }
  } else if (key.kind == Kind::kInteger) {
    auto integer = node.value_exact<int64_t>();
    if (!integer) return wrong();
    setting.integer = *integer;
  } else if (key.kind == Kind::kNumber) {
    auto number = node.value<double>();
    if (!number || !node.is_number()) return wrong();
    setting.number = *number;
  } else if (key.kind == Kind::kBoolean) {
    auto boolean = node.value_exact<bool>();
    if (!boolean) return wrong();
    setting.boolean = *boolean;
  } else {
    auto text = node.value_exact<std::string>();
    if (!text) return wrong();
    setting.texts.push_back(*text);
  }
  apply(key, setting);
}

void Loader::read_flag(const Flag& flag) {
  const auto& [name, values] = flag;
  Place place{"--" + name, 0, 0};
  const ConfigKey* key = find_key(name);
  if (!key && std::ranges::any_of(kLaterTables, [&](std::string_view table) {
        return name.starts_with(table) && name[table.size()] == '.';
      })) {
    result_.pass_everything = true;
    return error(place, "is not supported by this version of Limpet: leave it out");
  }
  if (!key) return error(place, "unknown flag" + did_you_mean(name, all_names()));
  Setting setting;
  setting.texts = values;
  setting.places.assign(std::max<size_t>(values.size(), 1), place);
  std::string text = values.empty() ? "" : values.back();
  if (key->kind == Kind::kInteger) {
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), setting.integer);
    if (failed != std::errc() || end != text.data() + text.size())
      return error(place, fmt::format("\"{}\" is no whole number", text));
  } else if (key->kind == Kind::kNumber) {
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), setting.number);
    if (failed != std::errc() || end != text.data() + text.size())
      return error(place, fmt::format("\"{}\" is no number", text));
  } else if (key->kind == Kind::kBoolean) {
    if (!text.empty() && text != "true" && text != "false") return error(place, "must be true or false");
    setting.boolean = text != "false";
  } else if (key->kind == Kind::kTexts) {
    // The flag replaces what the file says.
    if (name == "rules") result_.config.rules_directory.clear();
  }
  apply(*key, setting);
}

void Loader::word(const ConfigKey& key, const Setting& setting, std::initializer_list<std::string_view> words,
                  const std::function<void(size_t)>& f) {
  const std::string& text = setting.texts.back();
  for (size_t i = 0; i < words.size(); i++)
    if (text == words.begin()[i]) return f(i);
  std::string all;
  for (std::string_view each : words) all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", each);
  error(setting.places.back(), fmt::format("\"{}\" must be one of {}, not \"{}\"{}", key.name, all, text,
                                           did_you_mean(text, {words.begin(), words.size()})));
}

void Loader::endpoints(const Setting& setting, std::vector<Endpoint>& out,
                       std::expected<Endpoint, std::string> (*parse)(std::string_view)) {
  out.clear();
  for (size_t i = 0; i < setting.texts.size(); i++) {
    auto endpoint = parse(setting.texts[i]);
    if (!endpoint) {
      error(setting.places[i], endpoint.error());
      continue;
    }
    out.push_back(*endpoint);
    if (!is_local(*endpoint)) exposed_.emplace_back(*endpoint, setting.places[i]);
  }
}

void Loader::apply(const ConfigKey& key, const Setting& setting) {
  AggregateConfig& c = result_.config;
  const Place& place = setting.places.empty() ? Place{path_, 0, 0} : setting.places.back();
  if (key.kind == Kind::kText && setting.texts.empty()) return error(place, "needs a value");
  if (key.name == "rules")
    c.rules = setting.texts;
  else if (key.name == "listen.http")
    endpoints(setting, c.http, parse_http_endpoint);
  else if (key.name == "listen.socket")
    endpoints(setting, c.sockets, parse_socket_endpoint);
  else if (key.name == "listen.insecure")
    c.insecure = setting.boolean;
  else if (key.name == "pod" || key.name == "assignment.pod")
    c.pod = setting.texts.back();
  else if (key.name == "stats_file")
    c.stats_file = setting.texts.back();
  else if (key.name == "stdin")
    word(key, setting, {"lines", "none"}, [&](size_t i) { c.read_lines = i == 0; });
  else if (key.name == "dialect")
    word(key, setting, {"telegraf", "strict"}, [&](size_t i) { c.dialect = Dialect(i); });
  else if (key.name == "log_level")
    word(key, setting, {"error", "warn", "info", "debug"}, [&](size_t i) { c.log_level = LogLevel(i); });
  else if (key.name == "on_stop")
    word(key, setting, {"flush", "keep"}, [&](size_t i) {
      if (i == 1)
        error(place,
              "on_stop = \"keep\" needs a state directory, which this version of Limpet does not have: use \"flush\"");
    });
  else if (key.name == "emit_rate") {
    if (setting.integer < 0)
      error(place, "\"emit_rate\" must not be negative");
    else
      c.emit_rate_lines_per_s = static_cast<uint64_t>(setting.integer);
  } else if (key.name.starts_with("assignment.")) {
    apply_assignment(key, setting, place);
  } else if (key.name == "metrics_interval") {
    auto ns = parse_duration(setting.texts.back());
    if (!ns)
      error(place, fmt::format("\"{}\" is no duration, such as \"10s\" or \"1m\"", setting.texts.back()));
    else if (*ns != 0 && *ns < kSecondNs)
      error(place, "\"metrics_interval\" must be at least 1s, or 0s for off");
    else
      c.metrics_interval_ns = *ns;
  }
}

void Loader::note_assignment(const Place& place) {
  if (!result_.config.assignment.configured) assignment_place_ = place;
  result_.config.assignment.configured = true;
}

void Loader::apply_assignment(const ConfigKey& key, const Setting& setting, const Place& place) {
  note_assignment(place);
  AssignmentConfig& a = result_.config.assignment;
  if (key.name == "assignment.directory")
    a.directory = join_path(place.line > 0 ? directory_of(path_) : "", setting.texts.back());
  else if (key.name == "assignment.zone")
    a.zone = setting.texts.back();
  else if (key.name == "assignment.host")
    a.host = setting.texts.back();
  else if (key.name == "assignment.revision")
    a.revision = setting.texts.back();
  else if (key.name == "assignment.weight") {
    if (!(setting.number > 0 && setting.number <= 1000))
      error(place, "\"assignment.weight\" must be above 0 and at most 1000");
    else
      a.weight = setting.number;
  } else if (key.name == "assignment.unowned") {
    unowned_set_ = true;
    word(key, setting, {"drop", "forward"}, [&](size_t i) {
      a.may_own = i == 0;
      if (i == 1)
        error(place,
              "unowned = \"forward\" needs delivery between pods, which this version of Limpet does not have: send "
              "every line to every pod and use \"drop\"");
    });
  }
}

// With keys shared, what is left out cannot be guessed: the pod then owns nothing.
void Loader::finish_assignment() {
  AssignmentConfig& a = result_.config.assignment;
  if (!a.configured) return;
  if (a.directory.empty()) {
    error(assignment_place_, "[assignment] needs `directory`: where the sharder keeps assignment.json");
    a.may_own = false;
  }
  if (!unowned_set_)
    error(assignment_place_,
          "[assignment] needs `unowned`, which has no default: \"drop\" if every pod sees every line; until it is "
          "set this pod owns nothing");
}

void Loader::finish() {
  finish_assignment();
  AggregateConfig& c = result_.config;
  if (c.insecure) return;
  for (const auto& [endpoint, place] : exposed_) {
    error(place, fmt::format("{} can be reached from other machines, and nothing authenticates them: listen on "
                             "127.0.0.1, or set insecure = true "
                             "below [listen]",
                             to_string(endpoint)));
    std::erase(c.http, endpoint);
    std::erase(c.sockets, endpoint);
  }
}

}  // namespace

std::span<const ConfigKey> aggregate_config_keys() { return kKeys; }

LoadedConfig load_config(const SourceFile& file, const std::vector<Flag>& flags) {
  Loader loader;
  if (!file.path.empty()) loader.read_file(file);
  for (const Flag& flag : flags) loader.read_flag(flag);
  loader.finish();
  LoadedConfig loaded = loader.take();
  auto position = [&](const Diagnostic& d) { return std::tuple(d.file != file.path, d.line, d.column); };
  std::ranges::stable_sort(loaded.diagnostics, {}, position);
  return loaded;
}

std::vector<Diagnostic> check_config(const SourceFile& file) {
  LoadedConfig loaded = load_config(file, {});
  if (loaded.config.rules.empty() && loaded.ok())
    loaded.diagnostics.push_back(
        {file.path, 0, 0, "no `rules`: every line will pass through", Diagnostic::Severity::kWarning});
  return loaded.diagnostics;
}

bool looks_like_config(const SourceFile& file) {
  try {
    toml::table table = toml::parse(file.text);
    if (table.contains("rule") || table.contains("defaults")) return false;
    return std::ranges::any_of(names_below(""), [&](std::string_view name) { return table.contains(name); });
  } catch (const toml::parse_error&) {
    return false;
  }
}

}  // namespace limpet
