// What lies between the first and the last number of the window by timestamp, whatever series they are of; absent below
// two numbers.
//   interval           time of the last - time of the first, ns. Integer
//   diff               last - first; of two integers subtracted as integers. Float, as all that follow
//   non_negative_diff  diff, absent where it is negative
//   percent_change     (last - first) / first * 100, absent where the first is 0
//   derivative         diff / seconds between them, absent at equal times
#pragma once

#include <optional>

#include "base/int128.h"
#include "window/result.h"

namespace limpet::functions {

inline const FirstLast<Number>* two_numbers(const FieldWindow& w) {
  return w.core.numbers < 2 || !w.wide->number_first_last ? nullptr : w.wide->number_first_last.get();
}

// Of samples of one window; what a broken record makes of it wraps around.
inline int64_t span_ns(const FirstLast<Number>& b) {
  return static_cast<int64_t>(static_cast<uint64_t>(b.last.time_ns) - static_cast<uint64_t>(b.first.time_ns));
}

inline double difference(const Number& later, const Number& earlier) {
  if (later.kind == ValueKind::kFloat || earlier.kind == ValueKind::kFloat)
    return later.as_double() - earlier.as_double();
  auto whole = [](const Number& n) {
    return n.kind == ValueKind::kInt ? static_cast<int128>(n.i) : static_cast<int128>(n.u);
  };
  return static_cast<double>(whole(later) - whole(earlier));
}

inline std::optional<Value> interval(const FieldWindow& w) {
  const auto* b = two_numbers(w);
  if (!b) return std::nullopt;
  return span_ns(*b);
}

inline std::optional<Value> diff(const FieldWindow& w) {
  const auto* b = two_numbers(w);
  if (!b) return std::nullopt;
  return difference(b->last.value, b->first.value);
}

inline std::optional<Value> non_negative_diff(const FieldWindow& w) {
  auto d = diff(w);
  if (!d || std::get<double>(*d) < 0) return std::nullopt;
  return d;
}

inline std::optional<Value> percent_change(const FieldWindow& w) {
  const auto* b = two_numbers(w);
  if (!b || b->first.value.as_double() == 0) return std::nullopt;
  return difference(b->last.value, b->first.value) / b->first.value.as_double() * 100;
}

inline std::optional<Value> derivative(const FieldWindow& w) {
  const auto* b = two_numbers(w);
  if (!b || b->last.time_ns == b->first.time_ns) return std::nullopt;
  return difference(b->last.value, b->first.value) / seconds(span_ns(*b));
}

}  // namespace limpet::functions
