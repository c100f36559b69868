// Durations as Go writes them ("1m30s", "1.5h", "250ms"), plus `d` for days.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/time.h"

namespace limpet {

enum class DurationFault : uint8_t { kMalformed, kTooLong };
std::string_view describe(DurationFault fault);  // "is no duration, ...", behind the text

// A round number of days that int64_t holds.
inline constexpr int64_t kDurationMaxNs = int64_t{106'000} * 24 * kHourNs;

// Nanoseconds, at most kDurationMaxNs.
std::expected<int64_t, DurationFault> parse_duration(std::string_view text);
// The shortest such text: "1m30s", "10s", "1h".
std::string format_duration(int64_t ns);

}  // namespace limpet
