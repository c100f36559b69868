// A file, a pipe or the standard input as a stream of plain bytes; gzip is recognised by its first bytes, not by its
// name.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/gzip.h"
#include "io/unique_fd.h"

namespace limpet {

class InputFile {
 public:
  // `-` is the standard input. The error names the file.
  static std::expected<InputFile, std::string> open(const std::string& path);

  // Fills `out` as far as one read gives, at least one byte; 0 at the end. Gzip that is cut off or damaged is an error
  // after all that could be read of it.
  std::expected<size_t, std::string> read(std::span<char> out);

  const std::string& name() const { return name_; }
  // A read may wait for somebody who writes (pipe, terminal, socket).
  bool may_wait() const { return !regular_; }
  // Bytes on disk; 0: unknown. And how many of them were read.
  uint64_t file_bytes() const { return file_bytes_; }
  uint64_t file_bytes_read() const { return file_bytes_read_; }
  // True if plain bytes can be read again by their offset.
  bool can_reread() const { return regular_ && !gzip_; }
  // REQUIRES: can_reread().
  uint64_t count_newlines(uint64_t from, uint64_t to) const;

 private:
  InputFile() = default;
  std::expected<size_t, std::string> read_raw(std::span<char> out);
  std::expected<size_t, std::string> read_gzip(std::span<char> out);

  std::string name_;
  UniqueFd fd_;
  bool regular_ = false;
  uint64_t file_bytes_ = 0;
  uint64_t file_bytes_read_ = 0;
  std::string begun_;  // read to recognise gzip, not yet given
  std::unique_ptr<GzipStream> gzip_;
  std::vector<char> compressed_;
  size_t compressed_at_ = 0, compressed_end_ = 0;
  bool raw_ended_ = false;
};

}  // namespace limpet
