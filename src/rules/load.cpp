// TOML -> rules. Every error of a file that is valid TOML is found in one run, at the line of the offending key or
// value.
#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>
#include <span>

#include "base/limits.h"
#include "base/suggest.h"
#include "lineproto/format.h"
#include "rules/build.h"
#include "rules/duration.h"
#include "rules/keys.h"
#include "rules/parse_toml.h"

namespace limpet {
namespace {

constexpr std::string_view kRuleKeys[] = {"name",
                                          "namepass",
                                          "namedrop",
                                          "namepass_separator",
                                          "namedrop_separator",
                                          "tagpass",
                                          "tagdrop",
                                          "fieldinclude",
                                          "fieldexclude",
                                          "by",
                                          "without",
                                          "period",
                                          "every",
                                          "grace",
                                          "drop_original",
                                          "fields",
                                          "enabled",
                                          "measurement",
                                          "tags",
                                          "field_name",
                                          "timestamp",
                                          "late",
                                          "late_limit",
                                          "future_limit",
                                          "incomplete",
                                          "baseline",
                                          "first",
                                          "expire",
                                          "shard_by",
                                          "shard_name",
                                          "max_groups"};
// What belongs to one rule alone.
constexpr std::string_view kNotDefaults[] = {"name", "fields"};

std::string called(const Rule& rule) { return rule.name.empty() ? "the rule" : "rule " + quoted(rule.name); }

void check_known(FileReader& reader, const toml::table& table, std::string_view where,
                 std::span<const std::string_view> known) {
  for (const auto& [key, value] : table)
    if (std::find(known.begin(), known.end(), key.str()) == known.end())
      reader.error(key.source(),
                   "unknown key " + quoted(key.str()) + " in " + std::string(where) + did_you_mean(key.str(), known));
}

// A key that is not there, but one that check_known() takes for it: one error is enough.
bool is_misspelt(const toml::table* table, std::string_view key) {
  if (!table) return false;
  std::string suggestion = " (did you mean " + quoted(key) + "?)";
  return std::any_of(table->begin(), table->end(), [&](const auto& entry) {
    std::string_view there = entry.first.str();
    return std::find(std::begin(kRuleKeys), std::end(kRuleKeys), there) == std::end(kRuleKeys) &&
           did_you_mean(there, kRuleKeys) == suggestion;
  });
}

void read_fields(FileReader& reader, Keys& keys, const toml::table& table, DraftRule& draft) {
  const toml::node* node = table.get("fields");
  Rule& rule = draft.rule;
  if (!node && is_misspelt(&table, "fields")) return;
  if (!node)
    return reader.error(table.source(), called(rule) +
                                            " has no [rule.fields]: a table of field patterns with their functions is "
                                            "expected, as in value = [\"mean\"]");
  const toml::table* fields = node->as_table();
  if (!fields)
    return keys.error(*node, "\"fields\" must be a table, as in [rule.fields] with a line value = [\"mean\"]");
  if (fields->empty())
    return keys.error(*node, "[rule.fields] is empty: a line such as value = [\"mean\"] is expected");
  std::vector<std::pair<toml::source_position, std::pair<std::string, const toml::node*>>> in_order;
  for (const auto& [pattern, functions] : *fields)
    in_order.push_back({pattern.source().begin, {std::string(pattern.str()), &functions}});
  std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [position, entry] : in_order) {
    FieldFunctions field;
    field.pattern = entry.first;
    toml::source_region here{position, position, nullptr};
    auto compiled = Filter::compile({field.pattern});
    if (!compiled)
      reader.error(here, compiled.error());
    else
      field.filter = *compiled;
    std::vector<std::pair<std::string, const toml::node*>> written;
    if (auto one = entry.second->value_exact<std::string>())
      written.emplace_back(*one, entry.second);
    else if (const toml::array* array = entry.second->as_array())
      for (const toml::node& element : *array) {
        if (auto v = element.value_exact<std::string>())
          written.emplace_back(*v, &element);
        else
          keys.error(element, "functions are strings, as in \"mean\"");
      }
    else
      keys.error(*entry.second, quoted(field.pattern) + " must be a list of functions, as in " + field.pattern +
                                    " = [\"mean\", \"p99\"]");
    if (const toml::array* array = entry.second->as_array(); array && array->empty())
      keys.error(*entry.second, quoted(field.pattern) + " has no function");
    for (const auto& [text, at] : written) {
      auto function = parse_function(text);
      if (!function)
        keys.error(*at, function.error());
      else
        field.functions.push_back(*function),
            draft.function_lines.push_back(
                {static_cast<int>(at->source().begin.line), static_cast<int>(at->source().begin.column)});
    }
    rule.fields.push_back(std::move(field));
  }
}

void read_windows(Keys& keys, const toml::table& table, const toml::table* defaults, FileReader& reader, Rule& rule) {
  keys.duration("period", rule.period_ns, kSecondNs, limits::kTimeSpanNsMax);
  if (!keys.find("period") && !is_misspelt(&table, "period") && !is_misspelt(defaults, "period"))
    reader.error(table.source(),
                 called(rule) + " has no \"period\": the window's length is expected, as in period = \"1m\"");
  keys.duration("every", rule.every_ns, kSecondNs);
  const toml::node* every = keys.find("every");
  if (!every) rule.every_ns = rule.period_ns;
  if (rule.period_ns == 0 || rule.every_ns == 0) return;
  if (rule.every_ns > rule.period_ns || rule.period_ns % rule.every_ns != 0)
    return keys.error(*every, "\"every\" (" + format_duration(rule.every_ns) + ") must divide \"period\" (" +
                                  format_duration(rule.period_ns) + ")");
  if (rule.period_ns / rule.every_ns > limits::kPanesPerWindowMax)
    keys.error(*every, "\"every\" (" + format_duration(rule.every_ns) + ") fits " +
                           std::to_string(rule.period_ns / rule.every_ns) + " times into \"period\": at most " +
                           std::to_string(limits::kPanesPerWindowMax) + " are possible");
}

// What results do not spell as it stands here.
constexpr std::string_view kUnwritable = " holds a control character or ends in a backslash, which results cannot have";
bool is_writable(std::string_view text) { return written_name(text) == text; }

void read_tags(Keys& keys, Rule& rule) {
  const toml::node* node = keys.find("tags");
  if (!node) return;
  const toml::table* table = node->as_table();
  if (!table) return keys.error(*node, "\"tags\" must be a table of strings, as in tags = { source = \"limpet\" }");
  for (const auto& [key, value] : *table) {
    if (key.str().empty())
      keys.error(value, "a tag of \"tags\" must have a name");
    else if (key.str() == "limpet_incomplete" || key.str() == "limpet_overflow")
      keys.error(value, "the tag " + quoted(key.str()) + " is set by Limpet itself: take another name");
    else if (!is_writable(key.str()) || !is_writable(value.value_or(std::string())))
      keys.error(value, "the tag " + quoted(key.str()) + " of \"tags\"" + std::string(kUnwritable));
    else if (auto v = value.value_exact<std::string>(); v && !v->empty())
      rule.tags.emplace_back(std::string(key.str()), *v);
    else
      keys.error(value, "the tag " + quoted(key.str()) + " must be a string that is not empty");
  }
  std::sort(rule.tags.begin(), rule.tags.end());
}

void read_enabled(Keys& keys, Rule& rule) {
  const toml::node* node = keys.find("enabled");
  if (!node) return;
  if (auto b = node->value_exact<bool>())
    rule.mode = *b ? RuleMode::kOn : RuleMode::kOff;
  else if (auto s = node->value_exact<std::string>(); s && *s == "preview")
    rule.mode = RuleMode::kPreview;
  else
    keys.error(*node, "\"enabled\" must be true, false or \"preview\"");
}

bool sets_tag(const Rule& rule, std::string_view key) {
  return std::any_of(rule.tags.begin(), rule.tags.end(), [&](const Tag& t) { return t.first == key; });
}

void check_grouping(Keys& keys, Rule& rule) {
  if (keys.own("by") && keys.own("without")) {
    keys.error(*keys.find("without"), "a rule has \"by\" or \"without\", not both");
    Filter unused;
    keys.filter("without", unused);  // for its errors
  }
  bool by = keys.own("by") || (!keys.own("without") && keys.find("by"));
  const toml::node* node = keys.find(by ? "by" : "without");
  if (!node) return;
  std::string_view key = by ? "by" : "without";
  rule.grouping = by ? Grouping::kBy : Grouping::kWithout;
  keys.filter(key, rule.grouping_tags);
  if (!by || !node->is_array()) return;
  for (const toml::node& element : *node->as_array())
    if (auto tag = element.value_exact<std::string>(); tag && sets_tag(rule, *tag))
      keys.error(element, "\"by\" names the tag " + quoted(*tag) + ", which the rule's \"tags\" set");
}

void check_bucket_tag(Keys& keys, const Rule& rule) {
  const toml::node* node = keys.find("tags");
  if (!node || !rule.has_histogram() || !sets_tag(rule, "le")) return;
  keys.error(*node, "\"tags\" set the tag \"le\", which in a rule with a histogram names the buckets' bounds");
}

void check_shard_by(Keys& keys, Rule& rule) {
  const toml::node* node = keys.find("shard_by");
  if (!node) return;
  rule.shard_by = keys.strings(*node, "shard_by");
  if (!node->is_array()) return;
  for (const toml::node& element : *node->as_array()) {
    auto tag = element.value_exact<std::string>();
    if (!tag) continue;
    if (!is_writable(*tag))
      keys.error(element, "\"shard_by\" names the tag " + quoted(*tag) + ", which" + std::string(kUnwritable));
    else if (sets_tag(rule, *tag))
      keys.error(element, "\"shard_by\" names the tag " + quoted(*tag) + ", which the rule's \"tags\" set");
    else if (rule.kept_tags({{*tag, "x"}}).empty())
      keys.error(element, "\"shard_by\" names the tag " + quoted(*tag) +
                              ", which does not stay: it must be one of the tags that \"by\" or \"without\" keep");
  }
}

void check_templates(Keys& keys, const Rule& rule) {
  auto check = [&](std::string_view key, const std::string& text, std::initializer_list<std::string_view> known) {
    if (!keys.find(key)) return;
    if (text.empty()) return keys.error(*keys.find(key), quoted(key) + " must not be empty");
    if (!is_writable(text)) return keys.error(*keys.find(key), quoted(key) + std::string(kUnwritable));
    for (size_t at = text.find('{'); at != text.npos; at = text.find('{', at + 1)) {
      std::string word = text.substr(at, text.find('}', at) == text.npos ? text.npos : text.find('}', at) - at + 1);
      if (std::find(known.begin(), known.end(), word) == known.end())
        keys.error(*keys.find(key), "unknown placeholder " + quoted(word) + " in " + quoted(key) +
                                        did_you_mean(word, {known.begin(), known.size()}));
    }
  };
  check("measurement", rule.measurement, {"{measurement}"});
  if (keys.find("measurement") && rule.measurement.starts_with('#'))
    keys.error(*keys.find("measurement"), "\"measurement\" begins with '#', by which lines become comments");
  check("field_name", rule.field_name, {"{field}", "{function}"});
  size_t most = 0;
  for (const FieldFunctions& f : rule.fields) most = std::max(most, f.functions.size());
  if (keys.find("field_name") && most > 1 && rule.field_name.find("{function}") == rule.field_name.npos)
    keys.error(
        *keys.find("field_name"),
        "\"field_name\" must hold {function}, since a field has several functions: as in \"{field}_{function}\"");
}

// What needs no look at another key.
void read_settings(Keys& keys, Rule& rule) {
  keys.filter("namepass", rule.selector.namepass, "namepass_separator");
  keys.filter("namedrop", rule.selector.namedrop, "namedrop_separator");
  keys.tag_filters("tagpass", rule.selector.tagpass);
  keys.tag_filters("tagdrop", rule.selector.tagdrop);
  keys.filter("fieldinclude", rule.fieldinclude);
  keys.filter("fieldexclude", rule.fieldexclude);
  read_tags(keys, rule);
  keys.duration("grace", rule.grace_ns, 0, limits::kTimeSpanNsMax);
  keys.boolean("drop_original", rule.drop_original);
  read_enabled(keys, rule);
  keys.text("measurement", rule.measurement);
  keys.text("field_name", rule.field_name);
  keys.word("timestamp", {"end", "start"}, [&](size_t i) { rule.timestamp = static_cast<WindowStamp>(i); });
  keys.word("late", {"drop", "pass", "correct"}, [&](size_t i) { rule.late = static_cast<LatePolicy>(i); });
  keys.duration("late_limit", rule.late_limit_ns, 0, limits::kTimeSpanNsMax);
  keys.duration("future_limit", rule.future_limit_ns, 0, limits::kTimeSpanNsMax);
  keys.word("incomplete", {"emit", "skip", "tag"},
            [&](size_t i) { rule.incomplete = static_cast<IncompletePolicy>(i); });
  keys.duration("baseline", rule.baseline_ns);
  keys.word("first", {"zero", "skip"}, [&](size_t i) { rule.first = static_cast<FirstSample>(i); });
  keys.duration("expire", rule.expire_ns, 1);
  if (const toml::node* node = keys.find("shard_name")) {
    keys.text("shard_name", rule.shard_name.emplace());
    if (rule.shard_name->empty() && node->is_string()) keys.error(*node, "\"shard_name\" must not be empty");
  }
  if (const toml::node* node = keys.find("max_groups")) {
    auto v = node->value_exact<int64_t>();
    if (v && *v > 0)
      rule.max_groups = static_cast<uint64_t>(*v);
    else
      keys.error(*node, "\"max_groups\" must be a whole number above 0, without quotes");
  }
}

// A wrong value is an error even where every rule has its own.
void check_defaults(FileReader& reader, const toml::table& table) {
  Keys keys(reader, table, nullptr);
  Rule rule;
  read_settings(keys, rule);
  keys.duration("period", rule.period_ns, kSecondNs, limits::kTimeSpanNsMax);
  keys.duration("every", rule.every_ns, kSecondNs);
  keys.filter("by", rule.grouping_tags);
  keys.filter("without", rule.grouping_tags);
  if (const toml::node* node = keys.find("shard_by")) keys.strings(*node, "shard_by");
  if (keys.own("by") && keys.own("without"))
    keys.error(*keys.find("without"), "[defaults] has \"by\" or \"without\", not both");
}

void read_rule(FileReader& reader, const toml::table& table, const toml::table* defaults, std::vector<DraftRule>& out) {
  size_t faults_before = reader.faults();
  check_known(reader, table, "[[rule]]", kRuleKeys);
  Keys keys(reader, table, defaults);
  DraftRule draft;
  Rule& rule = draft.rule;
  rule.file = reader.file().path;
  rule.line = static_cast<int>(table.source().begin.line);
  const toml::node* name = table.get("name");
  if (!name && !is_misspelt(&table, "name"))
    reader.error(table.source(), "a rule needs a \"name\", as in name = \"http-latency\"");
  keys.text("name", rule.name);
  if (name && name->is_string() && rule.name.empty()) keys.error(*name, "\"name\" must not be empty");
  draft.name_line = name ? static_cast<int>(name->source().begin.line) : rule.line;
  draft.name_column =
      name ? static_cast<int>(name->source().begin.column) : static_cast<int>(table.source().begin.column);
  read_settings(keys, rule);
  read_windows(keys, table, defaults, reader, rule);
  read_fields(reader, keys, table, draft);
  check_grouping(keys, rule);
  check_bucket_tag(keys, rule);
  check_shard_by(keys, rule);
  check_templates(keys, rule);
  draft.read = reader.faults() == faults_before;
  out.push_back(std::move(draft));
}

}  // namespace

