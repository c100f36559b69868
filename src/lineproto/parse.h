// The full parser of line protocol, in two dialects, after the grammar: right in every case, and the oracle of the fast
// path.
//
//   telegraf: what Telegraf's own default parser (plugins/parsers/influx, 1.39) accepts, and its meaning of it
//   strict:   what InfluxData's public conformance corpus accepts
//
// Both need no more than the bytes; neither keeps state between lines. Thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "lineproto/point.h"

namespace limpet {

enum class Dialect : uint8_t { kTelegraf, kStrict };

// Unit of the timestamps of a text; times are multiplied into ns.
enum class Precision : uint8_t { kNs, kUs, kMs, kS, kMinute, kHour };
constexpr int64_t unit_ns(Precision p) {
  constexpr int64_t kUnits[] = {1, 1'000, 1'000'000, 1'000'000'000, 60'000'000'000, 3'600'000'000'000};
  return kUnits[static_cast<int>(p)];
}

// Why a line is bad: one counter each.
enum class BadLine : uint8_t {
  kName,         // no or malformed measurement name
  kTag,          // malformed or empty tag, a tag twice (strict)
  kField,        // no field, malformed field key or value, NaN, number out of range
  kTimestamp,    // malformed or out of range
  kEncoding,     // control character or invalid UTF-8 where the dialect forbids it
  kTooLong,      // longer than limits::kLineBytesMax
  kTooMany,      // more tags or fields than the limits
  kUnterminated  // the input ended within the line (only where that means it was cut off)
};
std::string_view reason(BadLine bad);  // "name", "tag", ... as the ledger prints it

struct ParseError {
  BadLine bad = BadLine::kName;
  size_t offset = 0;  // of the offending byte, within the line
  std::string text;   // what was expected there, e.g. `expected a field value, got "abc"`
};

// Where a line ends.
struct LineEnd {
  size_t size = 0;        // bytes of the line without its newline (and without the CR of a CRLF)
  size_t next = 0;        // offset of what follows the newline
  bool complete = false;  // a newline was found; false: the text ended first
};

// Finds the end of the line that begins at text[0]. A newline within a quoted string value does not end a line; a quote
// opens a string only where a field value begins. Never fails; linear in the line's length.
LineEnd find_line_end(std::string_view text, Dialect dialect);

// Parses one whole line, without its newline. Blank lines and comments are not lines: see is_blank.
// A time out of int64_t nanoseconds after multiplication is an error in both dialects but where Telegraf wraps.
std::expected<Point, ParseError> parse_line(std::string_view line, Dialect dialect,
                                            Precision precision = Precision::kNs);

// True for what is skipped without being counted: empty or white space only (by the dialect), or a comment.
bool is_blank(std::string_view line, Dialect dialect);

// The head of a line: measurement and tags, unescaped, sorted, of duplicate tags the last (telegraf).
struct Head {
  std::string name;
  std::vector<Tag> tags;
  size_t size = 0;  // bytes of the line up to, not with, the white space behind the head
};
std::expected<Head, ParseError> parse_head(std::string_view line, Dialect dialect);

}  // namespace limpet
