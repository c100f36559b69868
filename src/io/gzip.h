// Inflating of gzip: bodies in one piece, files as a stream. Members that follow one another are read as one, as
// gzip(1) does.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace limpet {

// By its first bytes.
bool is_gzip(std::string_view bytes);

enum class InflateError { kTooLong, kMalformed };
// The whole body; never allocates more than bytes_max and a little.
std::expected<std::string, InflateError> inflate_body(std::string_view gzip, size_t bytes_max);
// One gzip member that holds `text`.
std::string deflate_body(std::string_view text);

// One stream: compressed bytes in, plain bytes out.
class GzipStream {
 public:
  GzipStream();
  ~GzipStream();
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  struct Step {
    size_t taken = 0;  // bytes of `in` that were used
    size_t given = 0;  // bytes of `out` that were filled
    bool ok = true;    // false: malformed
  };
  Step step(std::string_view in, std::span<char> out);
  // False while the stream stands within a member: if the input ends there, it was cut off.
  bool at_member_end() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace limpet
