// A pane: the state of one group in one time step, all its fields in one contiguous block of 64-byte lines. A field
// takes one line (its core) or two (core and wide). Blocks come from a pool and go back to it; the pool's memory is the
// state's memory.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "window/cell.h"

namespace limpet {

// The head of the block. `contributor` and `version` belong to the state record of a pane: who counted it, and which of
// its states this is.
struct alignas(64) Pane {
  int64_t number = 0;        // of the time step since 1970: [number * every, (number + 1) * every)
  uint32_t contributor = 0;  // 0: this process
  uint32_t version = 0;      // number of the checkpoint in which it last changed
  uint32_t lines = 0;        // of 64 bytes, behind the head
  uint64_t heap_bytes = 0;   // beside the block, when it was last counted

  CoreCell& core(uint32_t line) { return reinterpret_cast<CoreCell*>(this + 1)[line]; }
  const CoreCell& core(uint32_t line) const { return reinterpret_cast<const CoreCell*>(this + 1)[line]; }
  WideCell& wide(uint32_t line) { return *std::launder(reinterpret_cast<WideCell*>(&core(line))); }
  const WideCell& wide(uint32_t line) const { return *std::launder(reinterpret_cast<const WideCell*>(&core(line))); }
};
static_assert(sizeof(Pane) == 64);

// Blocks by number of lines, recycled. Not thread-safe.
class PanePool {
 public:
  PanePool() = default;
  PanePool(const PanePool&) = delete;
  PanePool& operator=(const PanePool&) = delete;
  ~PanePool();

  // Uninitialised lines: the caller constructs cells in them.
  Pane* take(uint32_t lines);
  void give_back(Pane* pane);
  size_t bytes() const { return bytes_; }  // taken from the system, used or not

  static constexpr uint32_t kPooledLinesMax = 64;  // larger blocks come one by one

 private:
  void refill(uint32_t lines);

  std::vector<Pane*> free_[kPooledLinesMax + 1];
  std::vector<std::pair<void*, size_t>> chunks_;  // with their bytes
  size_t bytes_ = 0;
};

}  // namespace limpet
