// Points in time. Wall time counts nanoseconds since 1970 UTC and may jump; monotonic time never goes back and has no
// date. Lengths of time are plain int64_t nanoseconds, in names that end in _ns.
#pragma once

#include <compare>
#include <cstdint>

namespace limpet {

inline constexpr int64_t kMicrosecondNs = 1'000;
inline constexpr int64_t kMillisecondNs = 1'000'000;
inline constexpr int64_t kSecondNs = 1'000'000'000;
inline constexpr int64_t kMinuteNs = 60 * kSecondNs;
inline constexpr int64_t kHourNs = 60 * kMinuteNs;

struct WallTime {
  int64_t ns = 0;
  auto operator<=>(const WallTime&) const = default;
};

struct MonoTime {
  int64_t ns = 0;
  auto operator<=>(const MonoTime&) const = default;
};

// a / b rounded towards minus infinity. REQUIRES: b > 0.
constexpr int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace limpet
