#include "service/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/printable.h"
#include "lineproto/format.h"
#include "rules/duration.h"
#include "service/excerpt.h"
#include "sharding/codec_parts.h"
#include "sharding/key.h"

namespace limpet {
namespace {

constexpr size_t kOthersShown = 20;

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& s : list) (out.empty() ? out : out += ", ") += s;
  return out;
}

std::string listed(const std::vector<std::string>& list) {
  std::vector<std::string> quoted;
  for (const std::string& s : list) quoted.push_back("\"" + s + "\"");
  return joined(quoted);
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

// A pattern would take a field that fieldinclude or fieldexclude hides from the rule.
std::string hidden_field(const Rule& rule, const Point& point) {
  for (const auto& [name, value] : point.fields) {
    auto takes = [&](const FieldFunctions& f) { return f.filter.matches(name); };
    if (std::none_of(rule.fields.begin(), rule.fields.end(), takes)) continue;
    if (rule.fieldexclude.matches(name))
      return fmt::format("fieldexclude: \"{}\" matches {}", name, listed(rule.fieldexclude.patterns()));
    return fmt::format("fieldinclude: \"{}\" matches none of {}", name, listed(rule.fieldinclude.patterns()));
  }
  return "";
}

std::string why_not(const Rule& rule, const Point& point) {
  const Selector& s = rule.selector;
  if (!s.namepass.empty() && !s.namepass.matches(point.name))
    return fmt::format("namepass: \"{}\" matches none of {}", point.name, listed(s.namepass.patterns()));
  if (s.namedrop.matches(point.name))
    return fmt::format("namedrop: \"{}\" matches {}", point.name, listed(s.namedrop.patterns()));
  if (!s.matches(point.name, point.tags)) return why_not_tags(s, point.tags);
  if (std::string hidden = hidden_field(rule, point); !hidden.empty()) return hidden;
  std::vector<std::string> fields, patterns;
  for (const auto& [name, value] : point.fields) fields.push_back(name);
  for (const FieldFunctions& f : rule.fields) patterns.push_back(f.pattern);
  return fmt::format("no pattern of its fields ({}) takes a field of the line ({})", listed(patterns), listed(fields));
}

bool takes(const Rule& rule, const Point& point) {
  return rule.selector.matches(point.name, point.tags) &&
         std::any_of(point.fields.begin(), point.fields.end(),
                     [&](const auto& field) { return rule.takes_field(field.first); });
}

size_t slice_of(const Slices& slices, uint64_t key) {
  auto above = std::upper_bound(slices.low.begin(), slices.low.end(), key);
  return static_cast<size_t>(above - slices.low.begin()) - 1;
}

std::string pod_text(const AssignedPod& pod) { return fmt::format("{} ({})", pod.name, to_string(pod.state)); }

// Who had the key before its last move, as far as the assignment tells: empty if nobody had, or it is long ago.
std::string former_owner(const Assignment& a, uint64_t key, int64_t cutover_s) {
  for (auto move = a.moved.rbegin(); move != a.moved.rend(); ++move)
    if (key >= move->low && key <= move->high - 1 && move->cutover_s == cutover_s) return move->from;
  return "";
}

class Explanation {
 public:
  Explanation(const Point& point, const ExplainOptions& options) : point_(point), options_(options) {}

  void add_taken(const Rule& rule) {
    print("  {} ({}:{}) takes it{}\n", rule.name, rule.file, rule.line,
          rule.mode == RuleMode::kPreview ? ", in preview: nothing is emitted or dropped" : "");
    print("    group    {}\n", group_text(rule));
    std::string hashed = key_bytes(rule, point_.name, point_.tags);
    uint64_t key = key_of(rule, point_.name, point_.tags);
    print("    key      {}, of {}\n", key_text(key), quoted_excerpt(hashed));
    add_owner(key);
    print("    windows  {} long, every {}, {} grace\n", format_duration(rule.period_ns), format_duration(rule.every_ns),
          format_duration(rule.grace_ns));
    add_fields(rule);
    if (rule.drop_original && rule.mode != RuleMode::kPreview) droppers_.push_back(rule.name);
    taken_ = true;
  }

  void add_fate() {
    if (!droppers_.empty()) return print("  the line is dropped (drop_original of {})\n", joined(droppers_));
    uint64_t key = line_key(point_.name, point_.tags);
    print("  {}{}\n", taken_ ? "the line passes through" : "no rule takes it: it passes through",
          options_.assignment
              ? fmt::format(", written back by {}: the owner of its own key {}", owner_of(key).name, key_text(key))
              : "");
  }

  void add_other(const Rule& rule) {
    print("  {} ({}:{}) does not: {}\n", rule.name, rule.file, rule.line, why_not(rule, point_));
  }

  std::string text;

 private:
  template <typename... Arguments>
  void print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(text), format, std::forward<Arguments>(arguments)...);
  }

  std::string group_text(const Rule& rule) const {
    std::vector<Tag> tags = rule.kept_tags(point_.tags);
    tags.insert(tags.end(), rule.tags.begin(), rule.tags.end());
    std::sort(tags.begin(), tags.end());
    std::string out;
    append_measurement(out, rule.result_measurement(point_.name));
    for (const auto& [key, value] : tags) append_tag_text(out += ',', key), append_tag_text(out += '=', value);
    return out;
  }

  const AssignedPod& owner_of(uint64_t key) const {
    const Assignment& a = *options_.assignment;
    return a.pods[a.slices.owner[slice_of(a.slices, key)]];
  }

  void add_owner(uint64_t key) {
    if (!options_.assignment) return;
    const Assignment& a = *options_.assignment;
    size_t slice = slice_of(a.slices, key);
    int64_t cutover_s = a.slices.cutover_s[slice];
    std::string before = former_owner(a, key, cutover_s);
    print("    slice    {} to {}, {:.3f} % of the keys\n", key_text(a.slices.low[slice]),
          key_text(a.slices.high(slice) - 1), a.slices.share(slice) * 100);
    print("    owner    {}, since generation {}{}{}\n", pod_text(owner_of(key)), a.slices.since[slice],
          cutover_s == 0 ? "" : ": windows from " + utc_text(cutover_s) + " on",
          before.empty() ? "" : "; those before are " + printable(before) + "'s");
    int32_t standby = a.slices.standby[slice];
    print("    standby  {}\n", standby == kNoPod ? "none" : pod_text(a.pods[static_cast<size_t>(standby)]));
  }

  void add_fields(const Rule& rule) {
    for (const auto& [name, value] : point_.fields) {
      std::vector<std::string> results;
      for (const FunctionSpec& f : rule.functions_of(name)) {
        bool skipped = !is_number(kind_of(value)) && !takes_any_type(f);
        results.push_back(rule.result_field(name, f) + (skipped ? " (skips this value: no number)" : ""));
      }
      if (!results.empty()) print("    {:8} -> {}\n", name, joined(results));
    }
  }

  const Point& point_;
  const ExplainOptions& options_;
  std::vector<std::string> droppers_;
  bool taken_ = false;
};

}  // namespace

std::expected<std::string, ParseError> explain(const RuleSet& rules, std::string_view line,
                                               const ExplainOptions& options) {
  auto point = parse_line(line, Dialect::kTelegraf);
  if (!point) return std::unexpected(point.error());
  Explanation out(*point, options);
  out.text.append(line) += '\n';
  std::vector<const Rule*> others;
  for (const Rule& rule : rules.rules()) takes(rule, *point) ? out.add_taken(rule) : others.push_back(&rule);
  out.add_fate();
  size_t shown = options.all_rules ? others.size() : std::min(others.size(), kOthersShown);
  for (size_t i = 0; i < shown; i++) out.add_other(*others[i]);
  if (shown < others.size())
    out.text += fmt::format("  and {} more rules do not (--all shows them)\n", others.size() - shown);
  return std::move(out.text);
}

}  // namespace limpet
