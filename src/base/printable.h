// Texts that others wrote, for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace limpet {

// The text with a `?` for each control character (C0, DEL, and C1 in UTF-8), so that it shall not steer the terminal.
std::string printable(std::string_view text);

}  // namespace limpet
