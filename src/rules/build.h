// What load.cpp reads and check.cpp judges before rules become a RuleSet. Internal to this folder.
#pragma once

#include <utility>
#include <vector>

#include "rules/rule_set.h"

namespace limpet {

struct DraftRule {
  Rule rule;
  int name_line = 0, name_column = 0;
  bool read = true;                                 // all of it: no value of it was wrong
  std::vector<std::pair<int, int>> function_lines;  // line and column of every function, in order of Rule::fields
};

void read_rules_file(const SourceFile& file, std::vector<DraftRule>& out, std::vector<Diagnostic>& diagnostics);
// What only several functions or several rules together show.
void check_result_fields(const DraftRule& draft, std::vector<Diagnostic>& diagnostics);
void check_names(const std::vector<DraftRule>& drafts, std::vector<Diagnostic>& diagnostics);
// Among the rules that emit and could be read: what another would write is not known.
void check_collisions(const std::vector<DraftRule>& drafts, std::vector<Diagnostic>& diagnostics);
// Warnings: drop_original loses fields that nothing aggregates.
void check_drops(const std::vector<DraftRule>& drafts, std::vector<Diagnostic>& diagnostics);

}  // namespace limpet
