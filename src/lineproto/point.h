// One line, parsed whole and owning its bytes: the slow, obvious form, used at first sight of a series, by the tools
// and by tests. The hot path never builds one (see lineproto/fields.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/value.h"

namespace limpet {

using Tag = std::pair<std::string, std::string>;

struct Point {
  std::string name;
  std::vector<Tag> tags;                              // sorted bytewise by key, keys unique
  std::vector<std::pair<std::string, Value>> fields;  // in order of first appearance, keys unique
  std::optional<int64_t> time_ns;                     // none: the line had no timestamp

  bool operator==(const Point&) const = default;
};

}  // namespace limpet
