#include "sharding/json_writer.h"

#include <algorithm>

#include "lineproto/text.h"

namespace limpet {
namespace {

// Stands for itself between quotes.
bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

// The length of the UTF-8 sequence at the front, 0 if there is none.
size_t sequence(std::string_view text) {
  for (size_t n = 1; n <= std::min<size_t>(4, text.size()); n++)
    if (is_utf8(text.substr(0, n))) return n;
  return 0;
}

}  // namespace

void JsonWriter::quote(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), is_plain)) {
    (out_ += '"').append(text) += '"';
    return;
  }
  out_ += '"';
  while (!text.empty()) {
    auto c = static_cast<unsigned char>(text.front());
    size_t size = c < 0x80 ? 1 : sequence(text);
    if (size == 0)
      out_ += "\xEF\xBF\xBD";
    else if (c == '"' || c == '\\')
      out_ += '\\', out_ += static_cast<char>(c);
    else if (c < 0x20)
      fmt::format_to(std::back_inserter(out_), "\\u{:04x}", c);
    else
      out_.append(text.substr(0, size));
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  out_ += '"';
}

}  // namespace limpet
