#include "lineproto/parse.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/limits.h"
#include "lineproto/text.h"

namespace limpet {
namespace {

constexpr size_t kShownMax = 40;
constexpr size_t kFewFields = 32;

bool is_separator(char c, Dialect dialect) {
  return c == ' ' || (dialect == Dialect::kTelegraf && (c == '\t' || c == '\v' || c == '\f'));
}

// One line, read from left to right. After a failure `error` says where.
class Parser {
 public:
  Parser(std::string_view line, Dialect dialect) : line_(line), dialect_(dialect) {}

  bool head(Head& out) {
    skip_separators();
    if (!measurement(out.name)) return false;
    while (at() == ',') {
      Tag tag;
      if (!this->tag(tag)) return false;
      out.tags.push_back(std::move(tag));
    }
    if (!sort_tags(out.tags)) return false;
    out.size = pos_;
    return true;
  }

  bool fields(std::vector<std::pair<std::string, Value>>& out) {
    if (done() || !is_separator(at(), dialect_)) return fail(BadLine::kField, "expected a blank and a field");
    skip_separators();
    if (done()) return fail(BadLine::kField, "expected a field");
    std::unordered_map<std::string, size_t> known;  // key -> index in out, once there are many
    do {
      std::pair<std::string, Value> field;
      if (!field_key(field.first) || !value(field.second)) return false;
      size_t index = find_field(out, known, field.first);
      if (index < out.size()) {
        out[index].second = std::move(field.second);
        continue;
      }
      if (out.size() >= limits::kFieldsMax) return fail(BadLine::kTooMany, "expected no more fields");
      out.push_back(std::move(field));
    } while (accept(','));
    return true;
  }

  bool timestamp(Precision precision, std::optional<int64_t>& out) {
    if (done()) return true;
    if (!is_separator(at(), dialect_)) return fail(BadLine::kField, "expected ',' or a blank behind the value");
    skip_separators();
    if (done()) return true;
    size_t begin = pos_;
    int64_t scaled = 0;
    if (!parse_timestamp(line_, pos_, dialect_, unit_ns(precision), scaled)) {
      pos_ = begin;
      return fail(BadLine::kTimestamp, "expected a timestamp");
    }
    size_t end = pos_;
    skip_separators();
    if (!done()) return pos_ = end, fail(BadLine::kTimestamp, "expected the end of the line behind the timestamp");
    out = scaled;
    return true;
  }

  ParseError error;

 private:
  bool done() const { return pos_ >= line_.size(); }
  char at() const { return done() ? '\0' : line_[pos_]; }
  bool accept(char c) { return !done() && at() == c ? (pos_++, true) : false; }
  void skip_separators() {
    while (!done() && is_separator(at(), dialect_)) pos_++;
  }
  bool fail(BadLine bad, std::string_view expected) {
    error.bad = bad;
    error.offset = pos_;
    error.text = std::string(expected);
    if (done())
      error.text += ", but the line ends";
    else
      error.text += ", got \"" + std::string(line_.substr(pos_, kShownMax)) + "\"";
    return false;
  }

  // Few fields are compared one by one; many are found by hash, so that a long line costs no more than its length.
  static size_t find_field(const std::vector<std::pair<std::string, Value>>& fields,
                           std::unordered_map<std::string, size_t>& known, const std::string& key) {
    if (fields.size() < kFewFields) {
      auto same = [&](const auto& f) { return f.first == key; };
      return static_cast<size_t>(std::find_if(fields.begin(), fields.end(), same) - fields.begin());
    }
    for (size_t i = known.size(); i < fields.size(); i++) known.emplace(fields[i].first, i);
    auto it = known.find(key);
    return it == known.end() ? fields.size() : it->second;
  }

  bool measurement(std::string& out) {
    size_t begin = pos_;
    if (!done() && at() == '#') return fail(BadLine::kName, "expected a measurement name");
    if (!skip_text(TextKind::kMeasurement)) return fail(BadLine::kName, "a measurement name cannot hold this");
    if (pos_ == begin) return fail(BadLine::kName, "expected a measurement name");
    return unescape(begin, TextKind::kMeasurement, out);
  }

