// The fast path over lines in their usual form. What is unusual (escapes in names, other white space than one blank,
// hexadecimal, strange escapes, a missing part) is not judged here: the scanner says "odd" and the caller asks the full
// parser (lineproto/parse.h), which alone decides what a line means. What the scanner does accept it reads exactly as
// the full parser does.
//
// All functions may read up to 32 bytes behind what they are given (REQUIRES: readable), and rely on a '\n' at the
// line's end.
#pragma once

#include <fast_float/fast_float.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/value.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace limpet {

// A field's value where it stands.
struct ScannedValue {
  ValueKind kind = ValueKind::kFloat;
  bool escaped = false;  // kString: holds \" or \\ .
  bool boolean = false;
  uint32_t text_size = 0;
  union {
    double number = 0;
    int64_t integer;
    uint64_t natural;
    const char* text;  // kString: between the quotes
  };
};

// The first of one or two bytes at or behind p. REQUIRES: it exists, or `end` bounds the search (the result may then be
// up to 15 beyond it).
inline const char* find_either(const char* p, const char* end, char a, char b) {
#if defined(__SSE2__)
  const __m128i want_a = _mm_set1_epi8(a), want_b = _mm_set1_epi8(b);
  for (; p < end; p += 16) {
    __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    int mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, want_a), _mm_cmpeq_epi8(v, want_b)));
    if (mask) return p + std::countr_zero(static_cast<unsigned>(mask));
  }
#else
  for (; p < end; p++)
    if (*p == a || *p == b) return p;
#endif
  return end;
}

// The first blank or control character at or behind p. REQUIRES: as for find_either.
inline const char* find_blank(const char* p, const char* end) {
#if defined(__SSE2__)
  const __m128i blank = _mm_set1_epi8(' ');
  for (; p < end; p += 16) {
    __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, blank), v));
    if (mask) return p + std::countr_zero(static_cast<unsigned>(mask));
  }
#else
  for (; p < end; p++)
    if (static_cast<unsigned char>(*p) <= ' ') return p;
#endif
  return end;
}

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// True if all 8 bytes are digits; `eight_digits` then reads them (first byte most significant).
inline bool are_eight_digits(uint64_t v) {
  return (((v + 0x4646464646464646) | (v - 0x3030303030303030)) & 0x8080808080808080) == 0;
}
inline uint32_t eight_digits(uint64_t v) {
  v -= 0x3030303030303030;
  v = v * 10 + (v >> 8);
  return static_cast<uint32_t>(
      ((v & 0x000000FF000000FF) * 0x000F424000000064 + ((v >> 16) & 0x000000FF000000FF) * 0x0000271000000001) >> 32);
}

// Reads a run of digits; wraps silently beyond 19 of them, so the caller must count.
inline uint64_t scan_digits(const char*& p, uint64_t v = 0) {
  if constexpr (std::endian::native == std::endian::little) {
    for (;; p += 8) {
      uint64_t word;
      std::memcpy(&word, p, 8);
      if (!are_eight_digits(word)) break;
      v = v * 100000000 + eight_digits(word);
    }
  }
  for (; is_digit(*p); p++) v = v * 10 + static_cast<uint64_t>(*p - '0');
  return v;
}

