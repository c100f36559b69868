// Judgements that need several functions of a rule, or several rules.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "rules/build.h"

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

// Texts that a pattern takes, as far as they are easily found: none for one with lists or alternatives. Where it leaves
// a letter open stands one that no other pattern asks for, so that x* and *y, which meet only in some data, do not.
std::vector<std::string> samples_of(const std::string& pattern, bool literal) {
  if (literal) return {pattern};
  if (pattern.find_first_of("[{\\") != pattern.npos) return {};
  std::vector<std::string> out;
  constexpr char kAny = '\x01';
  for (const std::string& star : {std::string(), std::string(1, kAny)}) {
    std::string& text = out.emplace_back();
    for (char c : pattern) c == '*' ? text += star : text += c == '?' ? kAny : c;
  }
  return out;
}

// Whatever two patterns take, it differs within what they begin with.
bool begin_differently(const std::string& a, const std::string& b) {
  size_t n = std::min(a.find_first_of("*?[{\\"), b.find_first_of("*?[{\\"));
  n = std::min({n, a.size(), b.size()});
  return a.compare(0, n, b, 0, n) != 0;
}

// A field that both take, a pattern of theirs each: its name, or if only the patterns say that there is one, theirs.
std::optional<std::string> common_field(const Rule& a, const FieldFunctions& fa, const Rule& b,
                                        const FieldFunctions& fb) {
  if (begin_differently(fa.pattern, fb.pattern)) return std::nullopt;
  for (const FieldFunctions* f : {&fa, &fb})
    for (std::string& text : samples_of(f->pattern, is_literal(*f)))
      if (fa.filter.matches(text) && fb.filter.matches(text) && a.takes_field(text) && b.takes_field(text))
        return std::move(text);
  if (fa.pattern == fb.pattern && !is_literal(fa) && samples_of(fa.pattern, false).empty()) return fa.pattern;
  return std::nullopt;
}

// Could one input measurement be taken by both?
bool names_meet(const Selector& a, const Selector& b) {
  if (a.namepass.empty() && b.namepass.empty()) return true;
  auto passes = [](const Selector& s, const std::string& name) {
    return (s.namepass.empty() || s.namepass.matches(name)) && !s.namedrop.matches(name);
  };
  auto may_meet = [](const std::string& p, const Filter& other) {
    return other.empty() || std::any_of(other.patterns().begin(), other.patterns().end(),
                                        [&](const std::string& q) { return p == q || !begin_differently(p, q); });
  };
  for (auto [from, other] : {std::pair{&a, &b}, {&b, &a}}) {
    for (const std::string& pattern : from->namepass.patterns()) {
      if (!may_meet(pattern, other->namepass)) continue;
      std::vector<std::string> samples = samples_of(pattern, from->namepass.is_literal());
      if (std::any_of(samples.begin(), samples.end(),
                      [&](const std::string& name) { return passes(a, name) && passes(b, name); }))
        return true;
      const auto& same = other->namepass.patterns();
      bool listed = other->namepass.empty() || std::find(same.begin(), same.end(), pattern) != same.end();
      if (samples.empty() && listed) return true;
    }
  }
  return false;
}

// Told apart by the literal values of one tag.
bool tags_differ(const Selector& a, const Selector& b) {
  if (a.tagpass.size() != 1 || b.tagpass.size() != 1 || a.tagpass[0].first != b.tagpass[0].first) return false;
  const Filter& fa = a.tagpass[0].second;
  const Filter& fb = b.tagpass[0].second;
  if (!fa.is_literal() || !fb.is_literal()) return false;
  return std::none_of(fa.patterns().begin(), fa.patterns().end(), [&](const std::string& v) { return fb.matches(v); });
}

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

