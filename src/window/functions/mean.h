// mean: sum / count over the numbers of the window. Float. Weighs series by how often they report; mean(last) does not.
#pragma once

#include <optional>

#include "window/result.h"

namespace limpet::functions {

inline std::optional<Value> mean(const FieldWindow& w) {
  return w.core.sum.value() / static_cast<double>(w.core.numbers);
}

}  // namespace limpet::functions
