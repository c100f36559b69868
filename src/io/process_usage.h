// What this process takes of its machine.
#pragma once

#include <cstdint>

namespace limpet {

// CPU time of all threads since the start, seconds.
double process_cpu_s();

struct MemoryUse {
  uint64_t resident_bytes = 0;
  uint64_t limit_bytes = 0;  // of the control group (version 2 or 1); 0: none, or not known
};
// Reads a few small files of the kernel.
MemoryUse memory_use();

}  // namespace limpet