namespace fields_detail {

inline constexpr double kPowersOfTen[] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                          1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Anything with an exponent or more than 19 digits. [start, p) are `-`, digits, at most one dot.
inline bool scan_long_float(const char* start, const char*& p, ScannedValue& out) {
  if (*p == 'e' || *p == 'E') {
    p++;
    if (*p == '+' || *p == '-') p++;
    if (!is_digit(*p)) return false;
    while (is_digit(*p)) p++;
  }
  auto r = fast_float::from_chars(start, p, out.number);
  return r.ec == std::errc() && r.ptr == p && std::isfinite(out.number);
}

// mantissa / 10^decimals, exactly rounded. Clinger's exact division where both are exact, else Eisel and Lemire.
inline bool to_double(uint64_t mantissa, int decimals, bool negative, double& out) {
  if (mantissa < (uint64_t{1} << 53) && decimals <= 22) {
    double v = static_cast<double>(mantissa) / kPowersOfTen[decimals];
    out = negative ? -v : v;
    return true;
  }
  auto am = fast_float::compute_float<fast_float::binary_format<double>>(-decimals, mantissa);
  if (am.power2 < 0) return false;
  fast_float::to_float(negative, am, out);
  return true;
}

inline bool scan_number(const char*& p, ScannedValue& out) {
  const char* start = p;
  bool negative = *p == '-';
  p += negative;
  const char* digits = p;
  uint64_t mantissa = scan_digits(p);
  auto whole = p - digits;
  if (whole == 0) return false;
  if (*p == 'i' || *p == 'u') {
    if ((*digits == '0' && whole > 1) || whole > 18) {
      // Leading zeros are the dialect's business; 19 digits and more may overflow.
      if (whole != 19 || *digits == '0' || mantissa > static_cast<uint64_t>(INT64_MAX)) return false;
    }
    if (*p == 'u') {
      if (negative) return false;
      out.kind = ValueKind::kUint, out.natural = mantissa;
    } else {
      out.kind = ValueKind::kInt,
      out.integer = negative ? -static_cast<int64_t>(mantissa) : static_cast<int64_t>(mantissa);
    }
    p++;
    return true;
  }
  out.kind = ValueKind::kFloat;
  int decimals = 0;
  if (*p == '.') {
    const char* dot = ++p;
    mantissa = scan_digits(p, mantissa);
    decimals = static_cast<int>(p - dot);
  }
  if (whole + decimals <= 19 && *p != 'e' && *p != 'E' && to_double(mantissa, decimals, negative, out.number))
    return true;
  return scan_long_float(start, p, out);
}

// REQUIRES: *p is the opening quote.
inline bool scan_string(const char*& p, const char* end, ScannedValue& out) {
  const char* begin = ++p;
  out.kind = ValueKind::kString, out.escaped = false;
  for (;;) {
    p = find_either(p, end, '"', '\\');
    if (p >= end) return false;
    if (*p == '"') break;
    if (p[1] != '"' && p[1] != '\\') return false;
    out.escaped = true;
    p += 2;
  }
  out.text = begin, out.text_size = static_cast<uint32_t>(p - begin);
  p++;
  return true;
}

inline bool scan_bool(const char*& p, ScannedValue& out) {
  const char* start = p;
  while (static_cast<unsigned char>((*p | 0x20) - 'a') < 26) p++;
  std::string_view word(start, static_cast<size_t>(p - start));
  out.kind = ValueKind::kBool;
  out.boolean = word == "t" || word == "T" || word == "true" || word == "True" || word == "TRUE";
  return out.boolean || word == "f" || word == "F" || word == "false" || word == "False" || word == "FALSE";
}

}  // namespace fields_detail

// Reads the value at p and leaves p behind it. False: odd, p is anywhere. The caller looks at what follows.
inline bool scan_value(const char*& p, const char* end, ScannedValue& out) {
  if (is_digit(*p) || *p == '-') return fields_detail::scan_number(p, out);
  if (*p == '"') return fields_detail::scan_string(p, end, out);
  return fields_detail::scan_bool(p, out);
}

// Reads a timestamp of up to 18 digits, or of 19 in int64_t. False: odd.
inline bool scan_timestamp(const char*& p, int64_t& out) {
  bool negative = *p == '-';
  p += negative;
  const char* digits = p;
  uint64_t v = scan_digits(p);
  auto size = p - digits;
  if (size == 0 || size > 19 || v > static_cast<uint64_t>(INT64_MAX)) return false;
  out = negative ? -static_cast<int64_t>(v) : static_cast<int64_t>(v);
  return true;
}

// Where a line with a quote in its fields ends: p is at its first field key. Returns its '\n', or null where the line
// is odd (or cut off before `end`): then find_line_end decides. REQUIRES: end[-1] == '\n'.
inline const char* find_quoted_line_end(const char* p, const char* end) {
  for (;;) {
    const char* key = p;
    while (p < end && *p != '=' && *p != ' ' && *p != ',' && *p != '\\' && *p != '\n') p++;
    if (p >= end || *p != '=' || p == key) return nullptr;
    p++;
    ScannedValue ignored;
    if (p >= end || !scan_value(p, end, ignored) || p >= end)
      return nullptr;  // a bad value ends the line at the next newline
    if (*p == ',') {
      p++;
      continue;
    }
    if (*p == '\n') return p;
    if (*p != ' ') return nullptr;
    for (p++; p < end && (is_digit(*p) || *p == '-'); p++) {
    }
    return p < end && *p == '\n' ? p : nullptr;
  }
}

}  // namespace limpet
