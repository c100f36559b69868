#include "base/large_memory.h"

#include <sys/mman.h>

namespace limpet {
namespace {

constexpr size_t kCacheLine = 64;

std::align_val_t alignment_of(size_t bytes) { return std::align_val_t{bytes >= kHugePage ? kHugePage : kCacheLine}; }

}  // namespace

void* allocate_large(size_t bytes) {
  void* memory = ::operator new(bytes, alignment_of(bytes));
  // Whole huge pages only: the rest of the last one would be memory that nobody uses.
  if (bytes >= kHugePage) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return memory;
}

void free_large(void* memory, size_t bytes) noexcept { ::operator delete(memory, alignment_of(bytes)); }

}  // namespace limpet
