#include "io/assignment_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/hash.h"
#include "io/shared_files.h"
#include "io/stderr_log.h"
#include "sharding/assignment_codec.h"
#include "sharding/pod_name.h"

namespace limpet {
namespace {

constexpr size_t kKept = 8;  // generations
constexpr int kListingsMax = 10;
constexpr std::string_view kEnding = ".json", kDrain = ".drain", kLock = ".lock";

std::optional<uint64_t> generation_of(std::string_view name) {
  if (!name.ends_with(kEnding)) return std::nullopt;
  name.remove_suffix(kEnding.size());
  uint64_t generation = 0;
  auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), generation);
  if (failed != std::errc() || end != name.data() + name.size() || name.empty() || name.front() == '0' ||
      generation > kGenerationMax)
    return std::nullopt;
  return generation;
}

// Of "reports/agg-0.json" seen from a directory of that name or any other: "agg-0.json". Empty: it lies elsewhere.
std::string name_within(const std::string& file, std::string_view folder) {
  std::error_code failed;
  auto path = std::filesystem::absolute(file, failed).lexically_normal();
  return !failed && path.parent_path().filename() == folder ? path.filename().string() : "";
}

std::string holds_text(const Assignment& assignment) {
  return fmt::format("holds generation {}", assignment.generation);
}
std::string is_of_text(const PodReport& report) { return fmt::format("is the report of \"{}\"", report.name); }

