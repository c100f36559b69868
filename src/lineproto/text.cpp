#include "lineproto/text.h"

#include <fast_float/fast_float.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace limpet {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
// White space that Telegraf never takes for part of a name.
bool is_space(char c) { return c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r'; }

bool ends_text(char c, TextKind kind) { return c == ' ' || c == ',' || (c == '=' && kind != TextKind::kMeasurement); }

bool skip_text_telegraf(std::string_view line, size_t& pos, TextKind kind) {
  while (pos < line.size()) {
    char c = line[pos];
    if (ends_text(c, kind) || is_space(c)) break;
    if (c != '\\') {
      pos++;
      continue;
    }
    if (pos + 1 >= line.size() || is_space(line[pos + 1])) return false;
    // In a tag the second of two backslashes is read again: it may escape what follows.
    pos += kind == TextKind::kTag && line[pos + 1] == '\\' ? 1 : 2;
  }
  return pos >= line.size() || line[pos] != '\r';
}

bool is_escapable(char c, TextKind kind) { return ends_text(c, kind); }

bool skip_text_strict(std::string_view line, size_t& pos, TextKind kind) {
  while (pos < line.size()) {
    char c = line[pos];
    if (ends_text(c, kind)) break;
    if (is_control(c)) return false;
    bool escape = c == '\\' && pos + 1 < line.size() && is_escapable(line[pos + 1], kind);
    pos += escape ? 2 : 1;
  }
  return true;
}

// Telegraf replaces an escaped quote as well, but only in a text that holds something that needs escaping.
std::string unescape_telegraf(std::string_view raw, TextKind kind) {
  std::string_view escapable = kind == TextKind::kMeasurement ? ", " : ", =\"";
  if (raw.find_first_of(kind == TextKind::kMeasurement ? ", " : ", =") == raw.npos) return std::string(raw);
  std::string out;
  for (size_t i = 0; i < raw.size(); i++) {
    if (raw[i] == '\\' && i + 1 < raw.size() && escapable.find(raw[i + 1]) != escapable.npos) i++;
    out += raw[i];
  }
  return out;
}

std::string unescape_strict(std::string_view raw, TextKind kind) {
  std::string out;
  for (size_t i = 0; i < raw.size(); i++) {
    if (raw[i] == '\\' && i + 1 < raw.size() && is_escapable(raw[i + 1], kind)) i++;
    out += raw[i];
  }
  return out;
}

bool ends_value(std::string_view line, size_t pos, Dialect dialect) {
  if (pos >= line.size()) return true;
  char c = line[pos];
  return c == ',' || c == ' ' || (dialect == Dialect::kTelegraf && (c == '\t' || c == '\v' || c == '\f'));
}

// `-?digits`, no leading zeros in Telegraf's dialect.
bool integer_digits(std::string_view digits, Dialect dialect) {
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return false;
  return dialect == Dialect::kStrict || digits == "0" || digits[0] != '0';
}

template <typename Integer>
bool parse_integer(std::string_view digits, Dialect dialect, Value& out) {
  if (!integer_digits(digits, dialect) || (std::is_unsigned_v<Integer> && digits[0] == '-')) return false;
  Integer v = 0;
  auto r = std::from_chars(digits.data(), digits.data() + digits.size(), v);
  if (r.ec != std::errc() || r.ptr != digits.data() + digits.size()) return false;
  out = v;
  return true;
}

// -?(digits[.digits*]|.digits)([eE][+-]?digits)?
bool is_decimal_float(std::string_view s) {
  size_t i = s.starts_with('-') ? 1 : 0;
  auto digits = [&] {
    size_t begin = i;
    while (i < s.size() && is_digit(s[i])) i++;
    return i - begin;
  };
  size_t whole = digits(), decimals = 0;
  if (i < s.size() && s[i] == '.') i++, decimals = digits();
  if (whole + decimals == 0) return false;
  if (i < s.size() && (s[i] == 'e' || s[i] == 'E')) {
    i++;
    if (i < s.size() && (s[i] == '+' || s[i] == '-')) i++;
    if (digits() == 0) return false;
  }
  return i == s.size();
}

bool parse_decimal_float(std::string_view s, double& v) {
  auto r = fast_float::from_chars(s.data(), s.data() + s.size(), v);
  return r.ptr == s.data() + s.size() && std::isfinite(v) && (r.ec == std::errc() || v == 0);
}

// Go's underscores: only between digits, or behind the prefix.
bool drop_underscores(std::string_view s, bool hex, std::string& out) {
  auto is_part = [&](char c) {
    return is_digit(c) || (hex && std::string_view("abcdefABCDEF").find(c) != std::string_view::npos);
  };
  for (size_t i = 0; i < s.size(); i++) {
    if (s[i] != '_') {
      out += s[i];
      continue;
    }
    bool before = i > 0 && (is_part(s[i - 1]) || (hex && i >= 2 && (s[i - 1] == 'x' || s[i - 1] == 'X')));
    if (!before || i + 1 >= s.size() || !is_part(s[i + 1])) return false;
  }
  return true;
}

// What Go's ParseFloat takes beyond decimals: 0x1.8p3, and underscores between the digits of such.
bool parse_go_float(std::string_view s, double& v) {
  bool negative = s.starts_with('-');
  if (negative) s.remove_prefix(1);
  bool hex = s.starts_with("0x") || s.starts_with("0X");
  std::string plain;
  if (!drop_underscores(s, hex, plain)) return false;
  if (!hex) {
    if (!is_decimal_float(plain) || plain.starts_with('-') || !parse_decimal_float(plain, v)) return false;
  } else {
    size_t p = plain.find_first_of("pP");
    if (p == plain.npos || p + 1 >= plain.size()) return false;
    const char* begin = plain.data() + 2;
    const char* end = plain.data() + plain.size();
    std::string exponent = plain.substr(p + 1);
    if (exponent[0] == '+') plain.erase(p + 1, 1), end--;
    auto r = std::from_chars(begin, end, v, std::chars_format::hex);
    if (r.ptr != end || r.ec != std::errc() || !std::isfinite(v)) return false;
  }
  if (negative) v = -v;
  return true;
}

bool parse_number(std::string_view word, Dialect dialect, Value& out) {
  if (word.ends_with('i')) return parse_integer<int64_t>(word.substr(0, word.size() - 1), dialect, out);
  if (word.ends_with('u')) return parse_integer<uint64_t>(word.substr(0, word.size() - 1), dialect, out);
  double v = 0;
  if (is_decimal_float(word) ? !parse_decimal_float(word, v)
                             : dialect == Dialect::kTelegraf || !parse_go_float(word, v))
    return false;
  out = v;
  return true;
}

bool parse_bool(std::string_view word, Value& out) {
  constexpr std::string_view kTrue[] = {"t", "T", "true", "True", "TRUE"},
                             kFalse[] = {"f", "F", "false", "False", "FALSE"};
  bool is_true = std::find(std::begin(kTrue), std::end(kTrue), word) != std::end(kTrue);
  if (!is_true && std::find(std::begin(kFalse), std::end(kFalse), word) == std::end(kFalse)) return false;
  out = is_true;
  return true;
}

// Strict knows more escapes; an unknown one is kept as it stands.
char strict_escape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    default:
      return c == '"' || c == '\\' ? c : '\0';
  }
}