std::string output_key(const Rule& rule) {
  std::string key = rule.measurement;
  for (const auto& [tag, value] : rule.tags) ((key += '\0') += tag) += '=' + value;
  key += std::string(1, '\0') + std::to_string(static_cast<int>(rule.grouping));
  std::vector<std::string> patterns = rule.grouping_tags.patterns();
  std::sort(patterns.begin(), patterns.end());
  for (const std::string& p : patterns) (key += '\0') += p;
  return key;
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
      for (const FieldFunctions& other :
           rule.fields) {  // patterns that take the same field: the same function is welcome, another is not
        if (&other == &field || !is_literal(field) || is_literal(other) || !other.filter.matches(field.pattern))
          continue;
        for (const FunctionSpec& second : other.functions)
          if (second != function && rule.result_field(field.pattern, second) == name)
            diagnostics.push_back(at_function(draft, at,
                                              "\"" + function.text + "\" of \"" + field.pattern + "\" and \"" +
                                                  second.text + "\" of \"" + other.pattern +
                                                  "\" both give the result field \"" + name + "\" of the field \"" +
                                                  field.pattern + "\""));
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
  struct Bucket {
    std::unordered_map<std::string, std::vector<const DraftRule*>> by_name;
    std::vector<const DraftRule*> other;
    std::vector<const DraftRule*> all;
  };
  std::unordered_map<std::string, Bucket> buckets;
  for (const DraftRule& draft : drafts) {
    if (draft.rule.mode == RuleMode::kOff || !draft.read) continue;
    Bucket& bucket = buckets[output_key(draft.rule)];
    std::set<const DraftRule*> rivals(bucket.other.begin(), bucket.other.end());
    const Filter& names = draft.rule.selector.namepass;
    bool literal = !names.empty() && names.is_literal();
    if (literal) {
      for (const std::string& name : names.patterns())
        if (auto it = bucket.by_name.find(name); it != bucket.by_name.end())
          rivals.insert(it->second.begin(), it->second.end());
    } else {
      rivals.insert(bucket.all.begin(), bucket.all.end());
    }
    const DraftRule* found = nullptr;
    std::string field;
    for (const DraftRule* rival : bucket.all) {
      if (!rivals.contains(rival) || !names_meet(rival->rule.selector, draft.rule.selector) ||
          tags_differ(rival->rule.selector, draft.rule.selector))
        continue;
      field = common_result(rival->rule, draft.rule);
      if (!field.empty()) {
        found = rival;
        break;
      }
    }
    if (found)
      diagnostics.push_back({draft.rule.file, draft.name_line, draft.name_column,
                             "rule \"" + draft.rule.name + "\" and rule \"" + found->rule.name + "\" (" +
                                 found->rule.file + ":" + std::to_string(found->name_line) +
                                 ") take the same lines and write the same result field \"" + field +
                                 "\": give one of them another \"measurement\", \"field_name\" or \"tags\"",
                             Diagnostic::Severity::kError});
    bucket.all.push_back(&draft);
    if (!literal)
      bucket.other.push_back(&draft);
    else
      for (const std::string& name : names.patterns()) bucket.by_name[name].push_back(&draft);
  }
}

void check_drops(const std::vector<DraftRule>& drafts, std::vector<Diagnostic>& diagnostics) {
  for (const DraftRule& draft : drafts) {
    const Rule& rule = draft.rule;
    if (!rule.drop_original || rule.mode != RuleMode::kOn) continue;
    bool all =
        rule.fieldinclude.empty() && rule.fieldexclude.empty() &&
        std::any_of(rule.fields.begin(), rule.fields.end(), [](const FieldFunctions& f) { return f.pattern == "*"; });
    if (all) continue;
    std::string patterns;
    for (const FieldFunctions& f : rule.fields) (patterns.empty() ? patterns : patterns += ", ") += f.pattern;
    diagnostics.push_back({rule.file, draft.name_line, draft.name_column,
                           "rule \"" + rule.name + "\" drops the lines it takes; their fields other than " + patterns +
                               " are lost unless another rule aggregates them",
                           Diagnostic::Severity::kWarning});
  }
}

}  // namespace limpet