  bool tag(Tag& out) {
    size_t begin = ++pos_;
    if (!skip_text(TextKind::kTag)) return fail(BadLine::kTag, "a tag key cannot hold this");
    if (pos_ == begin) return fail(BadLine::kTag, "expected a tag key");
    if (!unescape(begin, TextKind::kTag, out.first)) return false;
    if (!accept('=')) return fail(BadLine::kTag, "expected '=' behind the tag key");
    begin = pos_;
    if (!skip_text(TextKind::kTag)) return fail(BadLine::kTag, "a tag value cannot hold this");
    if (pos_ == begin) return fail(BadLine::kTag, "expected a tag value");
    if (!done() && at() == '=') return fail(BadLine::kTag, "a tag value holds '=' only as '\\='");
    return unescape(begin, TextKind::kTag, out.second);
  }

  bool field_key(std::string& out) {
    size_t begin = pos_;
    if (!skip_text(TextKind::kFieldKey)) return fail(BadLine::kField, "a field key cannot hold this");
    if (pos_ == begin) return fail(BadLine::kField, "expected a field key");
    if (!unescape(begin, TextKind::kFieldKey, out)) return false;
    return accept('=') || fail(BadLine::kField, "expected '=' behind the field key");
  }

  bool value(Value& out) {
    size_t begin = pos_;
    if (parse_value(line_, pos_, dialect_, out)) return true;
    pos_ = begin;
    return fail(BadLine::kField, at() == '"' ? "expected a string that ends, with no escapes but \\\" and \\\\"
                                             : "expected a field value");
  }

  bool skip_text(TextKind kind) { return limpet::skip_text(line_, pos_, dialect_, kind); }
  bool unescape(size_t begin, TextKind kind, std::string& out) {
    out = limpet::unescape(line_.substr(begin, pos_ - begin), dialect_, kind);
    if (dialect_ != Dialect::kStrict || is_utf8(out)) return true;
    pos_ = begin;
    return fail(BadLine::kEncoding, "expected valid UTF-8");
  }

  // By key; of equal keys the last one stays (telegraf), or the line is bad (strict).
  bool sort_tags(std::vector<Tag>& tags) {
    std::stable_sort(tags.begin(), tags.end(), [](const Tag& a, const Tag& b) { return a.first < b.first; });
    auto same_key = [](const Tag& a, const Tag& b) { return a.first == b.first; };
    if (dialect_ == Dialect::kStrict && std::adjacent_find(tags.begin(), tags.end(), same_key) != tags.end())
      return fail(BadLine::kTag, "expected each tag once");
    auto keep = std::unique(tags.rbegin(), tags.rend(), same_key);
    tags.erase(tags.begin(), keep.base());
    return true;
  }

  std::string_view line_;
  Dialect dialect_;
  size_t pos_ = 0;
};

}  // namespace

std::string_view reason(BadLine bad) {
  constexpr std::string_view kNames[] = {"name",     "tag",      "field",    "timestamp",
                                         "encoding", "too_long", "too_many", "unterminated"};
  return kNames[static_cast<size_t>(bad)];
}

std::expected<Head, ParseError> parse_head(std::string_view line, Dialect dialect) {
  Parser parser(line, dialect);
  Head head;
  if (!parser.head(head)) return std::unexpected(std::move(parser.error));
  return head;
}

std::expected<Point, ParseError> parse_line(std::string_view line, Dialect dialect, Precision precision) {
  Parser parser(line, dialect);
  Head head;
  Point point;
  if (!parser.head(head) || !parser.fields(point.fields) || !parser.timestamp(precision, point.time_ns))
    return std::unexpected(std::move(parser.error));
  point.name = std::move(head.name);
  point.tags = std::move(head.tags);
  return point;
}

bool is_blank(std::string_view line, Dialect dialect) {
  size_t i = 0;
  while (i < line.size() && is_separator(line[i], dialect)) i++;
  if (i == line.size()) return true;
  if (line[i] != '#') return false;
  // Strict: a comment is text, too.
  return dialect == Dialect::kTelegraf || std::none_of(line.begin() + static_cast<ptrdiff_t>(i), line.end(),
                                                       [](char c) { return is_control(c) && c != '\t'; });
}

LineEnd find_line_end(std::string_view text, Dialect dialect) {
  size_t i = 0;
  while (i < text.size() && is_separator(text[i], dialect)) i++;
  size_t end = i < text.size() && text[i] == '#' ? std::string_view::npos : end_of_strings(text, i, dialect);
  // `end`: behind the last string of a line that is well-formed up to there; from there on the next newline ends it.
  size_t newline = text.find('\n', end == std::string_view::npos ? i : end);
  LineEnd found;
  found.complete = newline != std::string_view::npos;
  found.size = found.next = found.complete ? newline : text.size();
  found.next += found.complete;
  if (found.size > 0 && text[found.size - 1] == '\r') found.size--;
  return found;
}

}  // namespace limpet
