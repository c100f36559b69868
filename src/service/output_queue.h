// What waits for stdout: whole lines, first in, first out, in chunks that a kill cannot cut. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "lineproto/parse.h"

namespace limpet {

class OutputQueue {
 public:
  // `chunk_bytes`: what one write may hold; a longer line makes a chunk of its own. For pipes PIPE_BUF: up to it a
  // write is all or nothing.
  OutputQueue(size_t chunk_bytes, Dialect dialect) : chunk_bytes_(chunk_bytes), dialect_(dialect) {}

  enum class Kind : uint8_t { kWrittenBack, kResults };
  // Whole lines; empties `lines`.
  void add(Kind kind, std::string& lines);
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }
  size_t result_bytes() const { return result_bytes_; }
  // Lines of a kind that are not written whole. Linear in their bytes.
  uint64_t lines(Kind kind) const;

  // What to write next: ends where a line ends. Empty: nothing waits.
  std::string_view chunk();
  // The first `n` bytes of chunk() are written.
  void pop(size_t n);

 private:
  struct Segment {
    std::string text;
    Kind kind;
  };
  const size_t chunk_bytes_;
  const Dialect dialect_;
  std::deque<Segment> segments_;
  size_t at_ = 0;         // in the first segment
  size_t line_left_ = 0;  // of a line that is being written in parts
  size_t bytes_ = 0, result_bytes_ = 0;
};

// The size of the line that begins at text[0], with its newline. REQUIRES: text is whole, well-formed lines.
size_t line_bytes(std::string_view text, Dialect dialect);
// The bytes of the first `lines_max` lines; `lines` gets how many there were.
size_t lines_bytes(std::string_view text, size_t lines_max, Dialect dialect, size_t& lines);
uint64_t count_lines(std::string_view text, Dialect dialect);

}  // namespace limpet
