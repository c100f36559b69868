// What a pod says of itself: `reports/<pod>.json`, written every 2 s and at once on a change of state (format:
// ASSIGNMENT_FORMAT.md). report_codec.h reads and writes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sharding/assignment.h"

namespace limpet {

// Load of one slice, moving averages.
struct SliceLoad {
  uint64_t low = 0;  // of a slice of the assignment that the report names
  double samples_per_s = 0;
  double cpu = 0;  // CPU seconds per second
  uint64_t state_bytes = 0;
  uint64_t groups = 0;

  bool operator==(const SliceLoad&) const = default;
};

// A key that alone makes a good part of its slice's or pod's load.
struct HotKey {
  uint64_t key = 0;
  double samples_per_s = 0;
  double cpu = 0;  // CPU seconds per second

  bool operator==(const HotKey&) const = default;
};

struct PodReport {
  std::string name;
  std::string incarnation;  // a random id, new for each life of the process
  uint64_t sequence = 0;    // rises with every write of an incarnation
  std::string address;
  std::string zone;
  std::string host;
  std::string revision;
  double weight = 1;
  std::string rules;                     // the rules' fingerprint
  int64_t started_s = 0;                 // Unix seconds
  double capacity = 1;                   // CPU seconds per second that it can use for its work
  double cpu = 0;                        // CPU seconds per second that the whole process uses
  uint64_t memory = 0;                   // bytes
  uint64_t memory_limit = 0;             // bytes; 0: not known
  PodState state = PodState::kStarting;  // never kDead
  uint64_t generation = 0;               // adopted; 0: none yet
  std::vector<SliceLoad> slices;         // that it owns or still finishes, sorted by low
  std::vector<HotKey> hot_keys;          // hottest first
  std::vector<Handoff> handoffs;         // in progress

  bool operator==(const PodReport&) const = default;
};

}  // namespace limpet
