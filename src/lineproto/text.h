// The lexical rules of line protocol's two dialects: what may stand in a name, what a backslash means where, how values
// are spelled.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lineproto/parse.h"

namespace limpet {

enum class TextKind : uint8_t { kMeasurement, kTag, kFieldKey };

inline bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_utf8(std::string_view text);

// Moves `pos` over a name, a tag key or value, or a field key, to the first byte that is no part of it. False: a byte
// that must not stand there.
bool skip_text(std::string_view line, size_t& pos, Dialect dialect, TextKind kind);
std::string unescape(std::string_view raw, Dialect dialect, TextKind kind);

// Reads a field value; false: it is none.
bool parse_value(std::string_view line, size_t& pos, Dialect dialect, Value& out);
// Reads a timestamp and multiplies it. Telegraf's product wraps silently.
bool parse_timestamp(std::string_view line, size_t& pos, Dialect dialect, int64_t unit_ns, int64_t& out);

// The offset behind the last quoted string of the line that begins at `pos`, as far as the line is well-formed; npos if
// there is none. An unterminated string reaches to the end of the text.
size_t end_of_strings(std::string_view text, size_t pos, Dialect dialect);

}  // namespace limpet
