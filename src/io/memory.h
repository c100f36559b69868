// Memory that was freed and that the allocator still holds: given back to the system once much of the state has gone,
// so that a burst of short-lived series does not stay resident for ever. One thread at a time.
#pragma once

#include <cstdint>

namespace limpet {

class MemoryReturner {
 public:
  // `things`: how many series and groups there are now. Cheap, but for the rare call (milliseconds) after more than
  // half of them went.
  void note(uint64_t things);

 private:
  uint64_t most_ = 0;  // since memory was last given back
};

}  // namespace limpet
