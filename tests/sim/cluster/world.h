// A cluster on a virtual clock: sharders, pods and the directory they share, in one thread from one seed. Whatever a
// real cluster suffers is injected here and counted; what must hold is checked after every generation and for every
// window of some keys. The product's own state machines do the work: Sharder, plan(), OwnershipTracker.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cluster/sharder.h"
#include "sharding/ownership.h"

namespace limpet::sim {

// What happens to a cluster.
enum class Fault : uint8_t {
  kRestart,       // crash, and a new life of the same name within the dead-after time
  kDrainRestart,  // drained, stopped, started again with another revision
  kCrash,         // for good
  kAdd,           // a new pod
  kRetire,        // drained and gone for good
  kZoneLoss,      // all pods of a zone at once
  kSleep,         // a pod is stopped for longer than the dead-after time, and wakes
  kLag,           // a pod hears late of new generations
  kSharderRestart,
  kSharderSleep,   // the sharder is stopped for seconds, between two steps
  kSecondSharder,  // comes or goes
  kPublishSleep,   // a sharder sleeps between link and rename
  kHeadGarbled,    // assignment.json is overwritten with rubbish
  kHeadOld,        // an older file is put in its place
  kUnreadable,     // the directory is away for seconds
  kReportsStop,    // reports stop arriving from many pods that live
  kHotKey,         // a key grows hot
  kNoise,          // loads jump
  kCalm,           // loads are even again
  kCount
};
inline constexpr size_t kFaults = static_cast<size_t>(Fault::kCount);
std::string_view to_string(Fault fault);

// Deliberate mistakes, to see that the checks find them.
enum class Bug : uint8_t {
  kNone,
  kGap,           // a slice's border is lost
  kUnknownOwner,  // an index beyond the pods
  kGenerationRepeats,
  kUndetermined,       // the plan depends on more than its arguments
  kNeverAtRest,        // a new generation though nothing changed
  kMovesTheInnocent,   // a death moves slices of others, too
  kNoBudget,           // balance moves what it likes
  kFeedsTheDraining,   // a draining pod is given slices
  kStandbyPassedOver,  // a dead pod's slices go to somebody else than the standby
  kCutoverAtOnce,      // a move takes effect before anybody can have heard of it
  kMovesForgotten,     // the file does not say what moved
  kNoBrake,            // everybody silent is dead
  kNoListening,        // a sharder that was away acts on what it remembers
  kOverwrites,         // publishing does not look who was first
  kPublishesLate,      // a plan is published however long ago it was made
  kReaderGoesBack,     // a pod adopts older generations
  kWakesAndEmits,      // a pod that slept emits before it reads
  kHeirKeepsQuiet,     // the heir of a dead pod does not emit the windows in progress
  kFormerOwnerStops,   // the old owner drops a slice at once, instead of finishing
  kOldLinesAreLost,    // lines from before a cutover are the former owner's, though it is gone
  kCount
};
inline constexpr size_t kBugs = static_cast<size_t>(Bug::kCount);
std::string_view to_string(Bug bug);

struct Options {
  uint64_t seed = 1;
  size_t pods = 5;
  uint32_t slices_per_pod = 32;
  size_t events = 200;
  Bug bug = Bug::kNone;
};

struct Outcome {
  std::vector<std::string> violations;  // the first few, each with its virtual time
  std::array<uint64_t, kFaults> faults{};
  uint64_t generations = 0, windows = 0, excused = 0, moves = 0, lines = 0;
  double seconds = 0;  // of virtual time
};

Outcome run(const Options& options);

}  // namespace limpet::sim
