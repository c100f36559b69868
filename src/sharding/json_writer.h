// Appends JSON to a string: for files of many numbers, which a tree of values would make slow. Commas come by
// themselves. Strings that are no valid UTF-8 get U+FFFD for the bytes that are not.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace limpet {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void begin_object() { separate(), out_ += '{', first_ = true; }
  void end_object() { out_ += '}', first_ = false; }
  void begin_array() { separate(), out_ += '[', first_ = true; }
  void end_array() { out_ += ']', first_ = false; }
  // REQUIRES: a name that needs no escapes.
  JsonWriter& key(std::string_view name) {
    separate();
    (out_ += '"').append(name).append("\":");
    first_ = true;
    return *this;
  }
  void value(std::string_view text) { separate(), quote(text); }
  template <typename Integer>
    requires std::is_integral_v<Integer>
  void value(Integer number) {
    separate();
    fmt::format_int text(number);
    out_.append(text.data(), text.size());
  }
  // Shortest form that reads back the same. JSON has no NaN and no infinity: those are written as 0.
  void value(double number) {
    separate();
    fmt::format_to(std::back_inserter(out_), "{}", std::isfinite(number) ? number : 0);
  }
  // 16 lower-case hexadecimal digits, in quotes.
  void hex(uint64_t number) {
    separate();
    char text[18];
    text[0] = text[17] = '"';
    for (int i = 16; i > 0; i--, number >>= 4) text[i] = "0123456789abcdef"[number & 15];
    out_.append(text, sizeof text);
  }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  void quote(std::string_view text);

  std::string& out_;
  bool first_ = true;
};

}  // namespace limpet
