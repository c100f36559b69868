#include "window/functions/nested.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/int128.h"
#include "window/functions/mean.h"
#include "window/functions/variance.h"

namespace limpet::functions {
namespace {

double exact_quantile(std::vector<double>& values, Quantile q) {
  uint128 scaled = static_cast<uint128>(q.numerator) * values.size();
  auto rank = static_cast<size_t>((scaled + q.denominator - 1) / q.denominator);
  size_t at = std::clamp<size_t>(rank, 1, values.size()) - 1;
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(at), values.end());
  return values[at];
}

}  // namespace

std::optional<Value> nested(const FunctionSpec& function, const SeriesParts& parts, int64_t period_ns) {
  if (parts.size() == 0) return std::nullopt;
  CoreCell over;
  std::vector<double> values;
  parts.for_each(period_ns, [&](double v) {
    v += 0.0;  // -0 is 0
    over.add(Number::of(v));
    if (function.outer == FunctionKind::kStddev) over.squares.add_product(v, v);
    if (function.outer == FunctionKind::kQuantile) values.push_back(v);
  });
  switch (function.outer) {
    case FunctionKind::kCount:
      return static_cast<int64_t>(over.numbers);
    case FunctionKind::kSum:
      return over.sum.value();
    case FunctionKind::kMin:
      return over.min;
    case FunctionKind::kMax:
      return over.max;
    case FunctionKind::kMean:
      return mean_of(over.sum, over.numbers);
    case FunctionKind::kStddev:
      return stddev({over, nullptr, period_ns, {}});
    default:
      return exact_quantile(values, function.quantile);
  }
}

}  // namespace limpet::functions
