// The state of one field of one group in one pane. A commutative monoid: merge in any order, split anywhere, same
// result (sums in double-double). Core: the first cache line, for every field. Wide: the second, only where a program
// needs it.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "base/codec.h"
#include "sketch/bounds_histogram.h"
#include "sketch/double_double.h"
#include "sketch/exponential_histogram.h"
#include "sketch/hyperloglog.h"
#include "sketch/power_histogram.h"
#include "window/first_last.h"
#include "window/program.h"
#include "window/sample.h"
#include "window/series_parts.h"

namespace limpet {

struct alignas(64) CoreCell {
  uint64_t numbers = 0;  // samples that are numbers
  uint64_t others = 0;   // samples of other types that some function took
  DoubleDouble sum;
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
  DoubleDouble squares;  // kNeedSquares

  bool empty() const { return numbers + others == 0; }
  void add(Number v) {
    double x = v.as_double() + 0.0;  // -0 is 0: which of them came first leaves no trace
    numbers++;
    v.add_to(sum);
    min = x < min ? x : min;
    max = x > max ? x : max;
  }
  void merge(const CoreCell& other);
};
static_assert(sizeof(CoreCell) == 64);

// Rarer parts, each allocated when its first sample comes.
struct RareParts {
  HyperLogLog series;                   // kNeedSeries
  PowerHistogram powers;                // kNeedPowers
  std::vector<BoundsHistogram> bounds;  // kNeedBounds: one per FieldProgram::bounds
  std::vector<SeriesParts> nested;      // kNeedNested: one per FieldProgram::nested
};

struct alignas(64) WideCell {
  DoubleDouble increase;         // kNeedIncrease
  uint64_t counter_samples = 0;  // kNeedIncrease
  std::unique_ptr<FirstLast<Value>> first_last;
  std::unique_ptr<FirstLast<Number>> number_first_last;
  std::unique_ptr<ExponentialHistogram> quantiles;
  std::unique_ptr<HyperLogLog> distinct;
  std::unique_ptr<RareParts> rare;
};
static_assert(sizeof(WideCell) == 64);

// Adds a sample. `wide` may be null where the program is not wide. True if at least one function took it.
// The core part is inline in the engine's loop; this is the whole, in the one place that says which need takes which
// sample.
bool add_sample(const FieldProgram& program, CoreCell& core, WideCell* wide, const Sample& sample);
void merge_wide(const FieldProgram& program, WideCell& into, const WideCell& from);
// Bytes allocated outside the two lines.
size_t bytes_of(const WideCell& wide);

// Lossless, versioned (FORMAT.md). decode into fresh cells; false on malformed input, whatever was read is then
// unusable. Trailing bytes are the caller's to judge.
void encode_cell(const FieldProgram& program, const CoreCell& core, const WideCell* wide, Writer& out);
bool decode_cell(const FieldProgram& program, CoreCell& core, WideCell* wide, Reader& in);

}  // namespace limpet
