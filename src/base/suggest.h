// "Did you mean": the known word nearest to one that is not known.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace limpet {

// ` (did you mean "x"?)`, or nothing where no word is near (more than a third of the letters differ).
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace limpet
