#include "io/memory.h"

#include <malloc.h>

#include <algorithm>

namespace limpet {

void MemoryReturner::note(uint64_t things) {
  constexpr uint64_t kWorthIt = 10'000;
  most_ = std::max(most_, things);
  if (most_ < kWorthIt || things > most_ / 2) return;
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
  most_ = things;
}

}  // namespace limpet
