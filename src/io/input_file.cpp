#include "io/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace limpet {
namespace {

constexpr size_t kCompressedBytes = 256 * 1024;

}  // namespace

std::expected<InputFile, std::string> InputFile::open(const std::string& path) {
  InputFile file;
  file.name_ = path == "-" ? "stdin" : path;
  file.fd_ =
      UniqueFd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat s{};
  if (!file.fd_ || ::fstat(file.fd_.get(), &s) != 0)
    return std::unexpected(fmt::format("{}: {}", file.name_, strerror(errno)));
  if (S_ISDIR(s.st_mode)) return std::unexpected(fmt::format("{}: is a directory", file.name_));
  // Only a file opened here is read from its beginning, as re-reading by offset needs.
  file.regular_ = S_ISREG(s.st_mode) && path != "-";
  if (file.regular_) file.file_bytes_ = static_cast<uint64_t>(s.st_size);
  char first[2];
  while (file.begun_.size() < 2) {
    auto n = file.read_raw({first, 2 - file.begun_.size()});
    if (!n) return std::unexpected(n.error());
    if (*n == 0) break;
    file.begun_.append(first, *n);
  }
  if (is_gzip(file.begun_)) {
    file.gzip_ = std::make_unique<GzipStream>();
    file.compressed_.resize(kCompressedBytes);
  }
  return file;
}

std::expected<size_t, std::string> InputFile::read_raw(std::span<char> out) {
  for (;;) {
    ssize_t n = ::read(fd_.get(), out.data(), out.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(fmt::format("{}: {}", name_, strerror(errno)));
    file_bytes_read_ += static_cast<uint64_t>(n);
    return static_cast<size_t>(n);
  }
}

std::expected<size_t, std::string> InputFile::read(std::span<char> out) {
  if (gzip_) return read_gzip(out);
  if (begun_.empty()) return read_raw(out);
  size_t n = std::min(begun_.size(), out.size());
  memcpy(out.data(), begun_.data(), n);
  begun_.erase(0, n);
  return n;
}

std::expected<size_t, std::string> InputFile::read_gzip(std::span<char> out) {
  for (;;) {
    if (compressed_at_ == compressed_end_ && !raw_ended_) {
      size_t begun = begun_.copy(compressed_.data(), begun_.size());
      begun_.clear();
      auto n = begun ? std::expected<size_t, std::string>(begun) : read_raw(compressed_);
      if (!n) return n;
      compressed_at_ = 0, compressed_end_ = *n;
      raw_ended_ = *n == 0;
    }
    auto step = gzip_->step({compressed_.data() + compressed_at_, compressed_end_ - compressed_at_}, out);
    compressed_at_ += step.taken;
    if (!step.ok) return std::unexpected(fmt::format("{}: the gzip data is damaged", name_));
    if (step.given > 0) return step.given;
    if (raw_ended_ && !gzip_->at_member_end())
      return std::unexpected(fmt::format("{}: the gzip data is cut off", name_));
    if (raw_ended_) return size_t{0};
  }
}

uint64_t InputFile::count_newlines(uint64_t from, uint64_t to) const {
  uint64_t count = 0;
  std::vector<char> chunk(size_t{256} << 10);
  while (from < to) {
    ssize_t n = ::pread(fd_.get(), chunk.data(), std::min<uint64_t>(chunk.size(), to - from), static_cast<off_t>(from));
    if (n <= 0) break;
    count += static_cast<uint64_t>(std::count(chunk.begin(), chunk.begin() + n, '\n'));
    from += static_cast<uint64_t>(n);
  }
  return count;
}

}  // namespace limpet
