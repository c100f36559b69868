// min, max: the least and the greatest number in the window. Float, also of integers. range: max - min.
#pragma once

#include <optional>

#include "window/result.h"

namespace limpet::functions {

inline std::optional<Value> min(const FieldWindow& w) { return w.core.min; }
inline std::optional<Value> max(const FieldWindow& w) { return w.core.max; }
inline std::optional<Value> range(const FieldWindow& w) { return w.core.max - w.core.min; }

}  // namespace limpet::functions