bool parse_string(std::string_view line, size_t& pos, Dialect dialect, std::string& out) {
  for (pos++; pos < line.size(); pos++) {
    char c = line[pos];
    if (c == '"') return pos++, true;
    if (c == '\\' && pos + 1 < line.size()) {
      char escaped = strict_escape(line[pos + 1]);
      bool known = dialect == Dialect::kStrict ? escaped != '\0' : line[pos + 1] == '"' || line[pos + 1] == '\\';
      if (known) {
        out += escaped;
        pos++;
        continue;
      }
      if (dialect == Dialect::kTelegraf) return false;
    }
    out += c;
  }
  return false;
}

}  // namespace

bool is_utf8(std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    auto c = static_cast<unsigned char>(s[i]);
    size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (n == 0 || i + n > s.size()) return false;
    uint32_t code = n == 1 ? c : c & (0x7fu >> n);
    for (size_t k = 1; k < n; k++) {
      auto d = static_cast<unsigned char>(s[i + k]);
      if ((d & 0xc0) != 0x80) return false;
      code = code << 6 | (d & 0x3fu);
    }
    if ((n == 3 && code < 0x800) || (n == 4 && (code < 0x10000 || code > 0x10ffff)) ||
        (code >= 0xd800 && code < 0xe000))
      return false;
    i += n;
  }
  return true;
}

