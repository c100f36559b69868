#include "io/assignment_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "sharding/assignment_codec.h"
#include "sharding/pod_name.h"

namespace limpet {
namespace {

constexpr size_t kKept = 8;  // generations
constexpr std::string_view kEnding = ".json";
constexpr std::string_view kTemporary = ".tmp-";

std::string error_of(const std::string& file) { return file + ": " + std::strerror(errno); }

// No links are followed: who may write into a directory that is shared should not choose what we open.
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

// A new file beside its future place, with a name that nobody else uses.
std::expected<std::string, std::string> write_temporary(const std::string& directory, std::string_view content,
                                                        bool sync) {
  static std::atomic<uint64_t> number{0};
  std::string path = fmt::format("{}/{}{}-{}", directory, kTemporary, ::getpid(), number++);
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (fd.get() < 0) return std::unexpected(error_of(path));
  while (!content.empty()) {
    ssize_t n = ::write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      std::string error = error_of(path);
      ::unlink(path.c_str());
      return std::unexpected(error);
    }
    content.remove_prefix(static_cast<size_t>(n));
  }
  if (sync && ::fsync(fd.get()) != 0) {
    std::string error = error_of(path);
    ::unlink(path.c_str());
    return std::unexpected(error);
  }
  return path;
}

std::expected<void, std::string> sync_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return std::unexpected(error_of(path));
  return {};
}

// Names in a directory; without it none, and errno says why.
std::optional<std::vector<std::string>> names_in(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (!directory) return std::nullopt;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory)) names.emplace_back(entry->d_name);
  ::closedir(directory);
  return names;
}

std::optional<uint64_t> generation_of(std::string_view name) {
  if (!name.ends_with(kEnding)) return std::nullopt;
  name.remove_suffix(kEnding.size());
  uint64_t generation = 0;
  auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), generation);
  if (failed != std::errc() || end != name.data() + name.size() || name.empty() || name.front() == '0')
    return std::nullopt;
  return generation;
}

}  // namespace

AssignmentDirectory::AssignmentDirectory(std::string path) : path_(std::move(path)) {}

std::expected<void, std::string> AssignmentDirectory::prepare() {
  for (const char* sub : {"", "/assignments", "/reports"}) {
    std::string path = path_ + sub;
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return std::unexpected(error_of(path));
  }
  return {};
}

std::string AssignmentDirectory::numbered(uint64_t generation) const {
  return fmt::format("{}/assignments/{}{}", path_, generation, kEnding);
}

std::string AssignmentDirectory::report_file(std::string_view pod, std::string_view ending) const {
  return fmt::format("{}/reports/{}{}", path_, pod, ending);
}

std::optional<AssignmentDirectory::Stamp> AssignmentDirectory::stamp_of(const std::string& path) {
  struct stat st{};
  if (::lstat(path.c_str(), &st) != 0) return std::nullopt;
  return Stamp{st.st_ino, st.st_size, st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec};
}

// Null: there is no such file.
const AssignmentDirectory::CachedAssignment* AssignmentDirectory::look_at(const std::string& file) {
  auto stamp = stamp_of(file);
  if (!stamp) return assignments_.erase(file), nullptr;
  CachedAssignment& cached = assignments_[file];
  if (cached.stamp == *stamp && (cached.assignment || !cached.error.empty())) return &cached;
  cached = {*stamp, nullptr, {}};
  auto text = read_plain(file, kAssignmentBytesMax);
  if (!text) return cached.error = text.error(), &cached;
  auto decoded = decode_assignment(*text);
  if (decoded)
    cached.assignment = std::make_shared<const Assignment>(std::move(*decoded));
  else
    cached.error = file + ": " + decoded.error();
  return &cached;
}

std::vector<uint64_t> AssignmentDirectory::generations() const {
  std::vector<uint64_t> found;
  for (const std::string& name : names_in(path_ + "/assignments").value_or(std::vector<std::string>()))
    if (auto generation = generation_of(name)) found.push_back(*generation);
  std::sort(found.begin(), found.end());
  return found;
}

