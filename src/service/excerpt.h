// A piece of somebody's input, fit for a log line: in quotes, control characters and invalid bytes as \xNN, cut where
// it is long.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace limpet {

std::string quoted_excerpt(std::string_view text, size_t bytes_max = 160);

}  // namespace limpet