// The numbers of the files in assignments/, lowest first; none if it cannot be read, and errno says why.
std::optional<std::vector<uint64_t>> generations_in(const std::string& directory) {
  auto names = names_in(directory);
  if (!names) return std::nullopt;
  std::vector<uint64_t> found;
  for (const std::string& name : *names)
    if (auto generation = generation_of(name)) found.push_back(*generation);
  std::sort(found.begin(), found.end());
  return found;
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

void AssignmentDirectory::repair() {
  for (const char* sub : {"/assignments", "/reports"}) ::mkdir((path_ + sub).c_str(), 0755);
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
  // Before it is read: if it is replaced meanwhile, the next look reads it again.
  auto stamp = stamp_of(file);
  if (!stamp) return assignments_.erase(file), nullptr;
  CachedAssignment& cached = assignments_[file];
  if (cached.stamp == *stamp && !cached.unread && (cached.assignment || !cached.error.empty())) return &cached;
  cached = {};
  cached.stamp = *stamp;
  decode(file, cached);
  // It may have made way for a newer one between the two calls.
  if (!cached.error.empty() && !stamp_of(file)) return assignments_.erase(file), nullptr;
  return &cached;
}

void AssignmentDirectory::decode(const std::string& file, CachedAssignment& into) const {
  auto text = read_plain(file, kAssignmentBytesMax);
  if (!text) {
    into.error = text.error();
    into.unread = true;
    return;
  }
  into.content = hash64(*text);
  for (const auto& [other, known] : assignments_)
    if (known.assignment && known.content == into.content) {
      into.assignment = known.assignment;
      return;
    }
  auto decoded = decode_assignment(*text);
  if (decoded)
    into.assignment = std::make_shared<const Assignment>(std::move(*decoded));
  else
    into.error = file + ": " + decoded.error();
}

std::vector<uint64_t> AssignmentDirectory::generations() const {
  return generations_in(path_ + "/assignments").value_or(std::vector<uint64_t>());
}

std::expected<Assignment, std::string> AssignmentDirectory::read_generation(uint64_t generation) const {
  CachedAssignment found;
  decode(numbered(generation), found);
  if (!found.error.empty()) return std::unexpected(found.error);
  return *found.assignment;
}

// A listed file that is gone by the time it is opened was withdrawn or pruned, so that there is a higher one than the
// listing had: without another listing a reader might go back to a lower generation.
AssignmentRead AssignmentDirectory::read() {
  AssignmentRead result;
  bool vanished = true;
  for (int i = 0; i < kListingsMax && vanished; i++) result = read_listed(vanished);
  return result;
}

AssignmentRead AssignmentDirectory::read_listed(bool& vanished) {
  AssignmentRead result;
  vanished = false;
  if (::access(path_.c_str(), R_OK | X_OK) != 0) {
    result.error = error_of(path_);
    return result;
  }
  auto numbers = generations_in(path_ + "/assignments");
  // Before the first generation it need not be there.
  if (!numbers && errno != ENOENT) result.error = error_of(path_ + "/assignments");
  std::map<std::string, CachedAssignment> kept;
  auto look = [&](const std::string& file, std::optional<uint64_t> number) {
    const CachedAssignment* found = look_at(file);
    vanished |= !found && number;
    if (!found) return false;
    kept[file] = *found;
    if (!found->assignment) return result.rejected.push_back(found->error), false;
    uint64_t generation = found->assignment->generation;
    if (number && *number != generation)
      return result.rejected.push_back(file + ": " + holds_text(*found->assignment)), false;
    if (!result.assignment || generation > result.assignment->generation) result.assignment = found->assignment;
    return true;
  };
  result.head_valid = look(path_ + "/assignment.json", std::nullopt);
  // The highest that is valid; lower ones need not be looked at.
  if (numbers) (void)std::any_of(numbers->rbegin(), numbers->rend(), [&](uint64_t n) { return look(numbered(n), n); });
  assignments_ = std::move(kept);
  return result;
}

std::expected<void, std::string> AssignmentDirectory::replace_head(uint64_t generation) {
  auto text = read_plain(numbered(generation), kAssignmentBytesMax);
  if (!text) return std::unexpected(text.error());
  auto temporary = write_temporary(path_, *text, true);
  if (!temporary) return std::unexpected(temporary.error());
  if (auto renamed = rename_over(*temporary, path_ + "/assignment.json"); !renamed) return renamed;
  return sync_directory(path_);
}

std::expected<SwapOutcome, std::string> AssignmentDirectory::compare_and_swap(const Assignment& next, WallTime until) {
  std::string directory = path_ + "/assignments", file = numbered(next.generation);
  auto before = generations_in(directory);
  // Somebody emptied the directory. One that is away altogether is not made anew: it may be a volume that comes back.
  if (!before && errno == ENOENT && ::mkdir(directory.c_str(), 0755) == 0) before = generations_in(directory);
  if (!before) return std::unexpected(error_of(directory));
  if (!before->empty() && before->back() >= next.generation) return SwapOutcome::kLost;
  std::string text = encode(next);
  if (text.size() > kAssignmentBytesMax)
    return std::unexpected(fmt::format("{}: it would have {} bytes, more than readers take", file, text.size()));
  auto temporary = write_temporary(directory, text, true);
  if (!temporary) return std::unexpected(temporary.error());
  if (wall_now() > until) return ::unlink(temporary->c_str()), SwapOutcome::kLate;
  bool linked = link(temporary->c_str(), file.c_str()) == 0;
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
  return settle(next.generation);
}

// What is left to do once the own generation is linked: withdraw it if a higher one is there, else let assignment.json
// follow to the highest, which may be somebody else's by the time it is renamed.
std::expected<SwapOutcome, std::string> AssignmentDirectory::settle(uint64_t own) {
  uint64_t placed = 0;
  for (;;) {
    auto now = generations_in(path_ + "/assignments");
    if (!now) return std::unexpected(error_of(path_ + "/assignments"));
    uint64_t highest = now->empty() ? own : now->back();
    if (placed == 0 && highest > own) {
      ::unlink(numbered(own).c_str());
      return SwapOutcome::kLost;
    }
    if (placed == highest) return prune(*now), SwapOutcome::kDone;
    auto replaced = replace_head(highest);
    // One that was withdrawn or pruned meanwhile made way for a higher one.
    if (!replaced && ::access(numbered(highest).c_str(), F_OK) == 0) return std::unexpected(replaced.error());
    if (!replaced && generations().empty()) return std::unexpected(replaced.error());
    if (replaced) placed = highest;
  }
}

void AssignmentDirectory::prune(const std::vector<uint64_t>& found) {
  for (size_t i = 0; i + kKept < found.size(); i++) ::unlink(numbered(found[i]).c_str());
  struct stat st{};
  if (found.empty() || ::stat(numbered(found.back()).c_str(), &st) != 0) return;
  for (const char* sub : {"", "/assignments", "/reports"}) remove_left_behind(path_ + sub, st.st_mtim.tv_sec);
}

std::expected<void, std::string> AssignmentDirectory::replace_report_file(std::string_view pod, std::string_view ending,
                                                                          std::string_view content, bool sync) {
  if (std::string error = pod_name_error(pod); !error.empty()) return std::unexpected(error);
  auto temporary = write_temporary(path_ + "/reports", content, sync);
  if (!temporary) return std::unexpected(temporary.error());
  return rename_over(*temporary, report_file(pod, ending));
}

// Every pod writes every 2 s, and a sync of each would keep the disk of all busy; what a crash of the machine loses is
// written again by then.
std::expected<void, std::string> AssignmentDirectory::write_report(const PodReport& report) {
  return replace_report_file(report.name, kEnding, encode(report), false);
}

// False: there is no such file.
bool AssignmentDirectory::look_at_report(const std::string& pod, const std::string& file, CachedReport& cached) const {
  auto stamp = stamp_of(file);
  if (!stamp) return false;
  if (cached.stamp == *stamp && !cached.unread && (cached.report || !cached.error.empty())) return true;
  cached = {};
  cached.stamp = *stamp;
  auto text = read_plain(file, kReportBytesMax);
  // It may have been removed between the two calls.
  if (!text && !stamp_of(file)) return false;
  if (!text) return cached.error = text.error(), cached.unread = true;
  auto decoded = decode_report(*text);
  if (!decoded)
    cached.error = file + ": " + decoded.error();
  else if (decoded->name != pod)
    cached.error = file + ": " + is_of_text(*decoded);
  else
    cached.report = std::move(*decoded);
  return true;
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
    CachedReport cached = std::move(reports_[file]);
    if (!look_at_report(pod, file, cached)) continue;
    if (cached.report)
      result.reports.push_back(*cached.report);
    else
      result.rejected.push_back(cached.error);
    kept[file] = std::move(cached);
  }
  reports_ = std::move(kept);
  // Their files stand in another order: "agg-1.json" before "agg.json".
  std::ranges::sort(result.reports, {}, &PodReport::name);
  return result;
}

