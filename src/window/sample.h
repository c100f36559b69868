// One sample on its way into a pane: a field's value with its time, plain data that points into the line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/value.h"
#include "sketch/double_double.h"

namespace limpet {

// A number of any of line protocol's three types.
struct Number {
  ValueKind kind = ValueKind::kFloat;  // kFloat, kInt or kUint
  union {
    double f = 0;
    int64_t i;
    uint64_t u;
  };

  static Number of(double v) { return Number{ValueKind::kFloat, {.f = v}}; }
  static Number of(int64_t v) { return Number{ValueKind::kInt, {.i = v}}; }
  static Number of(uint64_t v) { return Number{ValueKind::kUint, {.u = v}}; }
  double as_double() const {
    if (kind == ValueKind::kFloat) return f;
    return kind == ValueKind::kInt ? static_cast<double>(i) : static_cast<double>(u);
  }
  // Any total order: by type, then by bits. Not by value.
  bool operator<(const Number& o) const { return kind == o.kind ? u < o.u : kind < o.kind; }
  void add_to(DoubleDouble& sum) const {
    if (kind == ValueKind::kFloat) return sum.add(f);
    kind == ValueKind::kInt ? sum.add_int(i) : sum.add_uint(u);
  }
};

// What a counter made of a sample (window/counter.h).
struct CounterStep {
  bool counted =
      false;        // false: older than the newest sample of its series (out_of_order), no part of any counter function
  Number increase;  // not negative; 0 for a mere starting value
};

struct Sample {
  ValueKind kind = ValueKind::kFloat;
  Number number;          // numbers
  bool boolean = false;   // kBool
  std::string_view text;  // kString: unescaped
  int64_t time_ns = 0;
  uint64_t arrival = 0;      // rises with every line; breaks ties of time
  uint64_t series_hash = 0;  // identity of the input series
  CounterStep step;          // where the program counts

  bool is_number() const { return kind <= ValueKind::kUint; }
  Value value() const;  // owning
};

}  // namespace limpet
