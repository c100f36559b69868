// From the patterns of rules files to rules: finds, reads and validates.
#pragma once

#include <string>
#include <vector>

#include "rules/rule_set.h"

namespace limpet {

struct RuleFiles {
  LoadedRules loaded;               // a file that cannot be read is a diagnostic of it
  std::vector<SourceFile> sources;  // what was read, by path: to see whether anything changed
  bool unread = false;              // some file could not be read
};

// Relative patterns are seen from `directory`. No file at all is an error too.
RuleFiles load_rule_files(const std::vector<std::string>& patterns, const std::string& directory);

}  // namespace limpet
