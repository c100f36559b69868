// Writing of line protocol that Telegraf's parsers, InfluxDB and the public corpus read alike. All functions append to
// `out`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lineproto/point.h"

namespace limpet {

// The shortest text that reads back as the same double; plain or exponent form, whichever is shorter, no leading '+'.
// REQUIRES: value is finite.
void append_float(std::string& out, double value);
// The shortest decimal without exponent, for the tag `le`: 1, 0.1, 1000000.
void append_decimal(std::string& out, double value);

// Names, tag keys and values, field keys, escaped; control characters are replaced by '_', backslashes at the end cut,
// a '#' at the start of a measurement is replaced. A measurement or a field key that is empty after that becomes '_'; a
// tag's key or value comes out empty: the caller leaves the tag out.
void append_measurement(std::string& out, std::string_view name);
void append_tag_text(std::string& out, std::string_view text);
void append_field_key(std::string& out, std::string_view key);
// What a reader of them gets back: replaced and cut alike, not escaped.
std::string written_measurement(std::string_view name);
std::string written_field(std::string_view key);
std::string written_name(std::string_view tag_text);
// `"..."` with only `\"` and `\\` escaped, or a number with its suffix, or true/false. REQUIRES: floats are finite.
void append_value(std::string& out, const Value& value);

// One whole line with its newline. REQUIRES: at least one field.
void append_line(std::string& out, const Point& point);

}  // namespace limpet
