#include "service/rule_test.h"

#include <toml++/toml.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <span>

#include "base/limits.h"
#include "base/suggest.h"
#include "engine/engine.h"
#include "io/files.h"
#include "lineproto/format.h"
#include "lineproto/parse.h"
#include "rules/parse_toml.h"
#include "service/config_keys.h"
#include "service/load_rule_files.h"

namespace limpet {
namespace {

constexpr std::string_view kFileKeys[] = {"rules", "rules_text", "test"};
constexpr std::string_view kTestKeys[] = {"name", "input", "expect", "written_back", "dropped", "step"};
constexpr std::string_view kStepKeys[] = {"input", "clock", "reload", "end", "silent", "expect", "written_back"};

// Equal, but for the last digits of floats.
bool same_value(const Value& a, const Value& b) {
  const double* x = std::get_if<double>(&a);
  const double* y = std::get_if<double>(&b);
  if (!x || !y) return a == b;
  return *x == *y || std::fabs(*x - *y) <= 1e-9 * std::max(std::fabs(*x), std::fabs(*y));
}

bool same_point(const Point& a, const Point& b) {
  if (a.name != b.name || a.tags != b.tags || a.time_ns != b.time_ns || a.fields.size() != b.fields.size())
    return false;
  return std::all_of(a.fields.begin(), a.fields.end(), [&](const auto& field) {
    return std::any_of(b.fields.begin(), b.fields.end(), [&](const auto& other) {
      return field.first == other.first && same_value(field.second, other.second);
    });
  });
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    LineEnd end = find_line_end(text, Dialect::kTelegraf);
    std::string_view line = text.substr(0, end.size);
    if (!is_blank(line, Dialect::kTelegraf)) lines.emplace_back(line);
    text.remove_prefix(end.next);
  }
  return lines;
}

// `-` for what was expected and did not come, `+` for what came unexpected. Empty: as expected.
std::string difference(std::string_view expected, std::string_view got) {
  std::vector<std::string> missing = lines_of(expected), extra;
  for (std::string& line : lines_of(got)) {
    auto point = parse_line(line, Dialect::kTelegraf);
    auto it = std::find_if(missing.begin(), missing.end(), [&](const std::string& m) {
      auto wanted = parse_line(m, Dialect::kTelegraf);
      return wanted && point && same_point(*wanted, *point);
    });
    if (it != missing.end())
      missing.erase(it);
    else
      extra.push_back(std::move(line));
  }
  std::string out;
  for (const std::string& line : missing) out += "  - " + line + "\n";
  for (const std::string& line : extra) out += "  + " + line + "\n";
  return out;
}

// Of lines whose order and bytes matter.
std::string order_difference(std::string_view expected, std::string_view got) {
  std::string out;
  for (const std::string& line : lines_of(expected)) out += "  - " + line + "\n";
  for (const std::string& line : lines_of(got)) out += "  + " + line + "\n";
  return out;
}

class TestFile {
 public:
  TestFile(const std::string& path, Log& log, RuleTestReport& report) : path_(path), log_(log), report_(report) {}

  void run() {
    auto text = read_file(path_);
    if (!text) return report_.diagnostics.push_back({path_, 0, 0, text.error(), Diagnostic::Severity::kError});
    toml::table root;
    try {
      root = parse_toml({path_, *text});
    } catch (const toml::parse_error& e) {
      return error(e.source(), std::string(e.description()));
    }
    check_keys(root, "a test file", kFileKeys);
    load(root);
    const toml::array* tests = root["test"].as_array();
    if (!tests) return error(root.source(), "there is no [[test]]");
    for (const toml::node& test : *tests)
      if (const toml::table* table = test.as_table()) one(*table);
  }

 private:
  void error(const toml::source_region& at, std::string message) {
    report_.diagnostics.push_back({path_, static_cast<int>(at.begin.line), static_cast<int>(at.begin.column),
                                   std::move(message), Diagnostic::Severity::kError});
  }
  void check_keys(const toml::table& table, std::string_view where, std::span<const std::string_view> known) {
    for (const auto& [key, value] : table)
      if (std::find(known.begin(), known.end(), key.str()) == known.end())
        error(key.source(), "unknown key \"" + std::string(key.str()) + "\" in " + std::string(where) +
                                did_you_mean(key.str(), known));
  }
  // A value of another kind would be taken for none, and the test for one that expects nothing.
  void check_kinds(const toml::table& table) {
    for (const auto& [key, value] : table) {
      std::string_view name = key.str();
      auto must = [&, at = &value](bool good, std::string_view what) {
        if (!good) error(at->source(), "\"" + std::string(name) + "\" must be " + std::string(what));
      };
      if (name == "end" || name == "silent") must(value.is_boolean(), "true or false");
      if (name == "dropped") must(value.is_table(), "a table, as in dropped = { RULE = { late = 1 } }");
      if (name == "dropped" && value.is_table()) check_reasons(*value.as_table());
      if (name == "step") must(value.is_array_of_tables(), "written as [[test.step]]");
      for (std::string_view text : {"name", "input", "expect", "written_back", "reload"})
        if (name == text) must(value.is_string(), "a text in quotes; of several lines in \"\"\"");
    }
  }

