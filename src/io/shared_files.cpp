#include "io/shared_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/unique_fd.h"

namespace limpet {

std::string error_of(const std::string& file) { return file + ": " + std::strerror(errno); }

std::expected<std::string, std::string> read_plain(const std::string& path, size_t bytes_max) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat st{};
  if (fd.get() < 0 || ::fstat(fd.get(), &st) != 0) return std::unexpected(error_of(path));
  if (!S_ISREG(st.st_mode)) return std::unexpected(path + ": is no plain file");
  if (static_cast<uint64_t>(st.st_size) > bytes_max)
    return std::unexpected(fmt::format("{}: longer than {} bytes", path, bytes_max));
  std::string text;
  for (size_t room = static_cast<size_t>(st.st_size) + 1;;) {
    size_t before = text.size();
    text.resize(before + room);
    ssize_t n = ::read(fd.get(), text.data() + before, room);
    text.resize(before + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(error_of(path));
    if (n == 0) return text;
    if (text.size() > bytes_max) return std::unexpected(fmt::format("{}: longer than {} bytes", path, bytes_max));
    room = 65536;
  }
}

namespace {

constexpr std::string_view kTemporary = ".tmp-";
constexpr int64_t kLeftBehindS = 3600;  // no writer takes that long

std::string temporary_name() {
  uint64_t bits[2] = {};
  // Several hosts may write here, whose process ids mean nothing to each other.
  if (::getrandom(bits, sizeof bits, 0) != sizeof bits) bits[0] = static_cast<uint64_t>(::getpid());
  return fmt::format("{}{:016x}{:016x}", kTemporary, bits[0], bits[1]);
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    content.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

std::expected<std::string, std::string> write_temporary(const std::string& directory, std::string_view content,
                                                        bool sync) {
  std::string path = directory + "/" + temporary_name();
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  // Not of the file: its name is another one each time, and who says an error once would say it for ever.
  if (fd.get() < 0) return std::unexpected(error_of(directory));
  if (write_all(fd.get(), content) && (!sync || ::fsync(fd.get()) == 0)) return path;
  std::string error = error_of(directory);
  ::unlink(path.c_str());
  return std::unexpected(error);
}

std::expected<void, std::string> rename_over(const std::string& temporary, const std::string& file) {
  if (::rename(temporary.c_str(), file.c_str()) == 0) return {};
  std::string error = error_of(file);
  ::unlink(temporary.c_str());
  return std::unexpected(error);
}

std::expected<void, std::string> sync_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return std::unexpected(error_of(path));
  return {};
}

std::optional<std::vector<std::string>> names_in(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (!directory) return std::nullopt;
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) names.emplace_back(entry->d_name), errno = 0;
  int why = errno;
  ::closedir(directory);
  errno = why;
  if (why != 0) return std::nullopt;
  return names;
}

void remove_left_behind(const std::string& directory, int64_t newest_s) {
  for (const std::string& name : names_in(directory).value_or(std::vector<std::string>())) {
    std::string path = directory + "/" + name;
    struct stat st{};
    if (name.starts_with(kTemporary) && ::lstat(path.c_str(), &st) == 0 && st.st_mtim.tv_sec < newest_s - kLeftBehindS)
      ::unlink(path.c_str());
  }
}

}  // namespace limpet
