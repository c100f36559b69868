// Random programs and samples for comparisons with the reference (reference.h says which numbers it can take), and the
// comparison itself.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/time.h"
#include "rules/function_spec.h"
#include "tests/unit/window/reference.h"
#include "window/result.h"

namespace limpet {

// Every function, and every INNER and OUTER.
inline std::vector<std::string> every_function() {
  std::vector<std::string> all{
      "count",          "sum",        "min",       "max",   "mean",         "range",
      "stddev",         "variance",   "first",     "last",  "interval",     "diff",
      "percent_change", "derivative", "p0",        "p50",   "p99.9",        "distinct",
      "increase",       "rate",       "histogram", "total", "count_series", "non_negative_diff",
      "quantile(0.25)"};
  for (const char* outer : {"count", "sum", "min", "max", "mean", "stddev", "p50", "p90"})
    for (const char* inner : {"count", "sum", "min", "max", "mean", "first", "last", "range", "increase", "rate"})
      all.push_back(std::string(outer) + "(" + inner + ")");
  return all;
}

// A rules file that gives the field v these functions.
inline std::string rule_text(const std::vector<std::string>& functions) {
  std::string list;
  for (const std::string& f : functions) list += (list.empty() ? "\"" : ", \"") + f + '"';
  return "[[rule]]\nname = \"r\"\nperiod = \"1m\"\n[rule.fields]\nv = [" + list + "]\n";
}

// A sample from random bits: 64-bit words from `next`. Times collide often, so that ties are tried.
template <typename Next>
Sample random_sample(Next& next, uint64_t arrival) {
  static const std::string kTexts[] = {"", "up", "down", "a text that is longer than a string keeps inside itself"};
  Sample s;
  s.arrival = arrival;
  s.time_ns = static_cast<int64_t>(next() % 30) * 100 * kMillisecondNs - kSecondNs;
  s.series_hash = (next() % 20 + 1) * 0x9e3779b97f4a7c15;
  auto small = static_cast<int64_t>(next() % 64) - 32;
  auto large = static_cast<int64_t>(next() % (uint64_t{1} << 41)) - (int64_t{1} << 40);
  int64_t v = next() % 2 ? small : large;
  switch (next() % 8) {
    case 0:
      s.kind = ValueKind::kString, s.text = kTexts[next() % 4];
      break;
    case 1:
      s.kind = ValueKind::kBool, s.boolean = next() % 2;
      break;
    case 2:
      s.kind = ValueKind::kInt, s.number = Number::of(v);
      break;
    case 3:
      s.kind = ValueKind::kUint, s.number = Number::of(static_cast<uint64_t>(v < 0 ? -v : v));
      break;
    case 4:
      s.number = Number::of(next() % 2 ? 0.0 : -0.0);
      break;
    default:
      s.number = Number::of(static_cast<double>(v) / 8);
  }
  if (s.is_number() && next() % 4 != 0) {
    s.step.counted = true;
    s.step.increase = next() % 2 ? Number::of(next() % 100000) : Number::of(static_cast<double>(next() % 100000) / 8);
  }
  return s;
}

// Equal, up to the last digits of a double; quantiles by the sketch within 1 %.
inline bool agrees(const FunctionSpec& f, const std::optional<Value>& got, const std::optional<Value>& wanted) {
  if (got.has_value() != wanted.has_value()) return false;
  if (!got || !std::holds_alternative<double>(*wanted)) return got == wanted;
  if (!std::holds_alternative<double>(*got)) return false;
  double a = std::get<double>(*got), b = std::get<double>(*wanted);
  bool stddev = f.kind == FunctionKind::kStddev || f.kind == FunctionKind::kVariance ||
                (f.kind == FunctionKind::kNested && f.outer == FunctionKind::kStddev);
  double tolerance = f.kind == FunctionKind::kQuantile ? 0.01 : stddev ? 1e-11 : 1e-15;
  // Where values of INNER cancel, what rounding of the reference left of them.
  double floor = f.kind == FunctionKind::kNested ? 1e-5 : 0;
  return a == b || std::fabs(a - b) <= std::fabs(b) * tolerance + floor;
}

}  // namespace limpet
