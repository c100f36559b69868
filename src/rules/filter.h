// Telegraf's filters (its filter/ and models/filter.go, 1.39; glob language of gobwas/glob v0.2.3), with the same names
// and semantics. Immutable, thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lineproto/point.h"

namespace limpet {

// What a star of Filter::common_text() is rather to stand for.
enum class StarOf : uint8_t { kNothing, kLetter };

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
  // A text that one pattern of this list and one of another both take, by their numbers. A star of the former stands
  // for nothing or for one letter that no other pattern asks for, so that x* and *y, which meet only in some data, have
  // none; all else is followed exactly. Where both leave a letter open stands that same letter. Perhaps the lists do
  // not take it: gobwas has its ways with letters that are not ASCII. REQUIRES: neither list is literal. O(letters of
  // the one times letters of the other).
  std::optional<std::string> common_text(size_t pattern, const Filter& other, size_t others, StarOf star) const;

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