  // A count under a name that is none would not be compared with anything.
  void check_reasons(const toml::table& dropped) {
    std::vector<std::string_view> known;
    for (size_t i = 0; i < kDropReasons; i++) known.push_back(reason(static_cast<Drop>(i)));
    for (const auto& [rule, counts] : dropped) {
      const toml::table* table = counts.as_table();
      if (!table) {
        error(counts.source(), "\"" + std::string(rule.str()) + "\" must be a table, as in { late = 1 }");
        continue;
      }
      check_keys(*table, "\"dropped\"", known);
      for (const auto& [why, count] : *table)
        if (!count.is_integer()) error(count.source(), "\"" + std::string(why.str()) + "\" must be a whole number");
    }
  }

  void load(const toml::table& root) {
    if (auto text = root["rules_text"].value<std::string>())
      return take(load_rules({{path_ + " (rules_text)", *text}}));
    std::vector<std::string> patterns;
    if (const toml::array* array = root["rules"].as_array())
      for (const toml::node& p : *array) patterns.push_back(p.value_or(std::string()));
    if (patterns.empty())
      return error(root.source(), "\"rules\" must list the rules files, as in rules = [\"http.toml\"]");
    take(load_rule_files(patterns, directory_of(path_)).loaded);
  }
  void take(const LoadedRules& loaded) {
    report_errors(loaded);
    rules_ = loaded.rules;
  }
  void report_errors(const LoadedRules& loaded) {
    for (const Diagnostic& d : loaded.diagnostics)
      if (d.severity == Diagnostic::Severity::kError) report_.diagnostics.push_back(d);
  }

  void one(const toml::table& test) {
    size_t errors_before = report_.diagnostics.size();
    check_keys(test, "[[test]]", kTestKeys);
    check_kinds(test);
    report_.tests++;
    name_ = test["name"].value_or(std::string("(without a name)"));
    std::string failed = rules_ ? play(test) : "  there are no rules: see the errors\n";
    if (report_.diagnostics.size() > errors_before) failed += "  it has errors\n";
    if (!failed.empty()) report_.failures.push_back({name_, failed});
  }

  // What is not as expected; empty: nothing.
  std::string play(const toml::table& test) {
    EngineOptions options;
    options.clock = ClockSource::kData;
    Engine engine(options, log_);
    engine.set_rules(rules_, {});
    std::string failed;
    if (const toml::array* steps = test["step"].as_array()) {
      size_t n = 0;
      for (const toml::node& step : *steps) {
        if (!step.is_table()) continue;
        check_keys(*step.as_table(), "[[test.step]]", kStepKeys);
        check_kinds(*step.as_table());
        std::string found = this->step(engine, *step.as_table());
        n++;
        if (!found.empty()) failed += "  step " + std::to_string(n) + ":\n" + found;
      }
    }
    if (auto input = test["input"].value<std::string>()) failed += feed(engine, *input);
    if (test.contains("expect") || !test.contains("step")) {
      engine.stop(StopMode::kAll, {});
      failed += compare(engine, test);
    }
    failed += compare_dropped(engine, test);
    if (!engine.ledger().balances()) failed += "  the ledger does not balance: " + engine.ledger().to_json() + "\n";
    return failed;
  }

  std::string step(Engine& engine, const toml::table& table) {
    if (auto text = table["reload"].value<std::string>()) {
      LoadedRules loaded = load_rules({{path_ + " (reload)", *text}});
      report_errors(loaded);
      if (loaded.rules) engine.set_rules(loaded.rules, {});  // of this test only
    }
    std::string bad;
    if (auto input = table["input"].value<std::string>()) bad = feed(engine, *input);
    if (auto clock = clock_of(table)) engine.advance({*clock});
    if (table["end"].value_or(false)) engine.stop(StopMode::kAll, {});
    return table["silent"].value_or(false) ? bad : bad + compare(engine, table);
  }

