#include "rules/duration.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "base/time.h"

namespace limpet {
namespace {

constexpr std::pair<std::string_view, int64_t> kUnits[] = {{"ns", 1},
                                                           {"us", kMicrosecondNs},
                                                           {"\xc2\xb5s", kMicrosecondNs},  // micro sign
                                                           {"\xce\xbcs", kMicrosecondNs},  // Greek mu
                                                           {"ms", kMillisecondNs},
                                                           {"s", kSecondNs},
                                                           {"m", kMinuteNs},
                                                           {"h", kHourNs},
                                                           {"d", 24 * kHourNs}};

}  // namespace

std::string_view describe(DurationFault fault) {
  return fault == DurationFault::kTooLong ? "is too long" : "is no duration, such as \"10s\" or \"1m\"";
}

std::expected<int64_t, DurationFault> parse_duration(std::string_view text) {
  constexpr auto malformed = std::unexpected(DurationFault::kMalformed);
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return malformed;
  long double total = 0;
  while (!text.empty()) {
    size_t digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == text.npos) return malformed;
    double n = 0;
    const char *begin = text.data(), *end = begin + digits;
    auto r = std::from_chars(begin, end, n, std::chars_format::fixed);
    if (r.ec != std::errc() || r.ptr != end) return malformed;
    text.remove_prefix(digits);
    std::string_view unit = text.substr(0, text.find_first_of("0123456789."));
    int64_t unit_ns = 0;
    for (const auto& [name, ns] : kUnits)
      if (name == unit) unit_ns = ns;
    if (unit_ns == 0) return malformed;
    text.remove_prefix(unit.size());
    total += static_cast<long double>(n) * static_cast<long double>(unit_ns);
  }
  if (total > static_cast<long double>(kDurationMaxNs)) return std::unexpected(DurationFault::kTooLong);
  return std::llroundl(total);
}

std::string format_duration(int64_t ns) {
  if (ns == 0) return "0s";
  std::string out;
  for (size_t i = std::size(kUnits); i-- > 0;) {
    if (kUnits[i].first.size() > 2 || ns < kUnits[i].second) continue;
    out += std::to_string(ns / kUnits[i].second);
    out += kUnits[i].first;
    ns %= kUnits[i].second;
  }
  return out;
}

}  // namespace limpet
