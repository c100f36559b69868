#include "service/excerpt.h"

#include <fmt/format.h>

namespace limpet {

std::string quoted_excerpt(std::string_view text, size_t bytes_max) {
  std::string out = "\"";
  for (char c : text.substr(0, bytes_max)) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (c == '\n')
      out += "\\n";
    else if (byte < 0x20 || byte >= 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  out += text.size() > bytes_max ? "\"..." : "\"";
  return out;
}

}  // namespace limpet