  std::optional<int64_t> clock_of(const toml::table& table) {
    const toml::node* node = table.get("clock");
    if (!node) return std::nullopt;
    if (auto ns = node->value_exact<int64_t>()) return ns;
    if (auto date = node->value_exact<toml::date_time>()) {
      auto days = std::chrono::sys_days(std::chrono::year(date->date.year) / date->date.month / date->date.day)
                      .time_since_epoch()
                      .count();
      int64_t minutes = date->offset ? date->offset->minutes : 0;
      int64_t seconds = (days * 24 + date->time.hour) * 3600 + (date->time.minute - minutes) * 60 + date->time.second;
      return seconds * kSecondNs + date->time.nanosecond;
    }
    error(node->source(), "\"clock\" must be a time: ns since 1970, or a date-time such as 2026-11-20T12:00:00Z");
    return std::nullopt;
  }

  // In pieces that end behind each line which may be bad, since of a block the engine tells the first bad line alone.
  // Returns what is wrong with them.
  static std::string feed(Engine& engine, std::string_view text) {
    std::string out;
    auto newlines = [](std::string_view lines) { return std::count(lines.begin(), lines.end(), '\n'); };
    ptrdiff_t line = 1;
    for (std::string_view rest = text; !rest.empty();) {
      size_t size = 0, last = 0;
      for (bool good = true; good && size < rest.size();) {
        last = size;
        LineEnd end = find_line_end(rest.substr(size), Dialect::kTelegraf);
        good = is_surely_good(rest.substr(size, end.size));
        size += end.next;
      }
      out += feed_piece(engine, rest.substr(0, size), line + newlines(rest.substr(0, last)));
      line += newlines(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    return out;
  }

  // A line without a time is bad where none before it has one.
  static bool is_surely_good(std::string_view line) {
    if (is_blank(line, Dialect::kTelegraf)) return true;
    auto point = parse_line(line, Dialect::kTelegraf);
    return point && point->time_ns && point->tags.size() <= limits::kTagsMax && line.size() <= limits::kLineBytesMax;
  }

  // Of the piece at most the last line is bad, which has that number.
  static std::string feed_piece(Engine& engine, std::string_view piece, ptrdiff_t line) {
    std::string text(piece);
    text.append(kBlockPadding, '\0');
    Block block;
    block.text = std::string_view(text).substr(0, piece.size());
    block.last = true;
    IngestResult result = engine.ingest(block, {});
    if (result.bad == 0) return {};
    std::ranges::replace(result.first_error.text, '\n', ' ');
    return "  line " + std::to_string(line) + " of the input, column " + std::to_string(result.first_error.offset + 1) +
           ": " + result.first_error.text + "\n";
  }

  std::string compare(Engine& engine, const toml::table& table) {
    engine.emit(SIZE_MAX);
    std::string out;
    if (table.contains("expect") || !table.contains("written_back")) {
      out = difference(table["expect"].value_or(std::string()), engine.results());
      engine.results().clear();
    }
    if (auto wanted = table["written_back"].value<std::string>()) {
      if (lines_of(*wanted) != lines_of(engine.written_back())) out += order_difference(*wanted, engine.written_back());
      engine.written_back().clear();
    }
    return out;
  }

  std::string compare_dropped(Engine& engine, const toml::table& test) {
    const toml::table* wanted = test["dropped"].as_table();
    if (!wanted) return {};
    std::string out;
    for (const auto& [rule, reasons] : *wanted) {
      const auto& rules = engine.ledger().rules;
      auto it = rules.find(std::string(rule.str()));
      if (it == rules.end()) return "  there is no rule \"" + std::string(rule.str()) + "\"\n";
      for (size_t i = 0; i < kDropReasons; i++) {
        std::string_view why = reason(static_cast<Drop>(i));
        const toml::table* counts = reasons.as_table();
        auto n = static_cast<uint64_t>(counts ? (*counts)[why].value_or(int64_t{0}) : 0);
        if (n != it->second.dropped[i])
          out += "  dropped as " + std::string(why) + ": expected " + std::to_string(n) + ", got " +
                 std::to_string(it->second.dropped[i]) + "\n";
      }
    }
    return out;
  }

  std::string path_;
  Log& log_;
  RuleTestReport& report_;
  std::shared_ptr<const RuleSet> rules_;
  std::string name_;
};

}  // namespace

bool looks_like_rule_test(const SourceFile& file) {
  return has_array_of_tables(file, "test") && !has_array_of_tables(file, "rule");
}

RuleTestReport run_rule_tests(const std::string& path, Log& log) {
  RuleTestReport report;
  TestFile(path, log, report).run();
  return report;
}

}  // namespace limpet
