#include "rules/overlap.h"

#include <algorithm>
#include <functional>

namespace limpet {
namespace {

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

// What takes all texts, as a rule without namepass does.
const Filter& everything() {
  static const Filter kEverything = *Filter::compile({"**"});
  return kEverything;
}

// Some text that a pattern of one list and any of another take, a star of the former as in Filter::common_text(),
// passes the test. If only the other list is literal it is for that list's names to be tried.
template <typename Test>
bool any_common(const Filter& from, size_t pattern, const Filter& other, const Test& passes) {
  const std::string& text = from.patterns()[pattern];
  if (from.is_literal()) return passes(text);
  if (other.is_literal()) return false;
  for (size_t i = 0; i < other.patterns().size(); i++) {
    if (begin_differently(text, other.patterns()[i])) continue;
    for (StarOf star : {StarOf::kNothing, StarOf::kLetter}) {
      auto found = from.common_text(pattern, other, i, star);
      if (!found) break;
      if (passes(*found)) return true;
    }
  }
  return false;
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
  auto both_take = [&](const std::string& name) { return takes_name(a, name) && takes_name(b, name); };
  for (auto [from, other] : {std::pair{&a, &b}, {&b, &a}}) {
    const Filter& others = other->namepass.empty() ? everything() : other->namepass;
    for (size_t i = 0; i < from->namepass.patterns().size(); i++)
      if (any_common(from->namepass, i, others, both_take)) return true;
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
  std::optional<std::string> common;
  auto both_take = [&](const std::string& name) {
    bool taken = fa.filter.matches(name) && fb.filter.matches(name) && a.takes_field(name) && b.takes_field(name);
    if (taken) common = name;
    return taken;
  };
  if (!any_common(fa.filter, 0, fb.filter, both_take)) any_common(fb.filter, 0, fa.filter, both_take);
  return common;
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