bool skip_text(std::string_view line, size_t& pos, Dialect dialect, TextKind kind) {
  return dialect == Dialect::kTelegraf ? skip_text_telegraf(line, pos, kind) : skip_text_strict(line, pos, kind);
}

std::string unescape(std::string_view raw, Dialect dialect, TextKind kind) {
  return dialect == Dialect::kTelegraf ? unescape_telegraf(raw, kind) : unescape_strict(raw, kind);
}

bool parse_value(std::string_view line, size_t& pos, Dialect dialect, Value& out) {
  if (pos < line.size() && line[pos] == '"') {
    std::string text;
    if (!parse_string(line, pos, dialect, text)) return false;
    if (dialect == Dialect::kStrict && !is_utf8(text)) return false;
    out = std::move(text);
    return ends_value(line, pos, dialect);
  }
  size_t begin = pos;
  while (!ends_value(line, pos, dialect)) pos++;
  std::string_view word = line.substr(begin, pos - begin);
  if (word.empty()) return false;
  if (is_digit(word[0]) || word[0] == '-' || word[0] == '.') return parse_number(word, dialect, out);
  return parse_bool(word, out);
}

bool parse_timestamp(std::string_view line, size_t& pos, Dialect dialect, int64_t unit_ns, int64_t& out) {
  size_t begin = pos;
  if (pos < line.size() && line[pos] == '-') pos++;
  size_t digits = pos;
  while (pos < line.size() && is_digit(line[pos])) pos++;
  if (pos == digits || !ends_value(line, pos, dialect) || (pos < line.size() && line[pos] == ',')) return false;
  if (dialect == Dialect::kTelegraf && pos - digits > 19) return false;
  int64_t v = 0;
  if (std::from_chars(line.data() + begin, line.data() + pos, v).ec != std::errc()) return false;
  if (dialect == Dialect::kStrict) return !__builtin_mul_overflow(v, unit_ns, &out);
  out = static_cast<int64_t>(static_cast<uint64_t>(v) * static_cast<uint64_t>(unit_ns));
  return true;
}

size_t end_of_strings(std::string_view text, size_t pos, Dialect dialect) {
  size_t end = std::string_view::npos;
  if (!skip_text(text, pos, dialect, TextKind::kMeasurement)) return end;
  while (pos < text.size() && text[pos] == ',') {
    pos++;
    if (!skip_text(text, pos, dialect, TextKind::kTag) || pos >= text.size() || text[pos] != '=') return end;
    pos++;
    if (!skip_text(text, pos, dialect, TextKind::kTag)) return end;
  }
  auto is_blank = [&](char c) {
    return c == ' ' || (dialect == Dialect::kTelegraf && (c == '\t' || c == '\v' || c == '\f'));
  };
  if (pos >= text.size() || !is_blank(text[pos])) return end;
  while (pos < text.size() && is_blank(text[pos])) pos++;
  for (;;) {
    size_t key = pos;
    if (!skip_text(text, pos, dialect, TextKind::kFieldKey) || pos == key || pos >= text.size() || text[pos] != '=')
      return end;
    pos++;
    if (pos < text.size() && text[pos] == '"') {
      std::string ignored;
      bool closed = parse_string(text, pos, dialect, ignored);
      if (!closed)
        return pos >= text.size() ? text.size()
                                  : pos;  // never closed; or a bad escape, and the next newline ends the line
      end = pos;
    } else {
      Value ignored;
      size_t newline = std::min(text.find('\n', pos), text.size());
      if (!parse_value(text.substr(0, newline), pos, dialect, ignored))
        return end;  // bad: the line ends at the next newline
    }
    if (pos >= text.size() || text[pos] != ',') return end;
    pos++;
  }
}

}  // namespace limpet
