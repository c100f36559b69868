// What a rule computes over one field: its functions, resolved once per (rule, output measurement, field) into what has
// to be kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rules/rule.h"

namespace limpet {

// What a pane keeps beyond count, sum, min and max of the numbers.
enum Need : uint32_t {
  kNeedSquares = 1 << 0,
  kNeedFirstLast = 1 << 1,        // of any type
  kNeedNumberFirstLast = 1 << 2,  // of numbers
  kNeedQuantiles = 1 << 3,
  kNeedDistinct = 1 << 4,
  kNeedSeries = 1 << 5,    // count_series
  kNeedIncrease = 1 << 6,  // increase, rate, total
  kNeedPowers = 1 << 7,    // histogram
  kNeedBounds = 1 << 8,    // histogram(...)
  kNeedNested = 1 << 9,    // OUTER(INNER)
};
// These live in the first cache line of a cell; everything else in the second (window/cell.h).
inline constexpr uint32_t kCoreNeeds = kNeedSquares;

struct FieldProgram {
  std::string field;                    // input field
  std::vector<FunctionSpec> functions;  // in order of the rule
  std::vector<std::string> names;       // result field of each function
  uint32_t needs = 0;                   // of Need
  bool counts_any = false;              // a function takes samples of every type
  bool counts_numbers = false;          // a function takes numbers whatever a counter says of them
  bool has_counter = false;             // last values of input series are needed
  bool has_total = false;
  std::vector<const FunctionSpec*> bounds;  // the functions with kNeedBounds, pointing into `functions`
  std::vector<const FunctionSpec*> nested;  // the functions with kNeedNested

  FieldProgram() = default;
  FieldProgram(const FieldProgram&) = delete;  // `bounds` and `nested` point inside
  FieldProgram& operator=(const FieldProgram&) = delete;
  FieldProgram(const Rule& rule, std::string_view field);

  bool wide() const { return (needs & ~kCoreNeeds) != 0; }  // cells take two cache lines
  bool takes(bool number) const { return number || counts_any; }
};

}  // namespace limpet
