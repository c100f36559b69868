#include "io/stdio.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

namespace limpet {
namespace {

mode_t mode_of(int fd) {
  struct stat s{};
  return ::fstat(fd, &s) == 0 ? s.st_mode : 0;
}

}  // namespace

bool is_stream(int fd) { return is_pipe(fd) || S_ISSOCK(mode_of(fd)); }
bool is_pipe(int fd) { return S_ISFIFO(mode_of(fd)); }
bool is_terminal(int fd) { return ::isatty(fd) == 1; }

bool is_null_device(int fd) {
  struct stat s{};
  return ::fstat(fd, &s) == 0 && S_ISCHR(s.st_mode) && s.st_rdev == makedev(1, 3);
}

bool set_nonblocking(int fd, bool on) {
  int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ((flags & O_NONBLOCK) != 0) == on) return false;
  return ::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) == 0;
}

void enlarge_pipe(int fd, size_t bytes) {
#ifdef F_SETPIPE_SZ
  if (is_pipe(fd)) ::fcntl(fd, F_SETPIPE_SZ, static_cast<int>(bytes));
#else
  static_cast<void>(fd), static_cast<void>(bytes);
#endif
}

size_t unread_bytes(int fd) {
  int bytes = 0;
  mode_t mode = mode_of(fd);
  if (S_ISFIFO(mode) && ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0) return static_cast<size_t>(bytes);
  if (S_ISSOCK(mode) && ::ioctl(fd, TIOCOUTQ, &bytes) == 0 && bytes > 0) return static_cast<size_t>(bytes);
  return 0;
}

WriteResult write_some(int fd, std::string_view bytes) {
  for (;;) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) return {static_cast<size_t>(n), WriteStatus::kOk};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, WriteStatus::kFull};
    return {0, WriteStatus::kBroken};
  }
}

void wait_until_writable(int fd) {
  pollfd p{.fd = fd, .events = POLLOUT, .revents = 0};
  ::poll(&p, 1, -1);
}

ReadResult read_some(int fd, char* to, size_t bytes) {
  for (;;) {
    ssize_t n = ::read(fd, to, bytes);
    if (n > 0) return {static_cast<size_t>(n), false};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {0, false};
    return {0, true};
  }
}

}  // namespace limpet
