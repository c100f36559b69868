#include "rules/rule_set.h"

#include <algorithm>
#include <functional>
#include <set>
#include <sstream>
#include <tuple>
#include <unordered_map>

#include "base/hash.h"
#include "base/limits.h"
#include "rules/build.h"
#include "rules/duration.h"

namespace limpet {
namespace {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return hash64(text); }
};
template <typename T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

// What a text that matches the glob begins with.
std::string prefix_of(const std::string& pattern) { return pattern.substr(0, pattern.find_first_of("*?[{\\")); }

// From a text to the Ts whose filters may match it: under each literal, or under the beginning of each glob.
template <typename T>
class PatternIndex {
 public:
  // Calls f(T&) for each T that the filter belongs to, once.
  template <typename F>
  void place(const Filter& filter, F f) {
    bool literal = filter.is_literal();
    std::set<std::string> keys;
    for (const std::string& pattern : filter.patterns()) keys.insert(literal ? pattern : prefix_of(pattern));
    for (const std::string& key : keys) {
      f((literal ? literals_ : prefixes_)[key]);
      if (!literal) prefix_sizes_.insert(key.size());
    }
  }
  // Calls f(const T&) for each that may match.
  template <typename F>
  void find(std::string_view text, F f) const {
    if (auto it = literals_.find(text); it != literals_.end()) f(it->second);
    for (size_t size : prefix_sizes_) {
      if (size > text.size()) break;
      if (auto it = prefixes_.find(text.substr(0, size)); it != prefixes_.end()) f(it->second);
    }
  }

 private:
  TextMap<T> literals_, prefixes_;
  std::set<size_t> prefix_sizes_;
};

using Indexes = std::vector<uint32_t>;

// Rules that share a condition on the name, told apart further by the values of the tags that they ask for.
struct Bucket {
  Indexes always;
  TextMap<PatternIndex<Indexes>> by_tag;  // by key

  void add(const Rule& rule, uint32_t index) {
    if (rule.selector.tagpass.empty()) return always.push_back(index);
    for (const auto& [key, filter] : rule.selector.tagpass)
      by_tag[key].place(filter, [&](Indexes& list) { list.push_back(index); });
  }
  void collect(const std::vector<Tag>& tags, Indexes& out) const {
    auto append = [&](const Indexes& list) { out.insert(out.end(), list.begin(), list.end()); };
    append(always);
    if (by_tag.empty()) return;
    for (const auto& [key, value] : tags)
      if (auto it = by_tag.find(key); it != by_tag.end()) it->second.find(value, append);
  }
};

std::string join(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& s : list) (out += s) += '\0';
  return out;
}

// A rule in a canonical text, key by key: what is compared and hashed.
std::vector<std::pair<std::string, std::string>> rendered(const Rule& r) {
  auto tags = [](const auto& list) {
    std::string out;
    for (const auto& [key, filter] : list) out += key + "=[" + join(filter.patterns()) + "]";
    return out;
  };
  std::string constant, fields;
  for (const auto& [key, value] : r.tags) constant += key + '\0' + value + '\0';
  for (const FieldFunctions& f : r.fields) {
    fields += f.pattern + '\0';
    for (const FunctionSpec& s : f.functions) fields += s.text + ';';
  }
  auto number = [](auto v) { return std::to_string(static_cast<int64_t>(v)); };
  return {{"namepass", join(r.selector.namepass.patterns())},
          {"namedrop", join(r.selector.namedrop.patterns())},
          {"namepass_separator", std::string(r.selector.namepass.separators())},
          {"namedrop_separator", std::string(r.selector.namedrop.separators())},
          {"tagpass", tags(r.selector.tagpass)},
          {"tagdrop", tags(r.selector.tagdrop)},
          {"fieldinclude", join(r.fieldinclude.patterns())},
          {"fieldexclude", join(r.fieldexclude.patterns())},
          {r.grouping == Grouping::kBy ? "by" : "without", number(r.grouping) + join(r.grouping_tags.patterns())},
          {"period", number(r.period_ns)},
          {"every", number(r.every_ns)},
          {"grace", number(r.grace_ns)},
          {"drop_original", number(r.drop_original)},
          {"enabled", number(r.mode)},
          {"fields", fields},
          {"measurement", r.measurement},
          {"tags", constant},
          {"field_name", r.field_name},
          {"timestamp", number(r.timestamp)},
          {"late", number(r.late)},
          {"late_limit", number(r.late_limit_ns)},
          {"future_limit", number(r.future_limit_ns)},
          {"incomplete", number(r.incomplete)},
          {"baseline", number(r.baseline_ns)},
          {"first", number(r.first)},
          {"expire", number(r.expire_ns)},
          {"shard_by", r.shard_by ? "=" + join(*r.shard_by) : ""},
          {"shard_name", r.shard_name.value_or("")},
          {"max_groups", number(r.max_groups)}};
}

bool is_live(std::string_view key) {
  return key == "grace" || key == "late" || key == "drop_original" || key == "max_groups";
}

}  // namespace

struct RuleSet::Index {
  PatternIndex<Bucket> by_name;
  Bucket any;             // without namepass
  Indexes unconditional;  // without any condition

  void add(const Rule& rule, uint32_t index) {
    if (rule.selector == Selector()) return unconditional.push_back(index);
    const Filter& names = rule.selector.namepass;
    if (names.empty()) return any.add(rule, index);
    by_name.place(names, [&](Bucket& bucket) { bucket.add(rule, index); });
  }
};

RuleSet::RuleSet() : index_(std::make_unique<Index>()) {}
RuleSet::~RuleSet() = default;