std::expected<Assignment, std::string> AssignmentDirectory::read_generation(uint64_t generation) const {
  auto text = read_plain(numbered(generation), kAssignmentBytesMax);
  if (!text) return std::unexpected(text.error());
  auto decoded = decode_assignment(*text);
  if (!decoded) return std::unexpected(numbered(generation) + ": " + decoded.error());
  return decoded;
}

AssignmentRead AssignmentDirectory::read() {
  AssignmentRead result;
  if (::access(path_.c_str(), R_OK | X_OK) != 0) {
    result.error = error_of(path_);
    return result;
  }
  std::vector<std::string> files{path_ + "/assignment.json"};
  // The highest that is valid; lower ones need not be looked at.
  std::vector<uint64_t> numbers = generations();
  std::for_each(numbers.rbegin(), numbers.rend(), [&](uint64_t n) { files.push_back(numbered(n)); });
  std::map<std::string, CachedAssignment> kept;
  for (size_t i = 0; i < files.size(); i++) {
    const CachedAssignment* found = look_at(files[i]);
    if (!found) continue;
    if (!found->error.empty()) result.rejected.push_back(found->error);
    bool named_rightly = i == 0 || (found->assignment && found->assignment->generation == numbers[numbers.size() - i]);
    if (found->assignment && !named_rightly)
      result.rejected.push_back(fmt::format("{}: holds generation {}", files[i], found->assignment->generation));
    if (found->assignment && named_rightly &&
        (!result.assignment || found->assignment->generation > result.assignment->generation))
      result.assignment = found->assignment;
    if (i == 0) result.head_valid = found->assignment != nullptr;
    kept[files[i]] = *found;
    if (i > 0 && found->assignment && named_rightly) break;
  }
  assignments_ = std::move(kept);
  return result;
}

std::expected<void, std::string> AssignmentDirectory::replace_head(uint64_t generation) {
  auto text = read_plain(numbered(generation), kAssignmentBytesMax);
  if (!text) return std::unexpected(text.error());
  auto temporary = write_temporary(path_, *text, true);
  if (!temporary) return std::unexpected(temporary.error());
  if (::rename(temporary->c_str(), (path_ + "/assignment.json").c_str()) != 0) {
    std::string error = error_of(path_ + "/assignment.json");
    ::unlink(temporary->c_str());
    return std::unexpected(error);
  }
  return sync_directory(path_);
}

std::expected<SwapOutcome, std::string> AssignmentDirectory::compare_and_swap(const Assignment& next) {
  std::string directory = path_ + "/assignments", file = numbered(next.generation);
  std::vector<uint64_t> before = generations();
  if (!before.empty() && before.back() >= next.generation) return SwapOutcome::kLost;
  auto temporary = write_temporary(directory, encode(next), true);
  if (!temporary) return std::unexpected(temporary.error());
  bool linked = ::link(temporary->c_str(), file.c_str()) == 0;
  int why = errno;
  if (!linked) {
    // The answer of a remote file system may be lost, though the link is there.
    struct stat st{};
    linked = ::stat(temporary->c_str(), &st) == 0 && st.st_nlink == 2;
  }
  ::unlink(temporary->c_str());
  if (!linked && why == EEXIST) return SwapOutcome::kLost;
  if (!linked) return std::unexpected(file + ": " + std::strerror(why));
  if (auto synced = sync_directory(directory); !synced) return std::unexpected(synced.error());
  if (after_link) after_link();
  std::vector<uint64_t> now = generations();
  if (!now.empty() && now.back() > next.generation) {
    // Somebody published a higher one meanwhile, without knowing of this one.
    ::unlink(file.c_str());
    return SwapOutcome::kLost;
  }
  if (auto replaced = replace_head(next.generation); !replaced) return std::unexpected(replaced.error());
  now = generations();
  if (!now.empty() && now.back() > next.generation) {
    if (auto replaced = replace_head(now.back()); !replaced) return std::unexpected(replaced.error());
  }
  prune(now);
  return SwapOutcome::kDone;
}

void AssignmentDirectory::prune(const std::vector<uint64_t>& found) {
  for (size_t i = 0; i + kKept < found.size(); i++) ::unlink(numbered(found[i]).c_str());
}

