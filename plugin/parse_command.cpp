#include "plugin/parse_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>

#include "base/limits.h"
#include "base/time.h"
#include "io/input_file.h"
#include "lineproto/format.h"
#include "lineproto/parse.h"
#include "lineproto/text.h"
#include "service/line_buffer.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(Parses line protocol and prints one JSON object per line: what Limpet understood, or why it did not.

  {"ok":true,"point":{"time":1,"name":"cpu","tags":[{"key":"host","value":"a"}],"fields":[{"key":"usage","value":{"float":0.5}}]}}
  {"ok":false,"line":2,"column":5,"error":"expected a field value, got \"abc\""}

Blank lines and comments print nothing. Strings that are not UTF-8 stand as {"binary":BASE64}. Exit code 1 if a line is bad.)";

constexpr const char* kExamples = R"(
Examples:
  limpet parse metrics.lp
  limpet parse --dialect strict --precision ms metrics.lp.gz
  echo 'cpu,host=a usage=0.5' | limpet parse --default-time 1763640000000000000)";

constexpr std::string_view kTooLong = "the line is longer than 1 MiB";

struct Arguments {
  std::string dialect = "telegraf";
  std::string precision = "ns";
  std::optional<int64_t> default_time_ns;
  std::string file = "-";
};

std::string base64(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t k = 0; k < 3; k++)
      three = three << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; k++) out += i + k > bytes.size() ? '=' : kLetters[three >> (18 - 6 * k) & 63];
  }
  return out;
}

void append_json(std::string& out, std::string_view text) {
  if (!is_utf8(text)) {
    out += "{\"binary\":\"" + base64(text) + "\"}";
    return;
  }
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  out += '"';
}

// To an ordinary reader of JSON -0 is the integer 0.
void append_json(std::string& out, double value) {
  if (value == 0 && std::signbit(value))
    out += "-0.0";
  else
    append_float(out, value);
}

void append_json(std::string& out, const Value& value) {
  switch (kind_of(value)) {
    case ValueKind::kFloat:
      append_json(out += "{\"float\":", std::get<double>(value));
      break;
    case ValueKind::kInt:
      out += "{\"int\":" + std::to_string(std::get<int64_t>(value));
      break;
    case ValueKind::kUint:
      out += "{\"uint\":" + std::to_string(std::get<uint64_t>(value));
      break;
    case ValueKind::kBool:
      out += std::get<bool>(value) ? "{\"bool\":true" : "{\"bool\":false";
      break;
    case ValueKind::kString:
      append_json(out += "{\"string\":", std::string_view(std::get<std::string>(value)));
      break;
  }
  out += '}';
}

std::string to_json(const Point& point) {
  std::string out = "{\"ok\":true,\"point\":{\"time\":" + std::to_string(*point.time_ns) + ",\"name\":";
  append_json(out, std::string_view(point.name));
  out += ",\"tags\":[";
  for (const auto& [key, value] : point.tags) {
    if (out.back() != '[') out += ',';
    append_json(out += "{\"key\":", std::string_view(key));
    append_json(out += ",\"value\":", std::string_view(value));
    out += '}';
  }
  out += "],\"fields\":[";
  for (const auto& [key, value] : point.fields) {
    if (out.back() != '[') out += ',';
    append_json(out += "{\"key\":", std::string_view(key));
    append_json(out += ",\"value\":", value);
    out += '}';
  }
  return out + "]}}\n";
}

// Reads a stream and prints an object for each of its lines.
class ParseRun {
 public:
  ParseRun(const Arguments& arguments, InputFile file) : file_(std::move(file)), buffer_(size_t{1} << 20) {
    dialect_ = arguments.dialect == "strict" ? Dialect::kStrict : Dialect::kTelegraf;
    constexpr std::string_view kPrecisions[] = {"ns", "us", "ms", "s"};
    precision_ = static_cast<Precision>(std::find(std::begin(kPrecisions), std::end(kPrecisions), arguments.precision) -
                                        std::begin(kPrecisions));
    default_time_ns_ = arguments.default_time_ns;
  }

