// What the rules do with the lines of a measurement: made once per (measurement, rules that match), shared by all
// series it holds for. It knows the fields of those lines by name, with the programs that take each, so that a field
// costs one masked load and a compare.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/rule_state.h"

namespace limpet {

// One rule in force that matches, and takes at least one field that was seen.
struct Take {
  RuleEpoch* epoch = nullptr;
  FieldSpace* space = nullptr;
};

// One program that takes a field.
struct Target {
  FieldProgram* program = nullptr;
  uint32_t id = 0;       // of the field in the take's space
  uint32_t counter = 0;  // index into Series::counters, where the program counts
  uint16_t take = 0;
  bool same_state_as_next = false;
};

struct FieldEntry {
  alignas(16) unsigned char first16[16] = {};
  const std::string* name = nullptr;  // null: free
  uint32_t size = 0;
  uint32_t first_target = 0;
  uint16_t targets = 0;
  uint64_t line = 0;  // arrival number of the last line it stood in: twice in one line is a matter for the full parser
};

class Decision {
 public:
  // `matching`: all rules in force whose selectors match, definitions of one rule side by side.
  Decision(std::string measurement, std::vector<RuleEpoch*> matching, Dialect dialect);
  Decision(const Decision&) = delete;
  Decision& operator=(const Decision&) = delete;

  const std::string& measurement() const { return measurement_; }
  // Grows when a field comes that a rule takes which took none before: series then need the groups of the further
  // takes.
  const std::vector<Take>& takes() const { return takes_; }
  const Target* targets(uint32_t first) const { return targets_.data() + first; }
  uint32_t counters() const { return counters_; }

  // The entry of a field as it stands in a line, raw. Null: not known yet, or not a plain name.
  // REQUIRES: 16 readable bytes at `name`, whatever `size`.
  FieldEntry* find_raw(const char* name, size_t size) {
    uint64_t key[2];
    load_masked(name, size, key);
    for (size_t i = start(key, size);; i = (i + 1) & mask_) {
      FieldEntry& e = table_[i];
      if (!e.name) return nullptr;
      if (e.size != size || std::memcmp(e.first16, key, 16) != 0) continue;
      if (size <= 16 || std::memcmp(e.name->data() + 16, name + 16, size - 16) == 0) return &e;
    }
  }
  // The entry of a field by its unescaped name; made if new.
  FieldEntry& entry(std::string_view field);

 private:
  static void load_masked(const char* p, size_t size, uint64_t key[2]);
  size_t start(const uint64_t key[2], size_t size) const {
    return ((key[0] ^ (key[1] * 0x9E3779B97F4A7C15 + size)) * 0xD6E8FEB86659FD93) >> shift_;
  }
  static constexpr uint16_t kNoTake = 0xffff;
  uint16_t take(size_t matching);
  FieldEntry make(const std::string& name);
  void insert_plain(const FieldEntry& entry);
  bool is_plain(std::string_view name) const;

  std::string measurement_;
  std::vector<RuleEpoch*> matching_;
  std::vector<uint16_t> take_of_;  // by index into matching_; kNoTake: none yet
  std::vector<Take> takes_;
  Dialect dialect_;
  std::vector<Target> targets_;
  uint32_t counters_ = 0;

  std::vector<FieldEntry> table_;  // open addressing, at most half full: names that stand in lines as they are
  size_t mask_ = 0;
  int shift_ = 0;
  size_t used_ = 0;
  std::deque<std::string> names_;                         // stable
  std::unordered_map<std::string_view, FieldEntry> odd_;  // names that need escaping
};

namespace decision_detail {
alignas(32) inline constexpr unsigned char kMask[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                        255, 255, 255, 255, 255, 255, 255, 255};
}

inline void Decision::load_masked(const char* p, size_t size, uint64_t key[2]) {
  uint64_t mask[2];
  std::memcpy(mask, decision_detail::kMask + 16 - (size < 16 ? size : 16), 16);
  std::memcpy(key, p, 16);
  key[0] &= mask[0], key[1] &= mask[1];
}

}  // namespace limpet
