// Durations as Go writes them ("1m30s", "1.5h", "250ms"), plus `d` for days.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace limpet {

// Nanoseconds; nullopt where the text is no duration or too long a one.
std::optional<int64_t> parse_duration(std::string_view text);
// The shortest such text: "1m30s", "10s", "1h".
std::string format_duration(int64_t ns);

}  // namespace limpet
