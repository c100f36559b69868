// Where sharders and pods meet, as a sharder sees it. One implementation so far: a directory (assignment_directory.h);
// one over a coordination service would offer the same. No call throws; what is away gives errors, and works again when
// it is back. One thread at a time.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "sharding/assignment.h"
#include "sharding/report.h"

namespace limpet {

struct AssignmentRead {
  std::shared_ptr<const Assignment> assignment;  // the newest valid one; null: none
  bool head_valid = false;                       // assignment.json is there and valid
  std::vector<std::string> rejected;             // "FILE: why", of files that are there and are not valid
  std::string error;                             // the store could not be read, or only in part; empty: it could
};

struct ReportsRead {
  std::vector<PodReport> reports;     // by name
  std::vector<std::string> rejected;  // "FILE: why"
  std::string error;
};

enum class SwapOutcome : uint8_t {
  kDone,
  kLost,  // somebody was first
  kLate   // it was not on its way in time, and nobody sees it
};

class AssignmentStore {
 public:
  virtual ~AssignmentStore() = default;

  // The newest generation. Cheap where nothing changed since the last call.
  virtual AssignmentRead read() = 0;
  // Publishes it if nobody was first and it is not later than `until`: pods act on the times in it, so that one whose
  // writer was stopped for a while must not appear. REQUIRES: check_structure(next) is empty.
  virtual std::expected<SwapOutcome, std::string> compare_and_swap(const Assignment& next, WallTime until) = 0;
  // The generations that are still kept or whose numbers are taken, lowest first.
  virtual std::vector<uint64_t> generations() const = 0;
  virtual std::expected<Assignment, std::string> read_generation(uint64_t generation) const = 0;

  virtual ReportsRead read_reports() = 0;
  // Of a pod that is gone for good. Its report and drain request disappear.
  virtual void remove_report(std::string_view pod) = 0;

  // From now on watch_fd() is readable when something may have changed: the assignment, and the reports if asked for.
  // Only a hint: who relies on it also looks every 500 ms. Called before every look, since what was away may be back.
  virtual void watch(bool reports) = 0;
  virtual int watch_fd() const = 0;
  virtual bool drain_watch() = 0;
};

}  // namespace limpet