void RuleSet::match(std::string_view name, const std::vector<Tag>& tags, std::vector<uint32_t>& out) const {
  size_t begin = out.size();
  match_conditional(name, tags, out);
  size_t middle = out.size();
  out.insert(out.end(), index_->unconditional.begin(), index_->unconditional.end());
  auto at = [&](size_t i) { return out.begin() + static_cast<ptrdiff_t>(i); };
  std::inplace_merge(at(begin), at(middle), out.end());
}

void RuleSet::match_conditional(std::string_view name, const std::vector<Tag>& tags, std::vector<uint32_t>& out) const {
  Indexes candidates;
  index_->any.collect(tags, candidates);
  index_->by_name.find(name, [&](const Bucket& bucket) { bucket.collect(tags, candidates); });
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  for (uint32_t i : candidates)
    if (rules_[i].selector.matches(name, tags)) out.push_back(i);
}

struct RuleSetBuilder {
  static std::shared_ptr<const RuleSet> build(std::vector<DraftRule>& drafts) {
    auto set = std::make_shared<RuleSet>();
    std::string all;
    for (DraftRule& draft : drafts) {
      if (draft.rule.mode == RuleMode::kOff) continue;
      all += draft.rule.name + '\n';
      for (const auto& [key, value] : rendered(draft.rule)) all += key + '=' + value + '\n';
      set->rules_.push_back(std::move(draft.rule));
    }
    for (uint32_t i = 0; i < set->rules_.size(); i++) set->index_->add(set->rules_[i], i);
    set->fingerprint_ = hash64(all);
    return set;
  }
};

namespace {

std::tuple<std::string_view, int, int> position(const Diagnostic& d) { return {d.file, d.line, d.column}; }

}  // namespace

LoadedRules load_rules(const std::vector<SourceFile>& files, Advice advice) {
  LoadedRules loaded;
  std::vector<const SourceFile*> in_order;
  for (const SourceFile& file : files) in_order.push_back(&file);
  std::stable_sort(in_order.begin(), in_order.end(),
                   [](const SourceFile* a, const SourceFile* b) { return a->path < b->path; });
  std::vector<DraftRule> drafts;
  for (const SourceFile* file : in_order) read_rules_file(*file, drafts, loaded.diagnostics);
  if (drafts.size() > limits::kRulesMax)
    loaded.diagnostics.push_back({drafts.back().rule.file, drafts.back().rule.line, 1,
                                  "more than " + std::to_string(limits::kRulesMax) + " rules",
                                  Diagnostic::Severity::kError});
  check_names(drafts, loaded.diagnostics);
  for (const DraftRule& draft : drafts) check_result_fields(draft, loaded.diagnostics);
  check_collisions(drafts, loaded.diagnostics);
  if (advice == Advice::kGiven) check_drops(drafts, loaded.advice);
  std::ranges::stable_sort(loaded.diagnostics, {}, position);
  std::ranges::stable_sort(loaded.advice, {}, position);
  if (loaded.diagnostics.empty()) loaded.rules = RuleSetBuilder::build(drafts);
  return loaded;
}

Change compare_rules(const Rule& before, const Rule& after, std::string* detail) {
  auto a = rendered(before), b = rendered(after);
  Change change = Change::kKept;
  for (size_t i = 0; i < a.size(); i++) {
    if (a[i] == b[i]) continue;
    bool live = is_live(a[i].first);
    if (change == Change::kKept || !live) change = live ? Change::kLive : Change::kReplaced;
    if (detail) (detail->empty() ? * detail : * detail += ", ") += b[i].first;
  }
  return change;
}

bool watch_alike(const Rule& before, const Rule& after) {
  constexpr std::string_view kSelectors[] = {"namepass", "namedrop", "namepass_separator", "namedrop_separator",
                                             "tagpass",  "tagdrop",  "fieldinclude",       "fieldexclude"};
  auto a = rendered(before), b = rendered(after);
  for (size_t i = 0; i < a.size(); i++)
    if (a[i] != b[i] && std::ranges::find(kSelectors, a[i].first) != std::end(kSelectors)) return false;
  auto counted = [](const Rule& rule) {
    std::vector<std::string> patterns;
    for (const FieldFunctions& f : rule.fields)
      if (std::ranges::any_of(f.functions, is_counter)) patterns.push_back(f.pattern);
    return patterns;
  };
  return counted(before) == counted(after);
}

std::vector<PlannedChange> plan_changes(const RuleSet& before, const RuleSet& after) {
  std::unordered_map<std::string_view, const Rule*> old;
  for (const Rule& rule : before.rules()) old[rule.name] = &rule;
  std::vector<PlannedChange> plan;
  for (const Rule& rule : after.rules()) {
    PlannedChange change{rule.name, Change::kNew, {}};
    if (auto it = old.find(rule.name); it != old.end()) {
      change.change = compare_rules(*it->second, rule, &change.detail);
      old.erase(it);
    }
    plan.push_back(std::move(change));
  }
  for (const Rule& rule : before.rules())
    if (old.contains(rule.name)) plan.push_back({rule.name, Change::kEnds, {}});
  return plan;
}

std::string render_plan(const std::vector<PlannedChange>& plan) {
  constexpr std::string_view kWords[] = {"kept", "changes at once", "changes over at the next window border",
                                         "new, from the next window border on", "ends, finishes its windows"};
  std::string out;
  for (const PlannedChange& change : plan) {
    out += change.rule + ": " + std::string(kWords[static_cast<size_t>(change.change)]);
    if (!change.detail.empty()) out += " (" + change.detail + ")";
    out += '\n';
  }
  return out;
}

}  // namespace limpet
