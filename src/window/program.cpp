#include "window/program.h"

namespace limpet {
namespace {

uint32_t need_of(const FunctionSpec& function) {
  switch (function.kind) {
    case FunctionKind::kCount:
    case FunctionKind::kSum:
    case FunctionKind::kMin:
    case FunctionKind::kMax:
    case FunctionKind::kMean:
    case FunctionKind::kRange:
      return 0;
    case FunctionKind::kStddev:
    case FunctionKind::kVariance:
      return kNeedSquares;
    case FunctionKind::kFirst:
    case FunctionKind::kLast:
      return kNeedFirstLast;
    case FunctionKind::kInterval:
    case FunctionKind::kDiff:
    case FunctionKind::kPercentChange:
    case FunctionKind::kDerivative:
    case FunctionKind::kNonNegativeDiff:
      return kNeedNumberFirstLast;
    case FunctionKind::kQuantile:
      return kNeedQuantiles;
    case FunctionKind::kHistogram:
      return kNeedPowers;
    case FunctionKind::kHistogramBounds:
      return kNeedBounds;
    case FunctionKind::kDistinct:
      return kNeedDistinct;
    case FunctionKind::kCountSeries:
      return kNeedSeries;
    case FunctionKind::kIncrease:
    case FunctionKind::kRate:
    case FunctionKind::kTotal:
      return kNeedIncrease;
    case FunctionKind::kNested:
      return kNeedNested;
  }
  return 0;
}

}  // namespace

FieldProgram::FieldProgram(const Rule& rule, std::string_view input)
    : field(input), functions(rule.functions_of(input)) {
  for (const FunctionSpec& function : functions) {
    names.push_back(rule.result_field(field, function));
    needs |= need_of(function);
    counts_any |= takes_any_type(function);
    counts_numbers |= !is_counter(function);
    has_counter |= is_counter(function);
    has_total |= function.kind == FunctionKind::kTotal;
    if (function.kind == FunctionKind::kHistogramBounds) bounds.push_back(&function);
    if (function.kind == FunctionKind::kNested) nested.push_back(&function);
  }
}

}  // namespace limpet
