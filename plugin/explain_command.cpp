#include "plugin/explain_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "lineproto/format.h"
#include "lineproto/parse.h"
#include "rules/duration.h"
#include "service/load_rule_files.h"
#include "sharding/key.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(Says of a line which rules take it: the group it counts in, the key that decides who owns the group, the result fields; and of every
other rule why it does not take it.)";

constexpr const char* kExamples = R"(
Example:
  limpet explain --rules 'rules/*.toml' 'http_request_duration,service=a,pod_id=x seconds=0.2')";

struct Arguments {
  std::vector<std::string> rules;
  std::vector<std::string> lines;
  bool all = false;
};

std::string listed(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& s : list) (out.empty() ? out : out += ", ") += "\"" + s + "\"";
  return out;
}

std::string why_not_tags(const Selector& s, const std::vector<Tag>& tags) {
  auto value_of = [&](const std::string& key) -> const std::string* {
    for (const Tag& t : tags)
      if (t.first == key) return &t.second;
    return nullptr;
  };
  for (const auto& [key, filter] : s.tagdrop)
    if (const std::string* v = value_of(key); v && filter.matches(*v))
      return fmt::format("tagdrop: {} = \"{}\" matches {}", key, *v, listed(filter.patterns()));
  std::string out;
  for (const auto& [key, filter] : s.tagpass) {
    const std::string* v = value_of(key);
    (out.empty() ? out = "tagpass: " : out += "; ") +=
        v ? fmt::format("{} = \"{}\" matches none of {}", key, *v, listed(filter.patterns()))
          : fmt::format("the line has no tag {}", key);
  }
  return out;
}

// Why a rule's selectors, or its field patterns, leave the line alone.
std::string why_not(const Rule& rule, const Point& point) {
  const Selector& s = rule.selector;
  if (!s.namepass.empty() && !s.namepass.matches(point.name))
    return fmt::format("namepass: \"{}\" matches none of {}", point.name, listed(s.namepass.patterns()));
  if (s.namedrop.matches(point.name))
    return fmt::format("namedrop: \"{}\" matches {}", point.name, listed(s.namedrop.patterns()));
  if (!s.matches(point.name, point.tags)) return why_not_tags(s, point.tags);
  std::vector<std::string> fields, patterns;
  for (const auto& [name, value] : point.fields) fields.push_back(name);
  for (const FieldFunctions& f : rule.fields) patterns.push_back(f.pattern);
  return fmt::format("no pattern of its fields ({}) takes a field of the line ({})", listed(patterns), listed(fields));
}

void explain_taken(const Rule& rule, const Point& point) {
  fmt::print("  {} ({}:{}) takes it\n", rule.name, rule.file, rule.line);
  std::vector<Tag> tags = rule.kept_tags(point.tags);
  tags.insert(tags.end(), rule.tags.begin(), rule.tags.end());
  std::sort(tags.begin(), tags.end());
  std::string group;
  append_measurement(group, rule.result_measurement(point.name));
  for (const auto& [key, value] : tags) append_tag_text(group += ',', key), append_tag_text(group += '=', value);
  fmt::print("    group    {}\n", group);
  fmt::print("    key      {}\n", key_text(key_of(rule, point.name, point.tags)));
  fmt::print("    windows  {} long, every {}, {} grace\n", format_duration(rule.period_ns),
             format_duration(rule.every_ns), format_duration(rule.grace_ns));
  for (const auto& [name, value] : point.fields) {
    std::vector<std::string> results;
    for (const FunctionSpec& f : rule.functions_of(name)) {
      bool skipped = !is_number(kind_of(value)) && !takes_any_type(f);
      results.push_back(rule.result_field(name, f) + (skipped ? " (skips this value: no number)" : ""));
    }
    if (results.empty()) continue;
    std::string all;
    for (const std::string& r : results) (all.empty() ? all : all += ", ") += r;
    fmt::print("    {:8} -> {}\n", name, all);
  }
  fmt::print("    the line {}\n", rule.mode == RuleMode::kPreview ? "passes through: the rule is in preview"
                                  : rule.drop_original            ? "is dropped (drop_original)"
                                                                  : "passes through");
}

bool explain(const RuleSet& rules, const std::string& text, bool all) {
  auto point = parse_line(text, Dialect::kTelegraf);
  if (!point) {
    fmt::print(stderr, "limpet explain: column {}: {}\n", point.error().offset + 1, point.error().text);
    return false;
  }
  fmt::print("{}\n", text);
  size_t taken = 0;
  std::vector<const Rule*> others;
  for (const Rule& rule : rules.rules()) {
    bool takes = rule.selector.matches(point->name, point->tags) &&
                 std::any_of(point->fields.begin(), point->fields.end(),
                             [&](const auto& f) { return rule.takes_field(f.first); });
    if (takes)
      explain_taken(rule, *point), taken++;
    else
      others.push_back(&rule);
  }
  if (taken == 0) fmt::print("  no rule takes it: it passes through\n");
  constexpr size_t kOthersShown = 20;
  for (size_t i = 0; i < others.size() && (all || i < kOthersShown); i++)
    fmt::print("  {} ({}:{}) does not: {}\n", others[i]->name, others[i]->file, others[i]->line,
               why_not(*others[i], *point));
  if (!all && others.size() > kOthersShown)
    fmt::print("  and {} more rules do not (--all shows them)\n", others.size() - kOthersShown);
  return true;
}

int run(const Arguments& arguments) {
  LoadedRules loaded = load_rule_files(arguments.rules, {}).loaded;
  for (const Diagnostic& d : loaded.diagnostics)
    if (d.severity == Diagnostic::Severity::kError) fmt::print(stderr, "{}\n", to_string(d));
  if (!loaded.ok()) return 1;
  bool good = true;
  for (const std::string& line : arguments.lines) good &= explain(*loaded.rules, line, arguments.all);
  return good ? 0 : 1;
}

}  // namespace

void add_explain_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("explain", "Say which rules take a line, and why the others do not");
  command->footer(std::string(kHelp) + "\n" + kExamples);
  command->add_option("--rules", arguments->rules, "Rules files, or patterns of their names")
      ->required()
      ->allow_extra_args(false)
      ->type_name("GLOB");
  command->add_option("lines", arguments->lines, "Lines of line protocol, quoted")->required()->type_name("LINE");
  command->add_flag("--all", arguments->all, "Show every rule that does not take the line");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace limpet
