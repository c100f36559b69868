// The rules of all files together, with the index that finds those that may take a line. Immutable; share by
// shared_ptr<const RuleSet>.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "rules/rule.h"

namespace limpet {

struct SourceFile {
  std::string path;
  std::string text;
};

class RuleSet {
 public:
  RuleSet();
  ~RuleSet();
  RuleSet(const RuleSet&) = delete;
  RuleSet& operator=(const RuleSet&) = delete;

  // In file order, files in order of path; rules with enabled = false are left out.
  const std::vector<Rule>& rules() const { return rules_; }
  // Appends the indexes into rules() of all rules whose selector matches, in rising order. The cost depends on the
  // number of rules that could match (by name, by a tag of tagpass; of globs by what they begin with), not on the
  // number of rules. `tags` sorted by key.
  void match(std::string_view name, const std::vector<Tag>& tags, std::vector<uint32_t>& out) const;
  // The same without the rules that ask for nothing and so match every line: what tells lines apart.
  void match_conditional(std::string_view name, const std::vector<Tag>& tags, std::vector<uint32_t>& out) const;
  // XXH3-64 over a canonical rendering of all rules: what routers and aggregators compare.
  uint64_t fingerprint() const { return fingerprint_; }

 private:
  friend struct RuleSetBuilder;
  struct Index;
  std::vector<Rule> rules_;
  std::unique_ptr<Index> index_;
  uint64_t fingerprint_ = 0;
};

struct LoadedRules {
  std::shared_ptr<const RuleSet> rules;  // null if there is an error
  std::vector<Diagnostic> diagnostics;   // all errors of all files; by file, line, column
  std::vector<Diagnostic> advice;        // warnings for whoever writes rules (`limpet check`), no news to who runs them
  bool ok() const { return rules != nullptr; }
};

// Whether to look for what rules lack beside errors; of thousands of rules that takes seconds.
enum class Advice : uint8_t { kNone, kGiven };
// Reads and validates. Every error of a file that is valid TOML is reported in one run, each at the line of the
// offending key or value.
LoadedRules load_rules(const std::vector<SourceFile>& files, Advice advice = Advice::kNone);

// What a change from one rule set to another does to each rule (by name), as `limpet check --against` and a reload
// print it.
enum class Change : uint8_t {
  kKept,      // nothing changed: keeps its state
  kLive,      // only grace, late, drop_original or max_groups changed: in force at once, keeps its state
  kReplaced,  // changes over at a window border
  kNew,
  kEnds  // removed: finishes its windows
};
struct PlannedChange {
  std::string rule;
  Change change = Change::kKept;
  std::string detail;  // which keys changed: "period, fields"
};
// In order of the new rules, then those that end in order of the old ones.
std::vector<PlannedChange> plan_changes(const RuleSet& before, const RuleSet& after);
// One line a rule, as the log and `limpet check --against` show it.
std::string render_plan(const std::vector<PlannedChange>& plan);
// Both take the same lines, and count the same fields of them as counters.
bool watch_alike(const Rule& before, const Rule& after);
Change compare_rules(const Rule& before, const Rule& after, std::string* detail = nullptr);

}  // namespace limpet
