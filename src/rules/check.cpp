// Judgements that need several functions of a rule, or several rules.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "rules/overlap.h"

namespace limpet {
namespace {

Diagnostic at_function(const DraftRule& draft, size_t function, std::string message) {
  auto [line, column] =
      function < draft.function_lines.size() ? draft.function_lines[function] : std::pair{draft.rule.line, 1};
  return {draft.rule.file, line, column, std::move(message), Diagnostic::Severity::kError};
}

bool is_histogram(const FunctionSpec& f) {
  return f.kind == FunctionKind::kHistogram || f.kind == FunctionKind::kHistogramBounds;
}
bool is_literal(const FieldFunctions& f) { return f.filter.is_literal(); }

// A result field that both rules write, or nothing.
std::string common_result(const Rule& a, const Rule& b) {
  for (const FieldFunctions& fa : a.fields) {
    for (const FieldFunctions& fb : b.fields) {
      std::string name_a = fa.pattern, name_b = fb.pattern;
      const std::string& shown = is_literal(fa) ? fa.pattern : fb.pattern;
      if (auto field = common_field(a, fa, b, fb))
        name_a = name_b = *field;
      else if (!is_literal(fa) || !is_literal(fb) || !a.takes_field(name_a) || !b.takes_field(name_b))
        continue;
      for (const FunctionSpec& x : fa.functions)
        for (const FunctionSpec& y : fb.functions)
          if (a.result_field(name_a, x) == b.result_field(name_b, y)) return a.result_field(shown, x);
    }
  }
  return {};
}

// What tells the series of two rules apart beside the measurement.
std::string output_key(const Rule& rule) {
  std::string key;
  for (const auto& [tag, value] : rule.tags) ((key += tag) += '=' + value) += '\0';
  key += std::to_string(static_cast<int>(rule.grouping));
  std::vector<std::string> patterns = rule.grouping_tags.patterns();
  std::sort(patterns.begin(), patterns.end());
  for (const std::string& p : patterns) (key += '\0') += p;
  return key;
}

bool is_open(const std::string& measurement) { return measurement.find("{measurement}") != measurement.npos; }

// Could both write one measurement, from one input measurement? Of those that are written differently names tell.
bool outputs_meet(const Rule& a, const Rule& b) {
  if (a.measurement == b.measurement) return names_meet(a.selector, b.selector);
  auto meet_at = [&](const std::string& name) {
    return takes_name(a.selector, name) && takes_name(b.selector, name) &&
           a.result_measurement(name) == b.result_measurement(name);
  };
  for (const Rule* rule : {&a, &b}) {
    const auto& names = rule->selector.namepass.patterns();
    if (names_literally(*rule) && std::any_of(names.begin(), names.end(), meet_at)) return true;
  }
  return false;
}

// Rules of one output_key(), by what they may write.
class Outputs {
 public:
  void add(const DraftRule& draft) {
    const Rule& rule = draft.rule;
    auto [it, fresh] = by_measurement_.try_emplace(rule.measurement);
    it->second.add(draft);
    if (fresh && is_open(rule.measurement)) open_.push_back(&it->second);
    if (names_literally(rule))
      for (const std::string& written : written_by(rule)) literal_[written].add(draft);
  }
  // All that may write what the rule writes.
  DraftList rivals(const Rule& rule) const {
    DraftList out;
    if (auto it = by_measurement_.find(rule.measurement); it != by_measurement_.end()) it->second.find(rule, out);
    if (names_literally(rule)) {
      for (const std::string& written : written_by(rule)) {
        if (auto it = literal_.find(written); it != literal_.end()) it->second.find(rule, out);
        if (auto it = by_measurement_.find(written); it != by_measurement_.end()) it->second.find(rule, out);
      }
      for (const RulesByName* open : open_) open->find(rule, out);
    } else if (is_open(rule.measurement)) {
      for (const auto& [written, drafts] : literal_) drafts.find(rule, out);
    } else if (auto it = literal_.find(rule.measurement); it != literal_.end()) {
      it->second.find(rule, out);
    }
    put_in_order(out);
    return out;
  }

 private:
  // By a rule that lists its names.
  static std::set<std::string> written_by(const Rule& rule) {
    std::set<std::string> out;
    for (const std::string& name : rule.selector.namepass.patterns()) out.insert(rule.result_measurement(name));
    return out;
  }

