// OUTER(INNER): INNER over the samples of each input series, then OUTER over the values of the series; a series without
// a value is left out. sum(last) of a gauge is the fleet's total, mean(max) the mean of the series' peaks. count is an
// integer, all else a float. stddev is of the sample, absent below two series; quantiles are exact.
#pragma once

#include <optional>

#include "window/result.h"

namespace limpet::functions {

// `parts`: of this function. nullopt where no series has a value.
std::optional<Value> nested(const FunctionSpec& function, const SeriesParts& parts, int64_t period_ns);

}  // namespace limpet::functions
