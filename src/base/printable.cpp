#include "base/printable.h"

namespace limpet {

std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    auto c = static_cast<unsigned char>(text[i]);
    auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;
    out += c < 0x20 || c == 0x7f || c1 ? '?' : text[i];
    i += c1;
  }
  return out;
}

}  // namespace limpet
