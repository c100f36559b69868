#include "service/config_keys.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "base/suggest.h"
#include "base/time.h"
#include "io/files.h"
#include "rules/duration.h"
#include "rules/parse_toml.h"

namespace limpet {
namespace {

using Kind = ConfigKey::Kind;

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

// "http" of "listen.http" where the prefix is "listen.".
std::vector<std::string_view> names_below(const ConfigSchema& schema, std::string_view prefix) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : schema.keys)
    if (key.name.starts_with(prefix))
      names.push_back(key.name.substr(prefix.size(), key.name.find('.', prefix.size()) - prefix.size()));
  if (prefix.empty()) names.insert(names.end(), schema.later_tables.begin(), schema.later_tables.end());
  return names;
}

template <class Number>
bool parse_whole(std::string_view text, Number& out) {
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc() && end == text.data() + text.size();
}

bool contains(std::span<const std::string_view> list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

}  // namespace

// What touches the TOML library.
struct ConfigReader::Toml {
  ConfigReader& reader;

  ConfigPlace place_of(const toml::source_region& region) const {
    return {reader.path_, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
  }

  void read_table(const toml::table& table, const std::string& prefix) const {
    for (const auto& [key, node] : table) {
      std::string name = prefix + std::string(key.str());
      ConfigPlace place = place_of(key.source());
      if (const ConfigKey* known = reader.find_key(name)) {
        read_value(*known, node);
      } else if (prefix.empty() && contains(reader.schema_.later_tables, key.str())) {
        reader.error(place, fmt::format("[{}] is not supported by this version of Limpet: leave it out", name));
        reader.asked_for_later_ = true;
      } else if (prefix.empty() && contains(reader.schema_.tables, key.str())) {
        reader.tables_seen_.emplace_back(name, place);
        if (!node.is_table())
          reader.error(place, fmt::format("\"{0}\" must be a table: [{0}]", name));
        else
          read_table(*node.as_table(), name + ".");
      } else {
        reader.error(place, fmt::format("unknown key \"{}\"{}", name, reader.advice(key.str(), prefix)));
      }
    }
  }

  void read_value(const ConfigKey& key, const toml::node& node) const {
    ConfigSetting setting;
    setting.places.push_back(place_of(node.source()));
    const toml::array* array = node.as_array();
    bool right = array && key.kind == Kind::kTexts ? read_texts(*array, setting) : read_single(key.kind, node, setting);
    if (!right)
      reader.error(setting.places.back(), fmt::format("\"{}\" {}", key.name, expected_form(key.kind)));
    else
      reader.apply(key, setting);
  }

  bool read_texts(const toml::array& array, ConfigSetting& setting) const {
    setting.places.clear();
    for (const toml::node& element : array) {
      setting.places.push_back(place_of(element.source()));
      auto text = element.value_exact<std::string>();
      if (!text) return false;
      setting.texts.push_back(*text);
    }
    return true;
  }

  static bool read_single(Kind kind, const toml::node& node, ConfigSetting& setting) {
    if (kind == Kind::kInteger) {
      auto integer = node.value_exact<int64_t>();
      setting.integer = integer.value_or(0);
      return integer.has_value();
    }
    if (kind == Kind::kNumber) {
      auto number = node.value<double>();
      setting.number = number.value_or(0);
      return number && node.is_number();
    }
    if (kind == Kind::kBoolean) {
      auto boolean = node.value_exact<bool>();
      setting.boolean = boolean.value_or(false);
      return boolean.has_value();
    }
    auto text = node.value_exact<std::string>();
    if (text) setting.texts.push_back(*text);
    return text.has_value();
  }
};

void ConfigReader::read(const SourceFile& file, const std::vector<Flag>& flags) {
  if (!file.path.empty()) read_file(file);
  for (const Flag& flag : flags) read_flag(flag);
}

void ConfigReader::read_file(const SourceFile& file) {
  path_ = file.path;
  Toml reader{*this};
  try {
    toml::table table = parse_toml(file);
    reader.read_table(table, "");
  } catch (const toml::parse_error& e) {
    error(reader.place_of(e.source()), std::string(e.description()));
  }
}

void ConfigReader::read_flag(const Flag& flag) {
  const auto& [name, values] = flag;
  ConfigPlace place{"--" + name, 0, 0};
  const ConfigKey* key = find_key(name);
  if (!key && contains(schema_.later_tables, std::string_view(name).substr(0, name.find('.')))) {
    asked_for_later_ = true;
    return error(place, "is not supported by this version of Limpet: leave it out");
  }
  if (!key) {
    std::vector<std::string_view> names;
    for (const ConfigKey& each : schema_.keys) names.push_back(each.name);
    return error(place, "unknown flag" + did_you_mean(name, names));
  }
  ConfigSetting setting;
  setting.texts = values;
  setting.places.assign(std::max<size_t>(values.size(), 1), place);
  std::string text = values.empty() ? "" : values.back();
  if (text.empty() && key->kind != Kind::kBoolean) return error(place, "needs a value");
  if (key->kind == Kind::kInteger && !parse_whole(text, setting.integer))
    return error(place, fmt::format("\"{}\" is no whole number", text));
  if (key->kind == Kind::kNumber && !parse_whole(text, setting.number))
    return error(place, fmt::format("\"{}\" is no number", text));
  if (key->kind == Kind::kBoolean) {
    if (!text.empty() && text != "true" && text != "false") return error(place, "must be true or false");
    setting.boolean = text != "false";
  }
  apply(*key, setting);
}

void ConfigReader::apply(const ConfigKey& key, const ConfigSetting& setting) {
  ConfigPlace place = setting.places.empty() ? ConfigPlace{path_, 0, 0} : setting.places.back();
  bool one_text = key.kind == Kind::kText || key.kind == Kind::kDuration;
  if (one_text && setting.texts.empty()) return error(place, "needs a value");
  apply_(key, setting, place);
}

const ConfigKey* ConfigReader::find_key(std::string_view name) const {
  auto it = std::ranges::find(schema_.keys, name, &ConfigKey::name);
  return it == schema_.keys.end() ? nullptr : &*it;
}

std::string ConfigReader::advice(std::string_view key, std::string_view prefix) const {
  std::string special = schema_.hint ? schema_.hint(std::string(prefix) + std::string(key)) : "";
  return special.empty() ? did_you_mean(key, names_below(schema_, prefix)) : special;
}

std::optional<ConfigPlace> ConfigReader::place_of_table(std::string_view name) const {
  for (const auto& [table, place] : tables_seen_)
    if (table == name) return place;
  return std::nullopt;
}

void ConfigReader::error(const ConfigPlace& place, std::string message) {
  diagnostics_.push_back({place.file, place.line, place.column, std::move(message), Diagnostic::Severity::kError});
}

std::string ConfigReader::path(const ConfigSetting& setting) const {
  bool in_file = setting.places.back().line > 0;
  return join_path(in_file ? directory_of(path_) : "", setting.text());
}

std::optional<size_t> ConfigReader::word(const ConfigKey& key, const ConfigSetting& setting,
                                         std::initializer_list<std::string_view> words) {
  const std::string& text = setting.text();
  for (size_t i = 0; i < words.size(); i++)
    if (text == words.begin()[i]) return i;
  std::string all;
  for (std::string_view each : words) all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", each);
  error(setting.places.back(), fmt::format("\"{}\" must be one of {}, not \"{}\"{}", key.name, all, text,
                                           did_you_mean(text, {words.begin(), words.size()})));
  return std::nullopt;
}

std::optional<int64_t> ConfigReader::duration(const ConfigKey& key, const ConfigSetting& setting, int64_t min_ns,
                                              int64_t max_ns) {
  auto ns = parse_duration(setting.text());
  if (!ns) {
    error(setting.places.back(), fmt::format("\"{}\" {}", setting.text(), describe(ns.error())));
    return std::nullopt;
  }
  if (*ns >= min_ns && *ns <= max_ns) return *ns;
  error(setting.places.back(),
        fmt::format("\"{}\" must be at least {}s and at most {}s", key.name, min_ns / kSecondNs, max_ns / kSecondNs));
  return std::nullopt;
}

std::vector<Endpoint> ConfigReader::endpoints(const ConfigSetting& setting,
                                              std::expected<Endpoint, std::string> (*parse)(std::string_view)) {
  std::vector<Endpoint> out;
  for (size_t i = 0; i < setting.texts.size(); i++) {
    auto endpoint = parse(setting.texts[i]);
    if (!endpoint) {
      error(setting.places[i], endpoint.error());
      continue;
    }
    out.push_back(*endpoint);
    if (!is_local(*endpoint)) exposed_.emplace_back(*endpoint, setting.places[i]);
  }
  return out;
}

std::vector<Endpoint> ConfigReader::refuse_exposed() {
  std::vector<Endpoint> refused;
  for (const auto& [endpoint, place] : exposed_) {
    error(place, fmt::format("{} can be reached from other machines, and nothing authenticates them: listen on "
                             "127.0.0.1, or set insecure = true below [listen]",
                             to_string(endpoint)));
    refused.push_back(endpoint);
  }
  return refused;
}

std::vector<Diagnostic> ConfigReader::take_diagnostics() {
  auto position = [&](const Diagnostic& d) { return std::tuple(d.file != path_, d.line, d.column); };
  std::ranges::stable_sort(diagnostics_, {}, position);
  return std::move(diagnostics_);
}

bool has_array_of_tables(const SourceFile& file, std::string_view key) {
  try {
    return parse_toml(file)[key].is_array_of_tables();
  } catch (const toml::parse_error&) {
    return false;
  }
}

bool sets_any_of(const SourceFile& file, const ConfigSchema& schema) {
  try {
    toml::table table = parse_toml(file);
    return std::ranges::any_of(names_below(schema, ""), [&](std::string_view name) { return table.contains(name); });
  } catch (const toml::parse_error&) {
    return false;
  }
}

}  // namespace limpet
