// A rule: which lines, which tags stay, which windows, which functions. Validated, immutable once loaded, shared
// between threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "lineproto/point.h"
#include "rules/filter.h"
#include "rules/function_spec.h"

namespace limpet {

enum class RuleMode : uint8_t { kOn, kPreview, kOff };
enum class LatePolicy : uint8_t { kDrop, kPass, kCorrect };
enum class IncompletePolicy : uint8_t { kEmit, kSkip, kTag };
enum class FirstSample : uint8_t { kZero, kSkip };
enum class WindowStamp : uint8_t { kEnd, kStart };
enum class Grouping : uint8_t { kAllTags, kBy, kWithout };

// One entry of [rule.fields].
struct FieldFunctions {
  std::string pattern;
  Filter filter;
  std::vector<FunctionSpec> functions;
};

struct Rule {
  std::string name;
  std::string file;  // where it stands, for messages
  int line = 0;

  Selector selector;                  // namepass namedrop tagpass tagdrop
  Filter fieldinclude, fieldexclude;  // empty: all, none
  Grouping grouping = Grouping::kAllTags;
  Filter grouping_tags;  // of `by` or `without`

  int64_t period_ns = 0;
  int64_t every_ns = 0;
  int64_t grace_ns = 15 * kSecondNs;
  bool drop_original = false;
  RuleMode mode = RuleMode::kOn;
  std::vector<FieldFunctions> fields;  // in file order

  std::string measurement = "{measurement}";
  std::vector<Tag> tags;  // constant tags of the results, sorted
  std::string field_name = "{field}_{function}";
  WindowStamp timestamp = WindowStamp::kEnd;
  LatePolicy late = LatePolicy::kDrop;
  int64_t late_limit_ns = 10 * kMinuteNs;
  int64_t future_limit_ns = 10 * kMinuteNs;
  IncompletePolicy incomplete = IncompletePolicy::kEmit;
  int64_t baseline_ns = kHourNs;
  FirstSample first = FirstSample::kZero;
  int64_t expire_ns = kHourNs;
  std::optional<std::vector<std::string>> shard_by;  // none: all tags that stay
  std::optional<std::string> shard_name;             // none: the output measurement
  uint64_t max_groups = 100'000;

  int64_t panes_per_window() const { return period_ns / every_ns; }
  // From its begin to when it may be written for the last time.
  int64_t window_life_ns() const { return period_ns + std::max(grace_ns, late_limit_ns); }
  bool has_histogram() const;  // one of its functions writes lines with the tag `le`
  // True if a pattern of [rule.fields] takes the field and fieldinclude/fieldexclude let it through.
  bool takes_field(std::string_view field) const;
  // The functions of all patterns that take the field, united (by result name), in file order. Empty: the rule does not
  // take it.
  std::vector<FunctionSpec> functions_of(std::string_view field) const;
  // What follows is as results write it (lineproto/format.h), not yet escaped: what they write alike is one.
  // The output field of a function over an input field, by the template field_name.
  std::string result_field(std::string_view field, const FunctionSpec& function) const;
  // The output measurement for an input measurement, by the template `measurement`.
  std::string result_measurement(std::string_view input) const;
  // The tags of a line that stay: by grouping, less the rule's own constant tags, `le` in a rule with histograms, and
  // limpet_*. Sorted by key; those of which nothing can be written are left out, of those that are written alike the
  // first stays. Constant tags are not among them.
  std::vector<Tag> kept_tags(const std::vector<Tag>& tags) const;
};

}  // namespace limpet
