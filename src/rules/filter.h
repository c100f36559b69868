// Telegraf's filters (its filter/ and models/filter.go, 1.39; glob language of gobwas/glob v0.2.3), with the same names
// and semantics. Immutable, thread-safe.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lineproto/point.h"

namespace limpet {

// A list of patterns. If no pattern of the list has one of `*?[` (and no separator is set), all are literal, braces
// too; else each is a glob: `*` `**` `?` `[abc]` `[a-z]` `[!abc]` `{a,b}` (nestable) and `\` as escape, matching the
// whole string.
class Filter {
 public:
  Filter() = default;  // empty: matches nothing
  // `separators`: each of its code points is one that `*` and `?` do not cross (namepass_separator).
  // The error names the pattern and says what would be right.
  static std::expected<Filter, std::string> compile(const std::vector<std::string>& patterns,
                                                    std::string_view separators = {});

  bool empty() const;
  bool matches(std::string_view text) const;
  const std::vector<std::string>& patterns() const;
  std::string_view separators() const;
  bool is_literal() const;                     // all patterns are compared as plain strings
  bool operator==(const Filter& other) const;  // same patterns and separators

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

// namepass, namedrop, tagpass, tagdrop. AND of all that are set; tagpass passes if one of its (tag, values) matches;
// tagdrop drops if one does; a tag that the line lacks never matches.
struct Selector {
  Filter namepass, namedrop;
  std::vector<std::pair<std::string, Filter>> tagpass, tagdrop;  // keys are literal; sorted by key

  bool matches(std::string_view name, const std::vector<Tag>& tags) const;
  bool operator==(const Selector&) const = default;
};

}  // namespace limpet
