// The directory in which pods and sharders meet: the assignment, the reports, the drain requests. How files are
// published and read is described in src/sharding/ASSIGNMENT_FORMAT.md.
//
//   assignment.json              the newest generation, as far as its writer knew
//   assignments/GENERATION.json  the last few; link(2) to such a name is the compare-and-swap
//   reports/POD.json             what a pod says of itself
//   reports/POD.lock             held by the process that works under that name
//   reports/POD.drain            the incarnation that shall hand everything off
//
// After a crash of a writer there may be files named .tmp-*, which nobody reads and a later writer removes; a
// generation is there whole or not at all; assignment.json may be an older one. Nothing here throws; a directory that
// is away gives errors, and works again when it is back. One thread at a time; several objects and processes may use
// one directory.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/assignment_store.h"
#include "io/unique_fd.h"
#include "io/watch.h"
#include "sharding/assignment.h"
#include "sharding/report.h"

namespace limpet {

// As long as it lives, no other process works under the pod's name; unless the file was removed (a directory that was
// made anew, a sharder that cleaned up): then another process may lock the one that takes its place.
class PodLock {
 public:
  PodLock(UniqueFd fd, std::string file) : fd_(std::move(fd)), file_(std::move(file)) {}
  // Under its name the same file is still to be found, as far as this machine knows.
  bool locks_out() const;

 private:
  UniqueFd fd_;
  std::string file_;
};

class AssignmentDirectory : public AssignmentStore {
 public:
  // Creates nothing: the directory may come later.
  explicit AssignmentDirectory(std::string path);
  const std::string& path() const { return path_; }

  // Makes the directory and those in it, where they are missing.
  std::expected<void, std::string> prepare();
  // Those in it only: one that is away altogether may be a volume that comes back.
  void repair();

  // Files that did not change since the last call are not read again. Of a generation that stands in two files one is
  // decoded.
  AssignmentRead read() override;
  std::expected<SwapOutcome, std::string> compare_and_swap(const Assignment& next, WallTime until) override;
  // Of the files in assignments/; of what is no such file nothing is said.
  std::vector<uint64_t> generations() const override;
  std::expected<Assignment, std::string> read_generation(uint64_t generation) const override;

  // Replaced in one step, but not synced: after a crash of the machine the next report comes soon anyway.
  std::expected<void, std::string> write_report(const PodReport& report);
  ReportsRead read_reports() override;
  // With its lock, if nobody holds it.
  void remove_report(std::string_view pod) override;

  struct LockError {
    std::string text;
    bool held = false;  // by another process
  };
  std::expected<PodLock, LockError> lock_pod(std::string_view pod);

  // `incarnation`: "*" is any.
  std::expected<void, std::string> request_drain(std::string_view pod, std::string_view incarnation);
  bool drain_requested(std::string_view pod, std::string_view incarnation) const;
  void clear_drain(std::string_view pod);

  void watch(bool reports) override;
  int watch_fd() const override { return watch_.fd(); }
  bool drain_watch() override { return watch_.drain(); }

  // For tests: what happens between link and rename, and a file system that answers otherwise than it does.
  std::function<void()> after_link;
  int (*link)(const char* from, const char* to) = ::link;

 private:
  struct Stamp {
    uint64_t inode = 0;
    int64_t size = 0, modified_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct CachedAssignment {
    Stamp stamp;
    uint64_t content = 0;  // hash of the file's bytes
    std::shared_ptr<const Assignment> assignment;
    std::string error;
    bool unread = false;  // it could not be read: that may pass, though the file stays as it is
  };
  struct CachedReport {
    Stamp stamp;
    std::optional<PodReport> report;
    std::string error;
    bool unread = false;
  };

  static std::optional<Stamp> stamp_of(const std::string& path);
  const CachedAssignment* look_at(const std::string& file);
  bool look_at_report(const std::string& pod, const std::string& file, CachedReport& cached) const;
  std::string numbered(uint64_t generation) const;
  std::string report_file(std::string_view pod, std::string_view ending) const;
  AssignmentRead read_listed(bool& vanished);
  void decode(const std::string& file, CachedAssignment& into) const;
  std::expected<SwapOutcome, std::string> settle(uint64_t own);
  std::expected<void, std::string> replace_head(uint64_t generation);
  std::expected<void, std::string> replace_report_file(std::string_view pod, std::string_view ending,
                                                       std::string_view content, bool sync);
  void prune(const std::vector<uint64_t>& generations);

  const std::string path_;
  std::map<std::string, CachedAssignment> assignments_;  // by file
  std::map<std::string, CachedReport> reports_;          // by file
  DirectoryWatch watch_;
};

// What is wrong with it in a file of that name, without the name; empty: nothing, or the name is none of
// assignments/GENERATION.json and reports/POD.json.
std::string misplaced(const std::string& file, const Assignment& assignment);
std::string misplaced(const std::string& file, const PodReport& report);

}  // namespace limpet