std::expected<void, std::string> AssignmentDirectory::write_report(const PodReport& report) {
  if (std::string error = pod_name_error(report.name); !error.empty()) return std::unexpected(error);
  auto temporary = write_temporary(path_ + "/reports", encode(report), false);
  if (!temporary) return std::unexpected(temporary.error());
  std::string file = report_file(report.name, kEnding);
  if (::rename(temporary->c_str(), file.c_str()) == 0) return {};
  std::string error = error_of(file);
  ::unlink(temporary->c_str());
  return std::unexpected(error);
}

ReportsRead AssignmentDirectory::read_reports() {
  ReportsRead result;
  auto names = names_in(path_ + "/reports");
  if (!names) {
    result.error = error_of(path_ + "/reports");
    return result;
  }
  std::sort(names->begin(), names->end());
  std::map<std::string, CachedReport> kept;
  for (const std::string& name : *names) {
    if (!name.ends_with(kEnding) || name.starts_with('.')) continue;
    std::string pod = name.substr(0, name.size() - kEnding.size()), file = report_file(pod, kEnding);
    auto stamp = stamp_of(file);
    if (!stamp) continue;
    CachedReport& cached = kept[file] = std::move(reports_[file]);
    if (cached.stamp != *stamp || (!cached.report && cached.error.empty())) {
      cached = {*stamp, std::nullopt, {}};
      auto text = read_plain(file, kReportBytesMax);
      auto decoded = text ? decode_report(*text) : std::expected<PodReport, std::string>(std::unexpected(text.error()));
      if (!decoded)
        cached.error = text ? file + ": " + decoded.error() : decoded.error();
      else if (decoded->name != pod)
        cached.error = fmt::format("{}: is the report of \"{}\"", file, decoded->name);
      else
        cached.report = std::move(*decoded);
    }
    if (cached.report)
      result.reports.push_back(*cached.report);
    else
      result.rejected.push_back(cached.error);
  }
  reports_ = std::move(kept);
  return result;
}

void AssignmentDirectory::remove_report(std::string_view pod) {
  if (!pod_name_error(pod).empty()) return;
  for (std::string_view ending : {kEnding, std::string_view(".drain")}) ::unlink(report_file(pod, ending).c_str());
}

std::expected<PodLock, std::string> AssignmentDirectory::lock_pod(std::string_view pod) {
  if (std::string error = pod_name_error(pod); !error.empty()) return std::unexpected(error);
  std::string file = report_file(pod, ".lock");
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (fd.get() < 0) return std::unexpected(error_of(file));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return PodLock(std::move(fd));
  if (errno == EWOULDBLOCK)
    return std::unexpected(fmt::format("{}: another process works as pod \"{}\", so this one owns nothing", file, pod));
  return std::unexpected(error_of(file));
}

std::expected<void, std::string> AssignmentDirectory::request_drain(std::string_view pod,
                                                                    std::string_view incarnation) {
  if (std::string error = pod_name_error(pod); !error.empty()) return std::unexpected(error);
  auto temporary = write_temporary(path_ + "/reports", fmt::format("{}\n", incarnation), false);
  if (!temporary) return std::unexpected(temporary.error());
  std::string file = report_file(pod, ".drain");
  if (::rename(temporary->c_str(), file.c_str()) == 0) return {};
  std::string error = error_of(file);
  ::unlink(temporary->c_str());
  return std::unexpected(error);
}

bool AssignmentDirectory::drain_requested(std::string_view pod, std::string_view incarnation) const {
  if (!pod_name_error(pod).empty()) return false;
  auto text = read_plain(report_file(pod, ".drain"), 4096);
  if (!text) return false;
  std::string_view wanted = *text;
  while (!wanted.empty() && (wanted.back() == '\n' || wanted.back() == '\r')) wanted.remove_suffix(1);
  return wanted == incarnation || wanted == "*";
}

void AssignmentDirectory::clear_drain(std::string_view pod) {
  if (pod_name_error(pod).empty()) ::unlink(report_file(pod, ".drain").c_str());
}

void AssignmentDirectory::watch(bool reports) {
  std::vector<std::string> directories{path_, path_ + "/assignments"};
  if (reports) directories.push_back(path_ + "/reports");
  watch_.set(directories);
}

}  // namespace limpet
