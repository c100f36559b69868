// What a rule asks for, before anything is computed: one function of section "Functions" of the rule documentation,
// parsed and named.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace limpet {

enum class FunctionKind : uint8_t {
  kCount,
  kSum,
  kMin,
  kMax,
  kMean,
  kRange,
  kStddev,
  kVariance,
  kFirst,
  kLast,
  kInterval,
  kDiff,
  kPercentChange,
  kDerivative,
  kNonNegativeDiff,
  kQuantile,
  kHistogram,
  kHistogramBounds,
  kDistinct,
  kCountSeries,
  kIncrease,
  kRate,
  kTotal,
  kNested
};

// q as the decimal that was written: numerator / denominator, the denominator a power of ten up to 1e18.
struct Quantile {
  uint64_t numerator = 0;
  uint64_t denominator = 1;
  bool operator==(const Quantile&) const = default;
};

struct FunctionSpec {
  FunctionKind kind = FunctionKind::kCount;
  std::string text;                           // as written, without blanks: "p99.9", "histogram(0.1,0.5)", "sum(last)"
  std::string suffix;                         // the function's part of a result's name: "p99_9", "bucket", "sum_last"
  Quantile quantile;                          // kQuantile; kNested with a quantile outside
  std::vector<double> bounds;                 // kHistogramBounds: rising, finite, no duplicates
  FunctionKind outer = FunctionKind::kCount;  // kNested: count sum min max mean stddev quantile
  FunctionKind inner = FunctionKind::kCount;  // kNested: count sum min max mean first last range increase rate

  bool operator==(const FunctionSpec&) const = default;
};

// Parses one function as written in a rules file. The error says what is wrong and what would be right ("did you
// mean").
std::expected<FunctionSpec, std::string> parse_function(std::string_view text);

// True where a sample of any type counts (count, first, last, distinct, count_series and count over such); false:
// numbers only.
bool takes_any_type(const FunctionSpec& spec);
// True where the function needs the last value of each input series (increase, rate, total, and OUTER over increase or
// rate).
bool is_counter(const FunctionSpec& spec);
// True where the function keeps state per input series (all OUTER(INNER) and the counters).
bool is_per_series(const FunctionSpec& spec);

}  // namespace limpet