  std::unordered_map<std::string, RulesByName> by_measurement_;  // as written
  std::unordered_map<std::string, RulesByName> literal_;         // by what they write
  std::vector<const RulesByName*> open_;                         // with {measurement}
};

// A field that two entries of a rule take; each pair of them is asked for once.
std::optional<std::string> field_of_both(const Rule& rule, const FieldFunctions& field, const FieldFunctions& other) {
  if (is_literal(other) || &other == &field) return std::nullopt;
  if (is_literal(field)) return other.filter.matches(field.pattern) ? std::optional(field.pattern) : std::nullopt;
  return &other < &field ? common_field(rule, field, rule, other) : std::nullopt;
}

}  // namespace

void check_result_fields(const DraftRule& draft, std::vector<Diagnostic>& diagnostics) {
  const Rule& rule = draft.rule;
  struct Writer {
    const FieldFunctions* field;
    const FunctionSpec* function;
    std::string input;
  };
  std::map<std::string, Writer> written;
  size_t index = 0;
  for (const FieldFunctions& field : rule.fields) {
    for (const FunctionSpec& function : field.functions) {
      size_t at = index++;
      std::string name = rule.result_field(field.pattern, function);
      auto [it, fresh] = written.try_emplace(name, Writer{&field, &function, field.pattern});
      if (!fresh) {
        if (is_histogram(function) && is_histogram(*it->second.function) && it->second.field == &field)
          diagnostics.push_back(at_function(draft, at,
                                            "two histograms on the field \"" + field.pattern +
                                                "\": one is possible, \"" + function.text + "\" is the second"));
        else
          diagnostics.push_back(
              at_function(draft, at,
                          "\"" + function.text + "\" of \"" + field.pattern + "\" and \"" + it->second.function->text +
                              "\" of \"" + it->second.input + "\" both give the result field \"" + name +
                              "\": take one away, or let \"field_name\" hold {field} and {function}"));
        continue;
      }
      // Patterns that take the same field: the same function is welcome, another is not.
      for (const FieldFunctions& other : rule.fields) {
        std::optional<std::string> common = field_of_both(rule, field, other);
        if (!common) continue;
        for (const FunctionSpec& second : other.functions)
          if (std::string both = rule.result_field(*common, function);
              second != function && rule.result_field(*common, second) == both)
            diagnostics.push_back(at_function(
                draft, at,
                "\"" + function.text + "\" of \"" + field.pattern + "\" and \"" + second.text + "\" of \"" +
                    other.pattern + "\" both give the result field \"" + both + "\" of the field \"" + *common + "\""));
      }
    }
  }
}

void check_names(const std::vector<DraftRule>& drafts, std::vector<Diagnostic>& diagnostics) {
  std::unordered_map<std::string, const DraftRule*> first;
  for (const DraftRule& draft : drafts) {
    if (draft.rule.name.empty()) continue;
    auto [it, fresh] = first.try_emplace(draft.rule.name, &draft);
    if (fresh) continue;
    diagnostics.push_back({draft.rule.file, draft.name_line, draft.name_column,
                           "there is already a rule named \"" + draft.rule.name + "\" at " + it->second->rule.file +
                               ":" + std::to_string(it->second->name_line) + "; names must be unique",
                           Diagnostic::Severity::kError});
  }
}

void check_collisions(const std::vector<DraftRule>& drafts, std::vector<Diagnostic>& diagnostics) {
  std::unordered_map<std::string, Outputs> outputs;
  for (const DraftRule& draft : drafts) {
    const Rule& rule = draft.rule;
    if (rule.mode != RuleMode::kOn || !draft.read) continue;  // in preview nothing is written
    Outputs& same = outputs[output_key(rule)];
    for (const DraftRule* rival : same.rivals(rule)) {
      if (tags_differ(rival->rule.selector, rule.selector) || !outputs_meet(rival->rule, rule)) continue;
      std::string field = common_result(rival->rule, rule);
      if (field.empty()) continue;
      diagnostics.push_back({rule.file, draft.name_line, draft.name_column,
                             "rule \"" + rule.name + "\" and rule \"" + rival->rule.name + "\" (" + rival->rule.file +
                                 ":" + std::to_string(rival->name_line) +
                                 ") take the same lines and write the same result field \"" + field +
                                 "\": give one of them another \"measurement\", \"field_name\" or \"tags\"",
                             Diagnostic::Severity::kError});
      break;
    }
    same.add(draft);
  }
}

}  // namespace limpet
