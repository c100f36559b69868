// Reads a JSON text member by member, with the path of whatever is wrong: "slices.low[7]: expected ...". After the
// first error every read returns nothing, and the error stays. Unknown members are ignored, known ones may stand only
// once. On top of simdjson, which also checks UTF-8 and bounds the depth.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace limpet {

inline constexpr int64_t kSecondsMax = 253'402'300'799;  // the end of the year 9999

// 16 lower-case hexadecimal digits.
bool parse_hex(std::string_view text, uint64_t& out);

class JsonReader {
 public:
  struct Member {
    std::string_view name;
    std::function<void()> read;  // of the member's value
    bool required = true;
  };

  explicit JsonReader(std::string_view text);
  ~JsonReader();
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  void object(std::initializer_list<Member> members);
  void array(const std::function<void()>& read_element);
  std::string_view text();  // lives as long as the reader
  int64_t integer(int64_t from, int64_t to);
  uint64_t natural();
  double number(double from, double to);

  void fail(std::string message);
  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }

 private:
  struct Impl;
  struct Step {
    std::string_view name;  // empty: an index
    size_t index = 0;
  };
  std::string path() const;

  std::unique_ptr<Impl> impl_;
  std::vector<Step> path_;
  std::string error_;
};

}  // namespace limpet
