#include "service/line_buffer.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "engine/engine.h"

namespace limpet {

LineBuffer::LineBuffer(size_t read_bytes) : read_bytes_(read_bytes) { reserve(2 * read_bytes + kBlockPadding); }

void LineBuffer::reserve(size_t bytes) {
  if (bytes <= capacity_) return;
  auto grown = std::make_unique_for_overwrite<char[]>(bytes);
  if (end_ > begin_) memcpy(grown.get(), data_.get() + begin_, end_ - begin_);
  data_ = std::move(grown);
  capacity_ = bytes;
  end_ -= begin_, begin_ = 0;
}

std::span<char> LineBuffer::room() {
  if (begin_ > 0) {
    memmove(data_.get(), data_.get() + begin_, end_ - begin_);
    end_ -= begin_, begin_ = 0;
  }
  if (capacity_ - kBlockPadding - end_ < read_bytes_)
    reserve(std::max(2 * capacity_, end_ + read_bytes_ + kBlockPadding));
  return {data_.get() + end_, read_bytes_};
}

bool LineBuffer::added(size_t n) {
  const char* fresh = data_.get() + end_;
  end_ += n;
  if (skipping_) {
    skip();
    return end_ > begin_ && memchr(data_.get() + begin_, '\n', end_ - begin_);
  }
  return n > 0 && memchr(fresh, '\n', n) != nullptr;
}

// Drops everything up to the next newline and with it.
void LineBuffer::skip() {
  const char* from = data_.get() + begin_;
  const void* newline = end_ > begin_ ? memchr(from, '\n', end_ - begin_) : nullptr;
  if (!newline) return consume(end_ - begin_);
  consume(static_cast<size_t>(static_cast<const char*>(newline) - from) + 1);
  newlines_given_up_++;
  skipping_ = false;
}

bool LineBuffer::is_overlong() const { return end_ - begin_ > limits::kLineBytesMax + 1; }  // with the CR of its end

uint64_t LineBuffer::give_up_overlong() {
  if (!is_overlong()) return 0;
  const char* from = data_.get() + begin_;
  newlines_given_up_ += static_cast<uint64_t>(std::count(from, from + limits::kLineBytesMax, '\n'));
  consume(limits::kLineBytesMax);
  skipping_ = true;
  skip();
  return 1;
}

}  // namespace limpet
