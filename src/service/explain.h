// What becomes of a line, for people: which rules take it, the groups it counts in, whose they are, and of every other
// rule why it does not take it. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "lineproto/parse.h"
#include "rules/rule_set.h"
#include "sharding/assignment.h"

namespace limpet {

struct ExplainOptions {
  const Assignment* assignment = nullptr;  // whose the keys are; null: that is not asked
  bool all_rules = false;                  // every rule that does not take the line; false: the first 20
};

// Several lines, each with its newline; the first is `line`. The error is of the parser.
std::expected<std::string, ParseError> explain(const RuleSet& rules, std::string_view line,
                                               const ExplainOptions& options);

}  // namespace limpet
