// Which fields of the lines that a rule drops nothing aggregates.
#include <algorithm>

#include "rules/build.h"

namespace limpet {

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
