// The assignment: who owns which part of the key space, for one generation. Its file format is described in
// ASSIGNMENT_FORMAT.md; assignment_codec.h reads and writes it, slice_index.h looks keys up in it, invariants.h says
// when one is sound.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace limpet {

enum class PodState : uint8_t { kStarting, kReady, kDraining, kDrained, kDead };

// One entry of the pod table. The sharder copies what the pod's report says, so that a sharder that starts anew knows
// it from the file alone.
struct AssignedPod {
  std::string name = {};
  std::string incarnation = {};  // of the life that the sharder saw last
  std::string address = {};      // host:port
  std::string zone = {};
  std::string host = {};
  std::string revision =
      {};  // of the deployment, e.g. a pod-template-hash; pods of several revisions: a roll is under way
  double weight = 1;
  PodState state = PodState::kReady;
  int64_t since_s = 0;  // Unix seconds of the last change of state or incarnation

  bool operator==(const AssignedPod&) const = default;
};

inline constexpr int32_t kNoPod = -1;

// Column-wise; all columns have the same length. Slice i covers [low[i], low[i + 1]), the last one up to 2^64. Sorted
// by `low`; low[0] is 0.
struct Slices {
  std::vector<uint64_t> low;
  std::vector<uint32_t> owner;     // index into Assignment::pods
  std::vector<int32_t> standby;    // index into Assignment::pods, or kNoPod
  std::vector<uint64_t> since;     // generation of the last move
  std::vector<int64_t> cutover_s;  // Unix seconds: windows that begin at or after it are the owner's (section 7)

  size_t size() const { return low.size(); }
  // The end of slice i; 0 stands for 2^64.
  uint64_t high(size_t i) const { return i + 1 < low.size() ? low[i + 1] : 0; }
  // Share of the key space, 0 to 1.
  double share(size_t i) const;

  bool operator==(const Slices&) const = default;
};

// The share of the key space that [low, high) covers; high 0 stands for 2^64, and low == high == 0 for all of it.
double key_share(uint64_t low, uint64_t high);

// A slice whose former owner may still hold state that the new owner waits for.
struct Handoff {
  uint64_t low = 0, high = 0;  // high 0 stands for 2^64
  std::string from_name, from_incarnation;
  uint64_t generation = 0;  // that moved it

  bool operator==(const Handoff&) const = default;
};

enum class MoveCause : uint8_t { kDeath, kDrain, kFill, kBalance, kMerge };

// A slice's change of owner, kept for an hour: budgets and cooldowns outlive the sharder, and a pod that missed a
// generation in between still learns which windows were whose.
struct Move {
  uint64_t low = 0, high = 0;  // high 0 stands for 2^64
  int64_t at_s = 0;            // Unix seconds: when it was planned
  int64_t cutover_s = 0;
  MoveCause cause = MoveCause::kBalance;
  std::string from, to;  // pods' names; `from` is empty if nobody owned it

  bool operator==(const Move&) const = default;
};

// Of generations: so far every JSON library reads them exactly.
inline constexpr uint64_t kGenerationMax = (uint64_t{1} << 53) - 1;

struct Assignment {
  std::string cluster = "default";
  uint64_t generation = 0;
  int64_t created_s = 0;           // Unix seconds
  std::vector<std::string> cause;  // for people: "drain agg-17", "balance 3 slices"
  std::vector<AssignedPod> pods;   // sorted by name, each name once
  Slices slices;
  std::vector<Handoff> handoffs;  // sorted by low
  std::vector<Move> moved;        // the last hour's, oldest first

  bool operator==(const Assignment&) const = default;

  // The index in `pods`, or kNoPod. O(log pods).
  int32_t find_pod(std::string_view name) const;
};

std::string_view to_string(PodState state);
std::string_view to_string(MoveCause cause);

}  // namespace limpet
