// The counts that must balance: every line and every sample read has exactly one fate.
//
//   lines:   read = bad + unowned + written_back + original_dropped + shed
//   samples: seen = aggregated + forwarded + dropped, per rule; a sample is a field that a pattern of the rule takes
//
// Beside them stand the counts that say how well it goes; they take part in no balance. Plain data, written by the
// engine's thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "lineproto/parse.h"
#include "sketch/exponential_histogram.h"

namespace limpet {

// Why a sample was not aggregated.
enum class Drop : uint8_t { kLate, kFuture, kType, kOutOfOrder, kLimit, kUnowned };
inline constexpr size_t kDropReasons = 6;
inline constexpr size_t kBadReasons = 8;
std::string_view reason(Drop drop);  // "late", "future", ...

struct LineLedger {
  uint64_t read = 0;
  std::array<uint64_t, kBadReasons> bad{};  // by BadLine
  uint64_t unowned = 0;
  uint64_t written_back = 0;
  uint64_t original_dropped = 0;
  uint64_t shed = 0;

  uint64_t bad_total() const;
  bool balances() const { return read == bad_total() + unowned + written_back + original_dropped + shed; }
};

struct RuleLedger {
  uint64_t seen = 0;
  uint64_t aggregated = 0;
  uint64_t forwarded = 0;
  std::array<uint64_t, kDropReasons> dropped{};  // by Drop

  uint64_t windows_missed = 0;   // a sample counted in some windows, but was late for this many others
  uint64_t windows_emitted = 0;  // windows frozen that held at least one group
  uint64_t results = 0;          // result lines written
  uint64_t incomplete = 0;       // group windows that were incomplete
  uint64_t corrected = 0;        // group windows emitted again
  uint64_t uncorrectable = 0;    // windows that a sample missed and that could not be corrected
  uint64_t counter_resets = 0;
  uint64_t counter_falls = 0;  // falls of at most 1 %
  uint64_t counter_samples = 0;
  uint64_t first_from_zero = 0;  // first samples of series counted from zero
  uint64_t not_finite = 0;       // result fields left out
  uint64_t too_long = 0;         // result fields left out since alone they would make a line of 60 KiB
  uint64_t collisions = 0;       // result fields left out since an earlier rule or result wrote the same
  uint64_t unused_fields = 0;    // fields of dropped lines that no rule takes
  uint64_t folded = 0;           // samples that went to the overflow group
  uint64_t groups = 0;           // now
  uint64_t state_bytes = 0;      // now, nearly: see Engine::ledger()
  ExponentialHistogram
      lateness_s;  // seconds of grace that a sample would have needed to be in all its windows, where above zero

  uint64_t dropped_total() const;
  bool balances() const { return seen == aggregated + forwarded + dropped_total(); }
};

struct Ledger {
  LineLedger lines;
  std::map<std::string, RuleLedger> rules;  // by name; rules that ended stay

  bool balances() const;
  // The JSON of the design: {"lines":{...},"rules":{NAME:{...}}}; reasons that never happened are left out.
  std::string to_json() const;
};

}  // namespace limpet
