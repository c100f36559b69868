#include "lineproto/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace limpet {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// A backslash at the end would escape what comes behind it.
std::string_view without_trailing_backslashes(std::string_view text) {
  while (text.ends_with('\\')) text.remove_suffix(1);
  return text;
}

void append_escaped(std::string& out, std::string_view text, std::string_view special) {
  for (char c : without_trailing_backslashes(text)) {
    if (special.find(c) != special.npos) out += '\\';
    out += is_control(c) ? '_' : c;
  }
}

template <typename Number, typename... Format>
void append_chars(std::string& out, Number v, Format... format) {
  char buffer[512];
  auto r = std::to_chars(buffer, buffer + sizeof buffer, v, format...);
  out.append(buffer, r.ptr);
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

std::string written_name(std::string_view text) {
  std::string out(without_trailing_backslashes(text));
  std::replace_if(out.begin(), out.end(), is_control, '_');
  return out;
}

std::string written_field(std::string_view key) {
  std::string out = written_name(key);
  return out.empty() ? "_" : out;
}

std::string written_measurement(std::string_view name) {
  std::string out = written_field(name);
  if (out.starts_with('#')) out[0] = '_';
  return out;
}

void append_float(std::string& out, double value) { append_chars(out, value); }

// std::to_chars would print all digits of a large number, also those that the double does not need:
// 18446744073709552000 is enough.
void append_decimal(std::string& out, double value) {
  char buffer[64];
  auto r = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(r.ptr - buffer));
  if (text.starts_with('-')) out += '-', text.remove_prefix(1);
  size_t e = text.find('e');
  int exponent = 0;
  std::string_view power = text.substr(e + (text[e + 1] == '+' ? 2 : 1));
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  std::string digits(1, text[0]);
  if (e > 2) digits.append(text.substr(2, e - 2));
  auto size = static_cast<int>(digits.size());
  if (exponent < 0)
    out.append("0.").append(static_cast<size_t>(-exponent - 1), '0').append(digits);
  else if (exponent >= size - 1)
    out.append(digits).append(static_cast<size_t>(exponent - size + 1), '0');
  else
    out.append(digits, 0, static_cast<size_t>(exponent + 1))
        .append(".")
        .append(digits, static_cast<size_t>(exponent + 1));
}

void append_measurement(std::string& out, std::string_view name) {
  size_t at = out.size();
  append_escaped(out, name, ", ");
  if (out.size() == at) out += '_';
  if (out[at] == '#') out[at] = '_';
}
void append_tag_text(std::string& out, std::string_view text) { append_escaped(out, text, ", ="); }
void append_field_key(std::string& out, std::string_view key) {
  size_t at = out.size();
  append_escaped(out, key, ", =");
  if (out.size() == at) out += '_';
}

void append_value(std::string& out, const Value& value) {
  switch (kind_of(value)) {
    case ValueKind::kFloat:
      return append_float(out, std::get<double>(value));
    case ValueKind::kInt:
      append_chars(out, std::get<int64_t>(value));
      return void(out += 'i');
    case ValueKind::kUint:
      append_chars(out, std::get<uint64_t>(value));
      return void(out += 'u');
    case ValueKind::kBool:
      return void(out += std::get<bool>(value) ? "true" : "false");
    case ValueKind::kString:
      return append_string(out, std::get<std::string>(value));
  }
}

void append_line(std::string& out, const Point& point) {
  append_measurement(out, point.name);
  for (const auto& [key, value] : point.tags) {
    std::string k, v;
    append_tag_text(k, key), append_tag_text(v, value);
    if (!k.empty() && !v.empty()) out.append(",").append(k).append("=").append(v);
  }
  char before = ' ';
  for (const auto& [key, value] : point.fields) {
    out += before;
    append_field_key(out, key);
    out += '=';
    append_value(out, value);
    before = ',';
  }
  if (point.time_ns) append_chars(out += ' ', *point.time_ns);
  out += '\n';
}

}  // namespace limpet