void AssignmentDirectory::remove_report(std::string_view pod) {
  if (!pod_name_error(pod).empty()) return;
  for (std::string_view ending : {kEnding, kDrain}) ::unlink(report_file(pod, ending).c_str());
  std::string file = report_file(pod, kLock);
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(file.c_str());
}

bool PodLock::locks_out() const {
  struct stat held{}, there{};
  return ::fstat(fd_.get(), &held) == 0 && ::lstat(file_.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
         held.st_ino == there.st_ino;
}

std::expected<PodLock, AssignmentDirectory::LockError> AssignmentDirectory::lock_pod(std::string_view pod) {
  if (std::string error = pod_name_error(pod); !error.empty()) return std::unexpected(LockError{error});
  std::string file = report_file(pod, kLock);
  for (;;) {
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd) return std::unexpected(LockError{error_of(file)});
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return std::unexpected(LockError{error_of(file)});
      return std::unexpected(LockError{
          fmt::format("{}: another process works as pod \"{}\", so this one owns nothing (under one Telegraf that is a "
                      "second copy: skip_processors_after_aggregators = true in its [agent])",
                      file, pod),
          true});
    }
    // It may have been removed between the two calls.
    PodLock lock(std::move(fd), file);
    if (lock.locks_out()) return lock;
  }
}

std::expected<void, std::string> AssignmentDirectory::request_drain(std::string_view pod,
                                                                    std::string_view incarnation) {
  return replace_report_file(pod, kDrain, fmt::format("{}\n", incarnation), true);
}

bool AssignmentDirectory::drain_requested(std::string_view pod, std::string_view incarnation) const {
  if (!pod_name_error(pod).empty()) return false;
  auto text = read_plain(report_file(pod, kDrain), 4096);
  if (!text) return false;
  std::string_view wanted = *text;
  while (!wanted.empty() && (wanted.back() == '\n' || wanted.back() == '\r')) wanted.remove_suffix(1);
  return wanted == incarnation || wanted == "*";
}

void AssignmentDirectory::clear_drain(std::string_view pod) {
  if (pod_name_error(pod).empty()) ::unlink(report_file(pod, kDrain).c_str());
}

void AssignmentDirectory::watch(bool reports) {
  std::vector<std::string> directories{path_, path_ + "/assignments"};
  if (reports) directories.push_back(path_ + "/reports");
  watch_.set(directories);
}

std::string misplaced(const std::string& file, const Assignment& assignment) {
  auto number = generation_of(name_within(file, "assignments"));
  return number && *number != assignment.generation ? holds_text(assignment) : "";
}

std::string misplaced(const std::string& file, const PodReport& report) {
  std::string name = name_within(file, "reports");
  bool is_read = name.ends_with(kEnding) && !name.starts_with('.');
  return is_read && name != report.name + std::string(kEnding) ? is_of_text(report) : "";
}

}  // namespace limpet