  // False: a line was bad, or the file could not be read.
  bool run() {
    for (;;) {
      auto n = file_.read(buffer_.room());
      if (!n) {
        fmt::print(stderr, "limpet parse: {}\n", n.error());
        return false;
      }
      if (*n == 0) break;
      if (buffer_.added(*n)) whole_lines();
      while (give_up_overlong()) whole_lines();
      flush();
    }
    if (!buffer_.text().empty()) line(buffer_.text().substr(0, find_line_end(buffer_.text(), dialect_).size));
    flush();
    return good_;
  }

 private:
  void whole_lines() {
    for (;;) {
      LineEnd end = find_line_end(buffer_.text(), dialect_);
      if (!end.complete) return;
      line(buffer_.text().substr(0, end.size));
      buffer_.consume(end.next);
    }
  }

  bool give_up_overlong() {
    if (!buffer_.is_overlong()) return false;
    bad(0, kTooLong);
    buffer_.give_up_overlong();
    return true;
  }

  void line(std::string_view text) {
    if (text.size() > limits::kLineBytesMax)
      bad(0, kTooLong);
    else if (!is_blank(text, dialect_))
      parsed(text);
    newlines_ += 1 + static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
  }

  void parsed(std::string_view text) {
    auto point = parse_line(text, dialect_, precision_);
    if (!point) return bad(point.error().offset, point.error().text);
    if (!point->time_ns) point->time_ns = truncated(default_time_ns_ ? *default_time_ns_ : now_ns());
    out_ += to_json(*point);
  }

  void bad(size_t offset, std::string_view error) {
    good_ = false;
    uint64_t line_number = newlines_ + buffer_.newlines_given_up() + 1;
    out_ += fmt::format("{{\"ok\":false,\"line\":{},\"column\":{},\"error\":", line_number, offset + 1);
    append_json(out_, error);
    out_ += "}\n";
  }

  static int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  int64_t truncated(int64_t ns) const { return floor_div(ns, unit_ns(precision_)) * unit_ns(precision_); }

  void flush() {
    fwrite(out_.data(), 1, out_.size(), stdout);
    out_.clear();
  }

  InputFile file_;
  LineBuffer buffer_;
  Dialect dialect_;
  Precision precision_;
  std::optional<int64_t> default_time_ns_;
  uint64_t newlines_ = 0;  // of the lines that were looked at
  bool good_ = true;
  std::string out_;
};

// CLI11 itself would clamp it, and take 010 for an octal number.
int64_t time_of(const std::string& text) {
  int64_t time_ns = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), time_ns);
  if (error == std::errc() && end == text.data() + text.size()) return time_ns;
  throw CLI::ValidationError("--default-time", "\"" + text + "\" is no whole number of nanoseconds in 64 bits");
}

}  // namespace

void add_parse_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("parse", "Print what line protocol says, line by line, as JSON");
  command->footer(std::string(kHelp) + "\n" + kExamples);
  command
      ->add_option("--dialect", arguments->dialect,
                   "telegraf: what Telegraf's parser accepts; strict: the public corpus")
      ->check(CLI::IsMember({"telegraf", "strict"}))
      ->capture_default_str();
  command->add_option("--precision", arguments->precision, "Unit of the timestamps")
      ->check(CLI::IsMember({"ns", "us", "ms", "s"}))
      ->capture_default_str();
  command
      ->add_option_function<std::string>(
          "--default-time", [arguments](const std::string& text) { arguments->default_time_ns = time_of(text); },
          "Timestamp in ns of lines that have none; default: now")
      ->type_name("INT");
  command->add_option("file", arguments->file, "Lines, plain or gzip; - is stdin")
      ->type_name("FILE")
      ->capture_default_str();
  command->callback([arguments, &exit_code] {
    auto file = InputFile::open(arguments->file);
    if (!file) {
      fmt::print(stderr, "limpet parse: {}\n", file.error());
      exit_code = 1;
      return;
    }
    exit_code = ParseRun(*arguments, std::move(*file)).run() ? 0 : 1;
  });
}

}  // namespace limpet
