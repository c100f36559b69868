// sum: of all numbers in the window, in double-double. Float. Of a gauge that reports several times in a window it is
// not the fleet's total: that is sum(last).
#pragma once

#include <optional>

#include "window/result.h"

namespace limpet::functions {

inline std::optional<Value> sum(const FieldWindow& w) { return w.core.sum.value(); }

}  // namespace limpet::functions
