#include "rules/rule.h"

#include <algorithm>

#include "lineproto/format.h"

namespace limpet {
namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

bool is_histogram(const FunctionSpec& f) {
  return f.kind == FunctionKind::kHistogram || f.kind == FunctionKind::kHistogramBounds;
}

}  // namespace

bool Rule::has_histogram() const {
  return std::any_of(fields.begin(), fields.end(), [](const FieldFunctions& f) {
    return std::any_of(f.functions.begin(), f.functions.end(), is_histogram);
  });
}

bool Rule::takes_field(std::string_view field) const {
  if (!fieldinclude.empty() && !fieldinclude.matches(field)) return false;
  if (fieldexclude.matches(field)) return false;
  return std::any_of(fields.begin(), fields.end(), [&](const FieldFunctions& f) { return f.filter.matches(field); });
}

std::vector<FunctionSpec> Rule::functions_of(std::string_view field) const {
  std::vector<FunctionSpec> out;
  if (!takes_field(field)) return out;
  for (const FieldFunctions& f : fields) {
    if (!f.filter.matches(field)) continue;
    for (const FunctionSpec& function : f.functions) {
      std::string result = result_field(field, function);
      bool known =
          std::any_of(out.begin(), out.end(), [&](const FunctionSpec& o) { return result_field(field, o) == result; });
      if (!known) out.push_back(function);
    }
  }
  return out;
}

std::string Rule::result_field(std::string_view field, const FunctionSpec& function) const {
  // The function first: an input field may hold braces.
  return written_field(replaced(replaced(field_name, "{function}", function.suffix), "{field}", field));
}

std::string Rule::result_measurement(std::string_view input) const {
  return written_measurement(replaced(measurement, "{measurement}", input));
}

std::vector<Tag> Rule::kept_tags(const std::vector<Tag>& all) const {
  std::vector<Tag> out;
  bool histogram = has_histogram();
  for (const Tag& tag : all) {
    bool listed = grouping_tags.matches(tag.first);
    if (grouping == Grouping::kBy && !listed) continue;
    if (grouping == Grouping::kWithout && listed) continue;
    Tag kept{written_name(tag.first), written_name(tag.second)};
    if (kept.first.empty() || kept.second.empty()) continue;
    if (kept.first.starts_with("limpet_") || (histogram && kept.first == "le")) continue;
    if (std::any_of(tags.begin(), tags.end(), [&](const Tag& own) { return own.first == kept.first; })) continue;
    out.push_back(std::move(kept));
  }
  // Two names may be written alike, or elsewhere in the order: the first stays.
  auto by_name = [](const Tag& a, const Tag& b) { return a.first < b.first; };
  if (!std::is_sorted(out.begin(), out.end(), by_name)) std::stable_sort(out.begin(), out.end(), by_name);
  auto same_name = [](const Tag& a, const Tag& b) { return a.first == b.first; };
  out.erase(std::unique(out.begin(), out.end(), same_name), out.end());
  return out;
}

}  // namespace limpet
