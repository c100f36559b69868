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

// Unix seconds as nanoseconds; those after the year 2262, which no int64_t holds, as the last there is but one (the
// last often stands for "never").
constexpr int64_t nanoseconds_of(int64_t seconds) {
  constexpr int64_t kMax = INT64_MAX - 1;
  return seconds > kMax / kSecondNs ? kMax : seconds * kSecondNs;
}

// Those between two points, or as many as there can be: times before 1970 are far from those after it.
constexpr int64_t between_ns(int64_t from_ns, int64_t to_ns) {
  int64_t length = 0;
  if (!__builtin_sub_overflow(to_ns, from_ns, &length)) return length;
  return to_ns > from_ns ? INT64_MAX : INT64_MIN;
}

// a / b rounded towards minus infinity. REQUIRES: b > 0.
constexpr int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace limpet
