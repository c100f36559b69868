// From the merged state of a window to the values of its functions.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "window/cell.h"

namespace limpet {

// A window's merged state of one field of one group, and what functions need to know beside it.
struct FieldWindow {
  const CoreCell& core;
  const WideCell* wide;  // null where the program is not wide
  int64_t period_ns;
  DoubleDouble total;  // has_total: all increases before the window's end
};

// Divided, not multiplied by 1e-9, which no double is: 60 s are 60.
inline double seconds(int64_t length_ns) { return static_cast<double>(length_ns) / 1e9; }

// The value of a function that gives one field; nullopt: absent in this window (no sample of its kind, too few, not
// defined). A value that is not finite is returned as it is: the caller leaves it out and counts it. Functions are one
// file each in functions/.
std::optional<Value> result_of(const FunctionSpec& function, const FieldProgram& program, const FieldWindow& window);

// kHistogram and kHistogramBounds: calls `bucket(le, cumulative count)` for each line, +Inf last. Nothing where there
// is no number.
void for_each_bucket(const FunctionSpec& function, const FieldProgram& program, const FieldWindow& window,
                     const std::function<void(std::string_view le, uint64_t count)>& bucket);

}  // namespace limpet
