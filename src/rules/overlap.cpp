#include "rules/overlap.h"

#include <algorithm>
#include <functional>

namespace limpet {
namespace {

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

// All that a pattern takes begins with it. Of a list of names: the name.
std::string_view beginning_of(std::string_view pattern, bool literal = false) {
  return literal ? pattern : pattern.substr(0, pattern.find_first_of("*?[{\\"));
}

// Whatever two patterns take, it differs within what they begin with.
bool begin_differently(std::string_view a, std::string_view b) {
  a = beginning_of(a), b = beginning_of(b);
  size_t n = std::min(a.size(), b.size());
  return a.substr(0, n) != b.substr(0, n);
}

// Of the measurements that a rule takes.
std::vector<std::string_view> beginnings_of(const Rule& rule) {
  const Filter& names = rule.selector.namepass;
  if (names.empty()) return {std::string_view()};
  std::vector<std::string_view> out;
  for (const std::string& pattern : names.patterns()) out.push_back(beginning_of(pattern, names.is_literal()));
  return out;
}

// Every text that `narrow` takes, `wide` takes; an empty list of `narrow` takes all.
bool covers(const Filter& wide, const Filter& narrow) {
  if (wide == narrow) return true;
  const auto& patterns = wide.patterns();
  auto listed = [&](const std::string& p) { return std::find(patterns.begin(), patterns.end(), p) != patterns.end(); };
  if (wide.separators().empty() && listed("*")) return true;
  const auto& wanted = narrow.patterns();
  if (narrow.empty()) return false;
  if (narrow.is_literal())
    return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& p) { return wide.matches(p); });
  return !wide.is_literal() && wide.separators() == narrow.separators() &&
         std::all_of(wanted.begin(), wanted.end(), listed);
}

}  // namespace

bool names_literally(const Rule& rule) {
  return !rule.selector.namepass.empty() && rule.selector.namepass.is_literal();
}

bool takes_name(const Selector& selector, const std::string& name) {
  return (selector.namepass.empty() || selector.namepass.matches(name)) && !selector.namedrop.matches(name);
}

bool names_meet(const Selector& a, const Selector& b) {
  if (a.namepass.empty() && b.namepass.empty()) return true;
  auto may_meet = [](const std::string& p, const Filter& other) {
    return other.empty() || std::any_of(other.patterns().begin(), other.patterns().end(),
                                        [&](const std::string& q) { return p == q || !begin_differently(p, q); });
  };
  for (auto [from, other] : {std::pair{&a, &b}, {&b, &a}}) {
    for (const std::string& pattern : from->namepass.patterns()) {
      if (!may_meet(pattern, other->namepass)) continue;
      std::vector<std::string> samples = samples_of(pattern, from->namepass.is_literal());
      if (std::any_of(samples.begin(), samples.end(),
                      [&](const std::string& name) { return takes_name(a, name) && takes_name(b, name); }))
        return true;
      const auto& same = other->namepass.patterns();
      bool listed = other->namepass.empty() || std::find(same.begin(), same.end(), pattern) != same.end();
      if (samples.empty() && listed) return true;
    }
  }
  return false;
}

bool tags_differ(const Selector& a, const Selector& b) {
  if (a.tagpass.size() != 1 || b.tagpass.size() != 1 || a.tagpass[0].first != b.tagpass[0].first) return false;
  const Filter& fa = a.tagpass[0].second;
  const Filter& fb = b.tagpass[0].second;
  if (!fa.is_literal() || !fb.is_literal()) return false;
  return std::none_of(fa.patterns().begin(), fa.patterns().end(), [&](const std::string& v) { return fb.matches(v); });
}

bool covers(const Selector& wide, const Selector& narrow) {
  if (!wide.tagpass.empty() && wide.tagpass != narrow.tagpass) return false;
  if (!wide.tagdrop.empty() && wide.tagdrop != narrow.tagdrop) return false;
  if (!wide.namepass.empty() && !covers(wide.namepass, narrow.namepass)) return false;
  if (wide.namedrop.empty() || wide.namedrop == narrow.namedrop) return true;
  const auto& names = narrow.namepass.patterns();
  return !names.empty() && narrow.namepass.is_literal() &&
         std::none_of(names.begin(), names.end(), [&](const std::string& n) { return wide.namedrop.matches(n); });
}

std::optional<std::string> common_field(const Rule& a, const FieldFunctions& fa, const Rule& b,
                                        const FieldFunctions& fb) {
  if (begin_differently(fa.pattern, fb.pattern)) return std::nullopt;
  for (const FieldFunctions* f : {&fa, &fb})
    for (std::string& text : samples_of(f->pattern, f->filter.is_literal()))
      if (fa.filter.matches(text) && fb.filter.matches(text) && a.takes_field(text) && b.takes_field(text))
        return std::move(text);
  if (fa.pattern == fb.pattern && !fa.filter.is_literal() && samples_of(fa.pattern, false).empty()) return fa.pattern;
  return std::nullopt;
}

void put_in_order(DraftList& drafts) {
  if (std::ranges::adjacent_find(drafts, std::greater_equal()) == drafts.end()) return;
  std::sort(drafts.begin(), drafts.end());
  drafts.erase(std::unique(drafts.begin(), drafts.end()), drafts.end());
}

void RulesByName::add(const DraftRule& draft) {
  auto& index = names_literally(draft.rule) ? names_ : beginnings_;
  for (std::string_view beginning : beginnings_of(draft.rule)) index[std::string(beginning)].push_back(&draft);
}

void RulesByName::find(const Rule& rule, DraftList& out) const {
  auto append = [&](const DraftList& drafts) { out.insert(out.end(), drafts.begin(), drafts.end()); };
  bool literal = names_literally(rule);
  for (std::string_view beginning : beginnings_of(rule)) {
    // Patterns that begin with less,
    for (size_t size = 0; size < beginning.size(); size++)
      if (auto it = beginnings_.find(beginning.substr(0, size)); it != beginnings_.end()) append(it->second);
    // and what begins with it: of a name that is listed only what is that name.
    for (const auto* index : {&names_, &beginnings_})
      for (auto it = index->lower_bound(beginning); it != index->end() && it->first.starts_with(beginning); ++it) {
        if (literal && it->first.size() > beginning.size()) break;
        append(it->second);
      }
  }
}

}  // namespace limpet
