// A group: one output series of a rule in force. It holds its panes, and knows where each of its fields lives in them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/pane.h"
#include "lineproto/point.h"
#include "sharding/ownership.h"
#include "window/program.h"

namespace limpet {

struct RuleEpoch;

// A counter's running sum over all increases of a group's field: shared by the definitions of a rule before and after a
// reload.
struct RunningTotal {
  DoubleDouble sum;
  int64_t last_clock_ns = 0;  // of its series' newest sample: once all were idle for `expire`, it starts anew
  uint64_t last_arrival = 0;  // a line counts once
  uint32_t users = 0;         // groups that point here
};

// What a running total was, for windows of one definition that are still to be emitted.
struct TotalPast {
  // It started anew while windows from before that were open: they have what it was then.
  struct Life {
    DoubleDouble sum;                                     // of all its increases
    std::vector<std::pair<int64_t, DoubleDouble>> panes;  // by number: what they held as it ended, earlier lives' too
    int64_t next_pane = 0;                                // in which the next life began
    DoubleDouble held(int64_t pane) const;
  };
  std::vector<Life> lives;  // oldest first, without the one that goes on

  // By window, where windows are emitted again: totals are not corrected.
  std::vector<std::pair<int64_t, DoubleDouble>> emitted;
};

// The fields of one output measurement of one rule, with their programs. Ids are dense.
struct FieldSpace {
  std::string measurement;  // output, escaped: what results begin with
  std::vector<std::unique_ptr<FieldProgram>> programs;
  std::unordered_map<std::string, uint32_t> ids;
  std::unordered_set<std::string> result_names;
  bool clashes = false;  // some result name came twice: fields of one group may be in each other's way

  uint32_t id_of(const Rule& rule, std::string_view field);
};

class Group {
 public:
  // `tags`: all tags of the results, sorted (those that stay and the rule's own).
  Group(RuleEpoch& epoch, FieldSpace& space, const std::vector<Tag>& tags, uint64_t hash);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  struct Slot {
    FieldProgram* program;
    uint32_t id;
    uint32_t line;  // within a pane's block
    RunningTotal* total;
  };
  static constexpr uint16_t kNoSlot = 0xffff;

  RuleEpoch& epoch;
  FieldSpace& space;
  uint64_t hash;           // of measurement and tags: its identity, alike in all rules
  uint64_t written = 0;    // the epoch's freezes up to this one are rendered
  uint32_t series = 0;     // input series that point here
  uint32_t changed = 0;    // number of the checkpoint in which it last changed
  bool overflow = false;   // the one that others fold into
  bool contested = false;  // another rule writes the same series

  uint64_t accounted_bytes = 0;  // of state_bytes(): what the epoch's sum holds

  // Where keys are shared with other pods (ownership.cpp). `tenure` is as of the ownership of that number. A sample
  // whose time is in [owned_from_ns, owned_to_ns) is this pod's with all its windows.
  bool keyed = false;
  uint32_t owned_as_of = 0;
  uint32_t slice = 0;
  uint64_t key = 0;
  const Tenure* tenure = nullptr;
  int64_t owned_from_ns = INT64_MIN, owned_to_ns = INT64_MAX;
  int64_t counted_since_ns = INT64_MIN;  // since when its counters were followed without a gap

  // The slot of a field, kNoSlot if the group has not seen it yet.
  uint16_t slot_of(uint32_t id) const {
    if (id < near_.size()) return near_[id];
    if (far_.empty()) return kNoSlot;
    auto it = far_.find(id);
    return it == far_.end() ? kNoSlot : it->second;
  }
  // By the field's name; null: it has not seen it.
  const Slot* slot_of_field(const std::string& field) const;
  uint16_t add_slot(uint32_t id, PanePool& pool);
  const Slot& slot(uint16_t index) const { return slots_[index]; }
  void set_total(uint16_t index, RunningTotal* total) { slots_[index].total = total, total->users++; }
  const std::vector<Slot>& slots() const { return slots_; }
  const std::vector<uint16_t>& by_name() const { return by_name_; }  // slots in order of their fields' names

  // The pane of that number, or null.
  Pane* find_pane(int64_t number) {
    if (hot_ && hot_->number == number) return hot_;
    return find_cold_pane(number);
  }
  Pane* add_pane(int64_t number, PanePool& pool);
  const std::vector<Pane*>& panes() const { return panes_; }  // by number
  void drop_panes_before(int64_t number, PanePool& pool);
  void drop_all_panes(PanePool& pool) { drop_panes_before(INT64_MAX, pool); }
  bool active() const { return !panes_.empty(); }

  // `measurement,tag=value,...`, ready for output; the second with the tags `le` and `limpet_incomplete` in their
  // places (empty: without).
  const std::string& prefix() const { return prefix_; }
  std::string prefix_with(std::string_view le, std::string_view incomplete) const;
  // Constant time. Exact, but for what the wide cells hold beside the panes: that is as of the last count_heap().
  size_t state_bytes() const { return bytes() + panes_.size() * (size_t{room_} + 1) * sizeof(Pane) + heap_bytes_; }
  bool wide() const { return wide_; }  // some cells hold memory beside the panes
  void count_heap();
  size_t walk_state_bytes() const;  // the same, counted anew

  std::vector<int64_t> to_correct;  // windows to be emitted again with the next correction

 private:
  Pane* find_cold_pane(int64_t number);
  void grow_panes(PanePool& pool);
  void construct(Pane& pane, size_t first_slot);
  void destroy(Pane& pane);
  size_t heap_of(const Pane& pane) const;
  size_t bytes() const;

  std::vector<Pane*> panes_;
  Pane* hot_ = nullptr;
  std::vector<uint16_t> near_;  // id -> slot, for small ids
  std::vector<Slot> slots_;
  std::vector<uint16_t> by_name_;
  uint32_t lines_ = 0;  // used of every pane
  uint32_t room_ = 0;   // of every pane
  bool wide_ = false;
  uint64_t heap_bytes_ = 0;  // of the panes
  std::unordered_map<uint32_t, uint16_t> far_;
  std::string prefix_;
  uint32_t le_at_ = 0, incomplete_at_ = 0;  // where in prefix_ these tags belong
};

}  // namespace limpet
