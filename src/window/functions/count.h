// count: samples of any type in the window. Integer. A gauge that reports every 10 s counts six times a minute; the
// number of series is count_series or count(last).
#pragma once

#include <optional>

#include "window/result.h"

namespace limpet::functions {

inline std::optional<Value> count(const FieldWindow& w) { return static_cast<int64_t>(w.core.numbers + w.core.others); }

}  // namespace limpet::functions
