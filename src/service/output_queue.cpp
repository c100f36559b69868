#include "service/output_queue.h"

#include <algorithm>
#include <cstring>

namespace limpet {
namespace {

constexpr size_t kSegmentBytes = 256 * 1024;

// Where the last whole line within text[0, max) ends; 0: the first line is longer.
size_t last_line_end(std::string_view text, size_t max, Dialect dialect) {
  // Without a quote no newline is part of a string.
  if (!memchr(text.data(), '"', max)) {
    const void* newline = memrchr(text.data(), '\n', max);
    return newline ? static_cast<size_t>(static_cast<const char*>(newline) - text.data()) + 1 : 0;
  }
  size_t end = 0;
  while (end < max) {
    size_t next = end + line_bytes(text.substr(end), dialect);
    if (next > max) break;
    end = next;
  }
  return end;
}

}  // namespace

size_t line_bytes(std::string_view text, Dialect dialect) {
  const void* newline = memchr(text.data(), '\n', text.size());
  if (!newline) return text.size();
  size_t size = static_cast<size_t>(static_cast<const char*>(newline) - text.data()) + 1;
  if (!memchr(text.data(), '"', size)) return size;
  return find_line_end(text, dialect).next;
}

size_t lines_bytes(std::string_view text, size_t lines_max, Dialect dialect, size_t& lines) {
  size_t bytes = 0;
  for (lines = 0; lines < lines_max && bytes < text.size(); lines++) bytes += line_bytes(text.substr(bytes), dialect);
  return bytes;
}

uint64_t count_lines(std::string_view text, Dialect dialect) {
  size_t lines = 0;
  lines_bytes(text, SIZE_MAX, dialect, lines);
  return lines;
}

void OutputQueue::add(Kind kind, std::string& lines) {
  if (lines.empty()) return;
  bytes_ += lines.size();
  if (kind == Kind::kResults) result_bytes_ += lines.size();
  if (segments_.empty() || segments_.back().kind != kind || segments_.back().text.size() > kSegmentBytes) {
    segments_.push_back({{}, kind});
    segments_.back().text.swap(lines);
  } else {
    segments_.back().text += lines;
  }
  lines.clear();
}

uint64_t OutputQueue::lines(Kind kind) const {
  uint64_t lines = 0;
  for (const Segment& segment : segments_) {
    std::string_view rest = segment.text;
    if (&segment == &segments_.front()) {
      rest.remove_prefix(at_);
      if (line_left_ > 0 && segment.kind == kind) lines++;
      rest.remove_prefix(line_left_);
    }
    if (segment.kind == kind) lines += count_lines(rest, dialect_);
  }
  return lines;
}

std::string_view OutputQueue::chunk() {
  if (bytes_ == 0) return {};
  std::string_view rest = std::string_view(segments_.front().text).substr(at_);
  if (line_left_ > 0) return rest.substr(0, line_left_);
  if (rest.size() <= chunk_bytes_) return rest;
  if (size_t end = last_line_end(rest, chunk_bytes_, dialect_)) return rest.substr(0, end);
  line_left_ = line_bytes(rest, dialect_);
  return rest.substr(0, line_left_);
}

void OutputQueue::pop(size_t n) {
  line_left_ -= std::min(line_left_, n);
  at_ += n;
  bytes_ -= n;
  if (segments_.front().kind == Kind::kResults) result_bytes_ -= n;
  if (at_ < segments_.front().text.size()) return;
  segments_.pop_front();
  at_ = 0;
}

}  // namespace limpet
