#include "service/load_rule_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/files.h"

namespace limpet {

RuleFiles load_rule_files(const std::vector<std::string>& patterns, const std::string& directory) {
  RuleFiles result;
  std::vector<Diagnostic> unread;
  for (const std::string& path : expand_globs(patterns, directory)) {
    auto text = read_file(path);
    if (text)
      result.sources.push_back({path, std::move(*text)});
    else
      unread.push_back({path, 0, 0, text.error().substr(path.size() + 2)});
  }
  if (result.sources.empty() && unread.empty())
    unread.push_back({fmt::format("{}", fmt::join(patterns, " ")), 0, 0, "no rules file matches"});
  result.loaded = load_rules(result.sources);
  result.unread = !unread.empty();
  if (result.unread) {
    result.loaded.rules = nullptr;
    result.loaded.diagnostics.insert(result.loaded.diagnostics.begin(), unread.begin(), unread.end());
  }
  return result;
}

}  // namespace limpet
