#include "io/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/unique_fd.h"

namespace limpet {
namespace {

std::unexpected<std::string> failure(const std::string& path) {
  return std::unexpected(fmt::format("{}: {}", path, strerror(errno)));
}

// A reader that takes nothing for so long is gone: whoever ends must not wait for it.
constexpr int kReaderWaitMs = 5000;

// False: nobody took anything.
bool wait_for_reader(int fd) {
  pollfd p{.fd = fd, .events = POLLOUT, .revents = 0};
  int ready = ::poll(&p, 1, kReaderWaitMs);
  if (ready == 0) errno = ETIMEDOUT;
  return ready > 0 || (ready < 0 && errno == EINTR);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN && wait_for_reader(fd)) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// Below these a name stands for something that is open already, as /dev/stdin and the /dev/fd/63 of a shell's `<(...)`.
bool is_below_dev_or_proc(const std::string& path) { return path.starts_with("/dev/") || path.starts_with("/proc/"); }

// What a redirection leads to may be a file, and is written on from where it stands.
bool is_open_already(const std::string& path) {
  return path.starts_with("/dev/fd/") || path.starts_with("/proc/") || path == "/dev/stdout" || path == "/dev/stderr";
}

// A FIFO that somebody left among the rules would block the open or the read for ever.
std::expected<UniqueFd, std::string> open_to_read(const std::string& path) {
  bool any_kind = is_below_dev_or_proc(path);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | (any_kind ? 0 : O_NONBLOCK)));
  struct stat s{};
  bool is_socket = !fd && errno == ENXIO;
  if (!is_socket && (!fd || ::fstat(fd.get(), &s) != 0)) return failure(path);
  // Reading a directory says itself what is wrong.
  if (any_kind || (fd && (S_ISREG(s.st_mode) || S_ISDIR(s.st_mode)))) return fd;
  return std::unexpected(path + ": is not a regular file");
}

bool is_directory(const std::string& path) {
  struct stat s{};
  return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}

// The file that is written to if `path` is; it need not be there.
std::expected<std::string, std::string> end_of_links(const std::string& path) {
  constexpr int kLinksMax = 40;  // as many as Linux follows
  std::string end = path;
  char target[PATH_MAX];
  for (int i = 0; i < kLinksMax; i++) {
    ssize_t n = ::readlink(end.c_str(), target, sizeof target);
    if (n < 0) return end;
    end = join_path(directory_of(end), std::string(target, static_cast<size_t>(n)));
  }
  errno = ELOOP;
  return failure(path);
}

// Errors name the file as the caller knows it.
std::expected<void, std::string> replace(const std::string& path, std::string_view content, const std::string& named) {
  std::string temporary = path + ".tmp";
  {
    UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd || !write_all(fd.get(), content) || ::fsync(fd.get()) != 0) return failure(named);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failure(named);
  UniqueFd directory(::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return failure(named);
  return {};
}

// To a device, a FIFO, or what stands behind /dev/stdout: there may be something before it already.
std::expected<void, std::string> append(const std::string& path, std::string_view content) {
  // A FIFO that nobody reads is an error, not a wait.
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd && errno == ENXIO) return std::unexpected(path + ": nobody reads it");
  if (!fd || !write_all(fd.get(), content)) return failure(path);
  return {};
}

}  // namespace

std::expected<std::string, std::string> read_file(const std::string& path, size_t bytes_max) {
  auto fd = open_to_read(path);
  if (!fd) return std::unexpected(fd.error());
  std::string text;
  char chunk[64 * 1024];
  for (;;) {
    ssize_t n = ::read(fd->get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(path);
    if (n == 0) return text;
    text.append(chunk, static_cast<size_t>(n));
    if (text.size() > bytes_max)
      return std::unexpected(fmt::format("{}: the file is longer than {} bytes", path, bytes_max));
  }
}

std::expected<void, std::string> write_file(const std::string& path, std::string_view content) {
  struct stat s{};
  bool exists = ::stat(path.c_str(), &s) == 0;
  if (!exists && errno != ENOENT) return failure(path);
  if (exists && (!S_ISREG(s.st_mode) || is_open_already(path))) return append(path, content);
  auto target = end_of_links(path);
  if (!target) return std::unexpected(target.error());
  return replace(*target, content, path);
}

std::vector<std::string> expand_globs(const std::vector<std::string>& patterns, const std::string& directory) {
  std::vector<std::string> files;
  for (const std::string& pattern : patterns) {
    std::string full = join_path(directory, pattern);
    if (pattern.find_first_of("*?[") == pattern.npos) {
      files.push_back(full);
      continue;
    }
    glob_t found{};
    if (::glob(full.c_str(), 0, nullptr, &found) == 0)
      for (size_t i = 0; i < found.gl_pathc; i++)
        if (!is_directory(found.gl_pathv[i])) files.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

std::string directory_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string join_path(const std::string& directory, const std::string& path) {
  if (directory.empty() || directory == "." || path.starts_with('/')) return path;
  return directory.ends_with('/') ? directory + path : directory + "/" + path;
}

}  // namespace limpet