void read_rules_file(const SourceFile& file, std::vector<DraftRule>& out, std::vector<Diagnostic>& diagnostics) {
  FileReader reader(file, diagnostics);
  toml::table root;
  try {
    root = parse_toml(file);
  } catch (const toml::parse_error& e) {
    return reader.error(e.source(), std::string(e.description()));
  }
  constexpr std::string_view kTop[] = {"rule", "defaults"};
  check_known(reader, root, "a rules file", kTop);
  const toml::table* defaults = nullptr;
  bool defaults_known = true;  // by their names
  if (const toml::node* node = root.get("defaults")) {
    defaults = node->as_table();
    if (!defaults)
      reader.error(node->source(), "\"defaults\" must be a table: [defaults]");
    else {
      std::vector<std::string_view> known;
      std::copy_if(std::begin(kRuleKeys), std::end(kRuleKeys), std::back_inserter(known), [](std::string_view k) {
        return std::find(std::begin(kNotDefaults), std::end(kNotDefaults), k) == std::end(kNotDefaults);
      });
      size_t faults_before = reader.faults();
      check_known(reader, *defaults, "[defaults]", known);
      defaults_known = reader.faults() == faults_before;
      check_defaults(reader, *defaults);
    }
  }
  const toml::node* rules = root.get("rule");
  if (!rules) return;
  if (!rules->is_array_of_tables())
    return reader.error(rules->source(), "rules are written as [[rule]], with two brackets");
  for (const toml::node& rule : *rules->as_array()) {
    read_rule(reader, *rule.as_table(), defaults, out);
    out.back().read &= defaults_known;
  }
}

}  // namespace limpet
