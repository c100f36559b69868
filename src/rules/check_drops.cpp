// Which fields of the lines that a rule drops nothing aggregates.
#include <algorithm>

#include "rules/overlap.h"

namespace limpet {
namespace {

constexpr size_t kRulesNamed = 3;  // beside the one that drops

bool has(const std::vector<std::string>& patterns, const std::string& pattern) {
  return std::find(patterns.begin(), patterns.end(), pattern) != patterns.end();
}

bool has_pattern(const Rule& rule, const std::string& pattern) {
  return std::any_of(rule.fields.begin(), rule.fields.end(),
                     [&](const FieldFunctions& f) { return f.pattern == pattern; });
}

// Surely one of the rules takes every field that the pattern does.
bool take(const std::vector<const Rule*>& rules, const std::string& pattern, bool literal) {
  return std::any_of(rules.begin(), rules.end(), [&](const Rule* rule) {
    if (literal) return rule->takes_field(pattern);
    if (!rule->fieldexclude.empty()) return false;
    return rule->fieldinclude.empty() ? has_pattern(*rule, pattern)
                                      : has_pattern(*rule, "*") && has(rule->fieldinclude.patterns(), pattern);
  });
}

// Surely the rules together take all fields.
bool take_all(const std::vector<const Rule*>& rules) {
  return std::any_of(rules.begin(), rules.end(), [&](const Rule* rule) {
    const auto& left_out = rule->fieldexclude.patterns();
    return has_pattern(*rule, "*") && rule->fieldinclude.empty() &&
           std::all_of(left_out.begin(), left_out.end(), [&](const std::string& pattern) {
             return take(rules, pattern, rule->fieldexclude.is_literal());
           });
  });
}

// The rule's patterns that none of the others surely takes.
std::vector<std::string> added_to(const std::vector<const Rule*>& others, const Rule& rule) {
  std::vector<std::string> patterns;
  for (const FieldFunctions& f : rule.fields)
    if (!take(others, f.pattern, f.filter.is_literal())) patterns.push_back(f.pattern);
  return patterns;
}

std::string listed(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) (out.empty() ? out : out += ", ") += text;
  return out;
}

// "usage_*, load (rule "b", limited by fieldexclude usage_idle)": what it adds to the rules before it.
std::string fields_of(const Rule& rule, const std::vector<const Rule*>& before) {
  std::vector<std::string> limits, notes;
  if (!rule.fieldinclude.empty()) limits.push_back("fieldinclude " + listed(rule.fieldinclude.patterns()));
  if (!rule.fieldexclude.empty()) limits.push_back("fieldexclude " + listed(rule.fieldexclude.patterns()));
  if (!before.empty()) notes.push_back("rule \"" + rule.name + "\"");
  if (!limits.empty()) notes.push_back("limited by " + limits[0] + (limits.size() > 1 ? " and " + limits[1] : ""));
  return listed(added_to(before, rule)) + (notes.empty() ? "" : " (" + listed(notes) + ")");
}

std::string fields_of(const std::vector<const Rule*>& rules) {
  std::vector<std::string> texts;
  std::vector<const Rule*> before;
  for (const Rule* rule : rules) {
    if (before.size() > kRulesNamed) break;
    texts.push_back(fields_of(*rule, before));
    before.push_back(rule);
  }
  if (rules.size() > before.size())
    texts.push_back("and those of " + std::to_string(rules.size() - before.size()) + " more");
  return listed(texts);
}

}  // namespace

void check_drops(const std::vector<DraftRule>& drafts, std::vector<Diagnostic>& diagnostics) {
  RulesByName by_name;
  for (const DraftRule& draft : drafts)
    if (draft.rule.mode == RuleMode::kOn) by_name.add(draft);
  for (const DraftRule& draft : drafts) {
    const Rule& rule = draft.rule;
    if (!rule.drop_original || rule.mode != RuleMode::kOn || !draft.read || take_all({&rule})) continue;
    std::vector<const Rule*> surely{&rule};  // take whatever lines this one takes
    bool perhaps_more = false;
    DraftList others;
    by_name.find(rule, others);
    put_in_order(others);
    for (const DraftRule* other : others) {
      const Selector& selector = other->rule.selector;
      if (other == &draft) continue;
      if (other->read && covers(selector, rule.selector)) {
        if (!added_to(surely, other->rule).empty()) surely.push_back(&other->rule);
      } else if (!perhaps_more) {
        perhaps_more = !other->read || (names_meet(selector, rule.selector) && !tags_differ(selector, rule.selector));
      }
    }
    if (take_all(surely)) continue;
    diagnostics.push_back({rule.file, draft.name_line, draft.name_column,
                           "rule \"" + rule.name + "\" drops the lines it takes; their fields other than " +
                               fields_of(surely) + " are lost" +
                               (perhaps_more ? " unless another rule aggregates them" : ""),
                           Diagnostic::Severity::kWarning});
  }
}

}  // namespace limpet
