// The shared directory as a model: numbered files that are published once, the file in front of them, reports.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "sharding/assignment.h"
#include "sharding/report.h"

namespace limpet::sim {

using AssignmentPtr = std::shared_ptr<const Assignment>;

struct Directory {
  static constexpr size_t kKept = 8;

  std::map<uint64_t, AssignmentPtr> numbered;
  AssignmentPtr head;          // assignment.json; null: missing or rubbish
  AssignmentPtr head_delayed;  // linked, and its writer sleeps before the rename
  int64_t head_delayed_until_ns = 0;
  bool readable = true;
  int64_t unreadable_until_ns = 0;
  std::map<std::string, PodReport> reports;

  AssignmentPtr newest() const {
    AssignmentPtr best = head;
    if (!numbered.empty() && (!best || numbered.rbegin()->first > best->generation)) best = numbered.rbegin()->second;
    return best;
  }
  // False: another was first. `sleep`: the writer does not come to the rename.
  bool publish(const AssignmentPtr& next, bool sleep, int64_t wake_ns) {
    if (!numbered.empty() && numbered.rbegin()->first >= next->generation) return false;
    numbered[next->generation] = next;
    while (numbered.size() > kKept) numbered.erase(numbered.begin());
    if (sleep)
      head_delayed = next, head_delayed_until_ns = wake_ns;
    else
      head = next;
    return true;
  }
  void tick(int64_t now_ns) {
    if (!readable && now_ns >= unreadable_until_ns) readable = true;
    if (head_delayed && now_ns >= head_delayed_until_ns) head = std::move(head_delayed), head_delayed = nullptr;
  }
};

}  // namespace limpet::sim
