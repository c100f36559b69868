#include "window/result.h"

#include <algorithm>

#include "lineproto/format.h"
#include "window/functions/between.h"
#include "window/functions/count.h"
#include "window/functions/counters.h"
#include "window/functions/distinct.h"
#include "window/functions/first_last.h"
#include "window/functions/histogram.h"
#include "window/functions/mean.h"
#include "window/functions/min_max.h"
#include "window/functions/nested.h"
#include "window/functions/quantile.h"
#include "window/functions/sum.h"
#include "window/functions/variance.h"

namespace limpet {
namespace {

// The position of a function among those of its kind: where its part of RareParts lies.
template <typename List>
size_t position(const List& list, const FunctionSpec& function) {
  return static_cast<size_t>(std::find(list.begin(), list.end(), &function) - list.begin());
}

std::optional<Value> of_numbers(const FunctionSpec& function, const FieldWindow& w) {
  if (w.core.numbers == 0) return std::nullopt;
  switch (function.kind) {
    case FunctionKind::kSum:
      return functions::sum(w);
    case FunctionKind::kMin:
      return functions::min(w);
    case FunctionKind::kMax:
      return functions::max(w);
    case FunctionKind::kMean:
      return functions::mean(w);
    case FunctionKind::kRange:
      return functions::range(w);
    case FunctionKind::kStddev:
      return functions::stddev(w);
    case FunctionKind::kVariance:
      return functions::variance(w);
    case FunctionKind::kInterval:
      return functions::interval(w);
    case FunctionKind::kDiff:
      return functions::diff(w);
    case FunctionKind::kPercentChange:
      return functions::percent_change(w);
    case FunctionKind::kDerivative:
      return functions::derivative(w);
    case FunctionKind::kNonNegativeDiff:
      return functions::non_negative_diff(w);
    case FunctionKind::kQuantile:
      return functions::quantile(w, function.quantile);
    case FunctionKind::kIncrease:
      return functions::increase(w);
    case FunctionKind::kRate:
      return functions::rate(w);
    case FunctionKind::kTotal:
      return functions::total(w);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Value> result_of(const FunctionSpec& function, const FieldProgram& program, const FieldWindow& w) {
  if (w.core.empty()) return std::nullopt;
  switch (function.kind) {
    case FunctionKind::kCount:
      return functions::count(w);
    case FunctionKind::kFirst:
      return functions::first(w);
    case FunctionKind::kLast:
      return functions::last(w);
    case FunctionKind::kDistinct:
      return functions::distinct(w);
    case FunctionKind::kCountSeries:
      return functions::count_series(w);
    case FunctionKind::kNested:
      if (!w.wide->rare) return std::nullopt;
      return functions::nested(function, w.wide->rare->nested[position(program.nested, function)], w.period_ns);
    default:
      return of_numbers(function, w);
  }
}

void for_each_bucket(const FunctionSpec& function, const FieldProgram& program, const FieldWindow& w,
                     const std::function<void(std::string_view le, uint64_t count)>& bucket) {
  if (w.core.numbers == 0 || !w.wide->rare) return;
  auto one = [&](double bound, uint64_t n) {
    std::string le;
    append_decimal(le, bound);
    bucket(le, n);
  };
  if (function.kind == FunctionKind::kHistogram)
    functions::histogram_powers(w.wide->rare->powers, one);
  else
    functions::histogram_bounds(function.bounds, w.wide->rare->bounds[position(program.bounds, function)], one);
  bucket("+Inf", w.core.numbers);
}

}  // namespace limpet
