// Bytes of a stream on their way to the engine: reads are appended at the back, whole lines are taken off the front,
// and the unfinished rest stays. What has grown beyond the longest line without an end is given up, to the next
// newline. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace limpet {

class LineBuffer {
 public:
  // `read_bytes`: what a read should be able to bring at once.
  explicit LineBuffer(size_t read_bytes);

  // Room for the next read, at least read_bytes; valid until the next call. Moves the unfinished rest to the front.
  std::span<char> room();
  // `n` bytes were read into room(). True if they hold a newline, that is if there may be whole lines now.
  bool added(size_t n);
  // All bytes that wait; kBlockPadding readable bytes behind them.
  std::string_view text() const { return {data_.get() + begin_, end_ - begin_}; }
  // `n` bytes from the front are done with.
  void consume(size_t n) { begin_ += n, offset_ += n; }
  // Text that holds no whole line is longer than a line may be.
  bool is_overlong() const;
  // Call when text() holds no whole line. If it is overlong it is given up; returns how many lines that were (0 or 1).
  uint64_t give_up_overlong();
  // Of text() in the stream: all bytes consumed and given up so far.
  uint64_t offset() const { return offset_; }
  // Newlines among the bytes that were given up: lines of the stream that nobody saw.
  uint64_t newlines_given_up() const { return newlines_given_up_; }

 private:
  void reserve(size_t bytes);
  void skip();

  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0, end_ = 0;
  size_t read_bytes_;
  bool skipping_ = false;  // to the next newline
  uint64_t newlines_given_up_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace limpet
