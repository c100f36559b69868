// Memory of tables that are read at random. With 4 KiB pages each look at a table of tens of MiB costs a walk of the
// page table beside the cache miss itself; here such memory lies at addresses that a huge page can hold, and the kernel
// is asked for huge pages (Linux, madvise(2), MADV_HUGEPAGE; without effect where the system has switched them off).
#pragma once

#include <cstddef>
#include <new>

namespace limpet {

inline constexpr size_t kHugePage = size_t{2} << 20;  // of x86-64, and of ARM64 with pages of 4 KiB

// Uninitialised memory, aligned to a huge page; below one huge page, as operator new gives it, aligned to 64 bytes.
// Throws std::bad_alloc. Thread-safe.
void* allocate_large(size_t bytes);
// REQUIRES: `bytes` as it was allocated with.
void free_large(void* memory, size_t bytes) noexcept;

// For containers that grow into such tables.
template <typename T>
struct LargeAllocator {
  using value_type = T;
  LargeAllocator() = default;
  template <typename U>
  LargeAllocator(const LargeAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(allocate_large(n * sizeof(T))); }
  void deallocate(T* memory, size_t n) noexcept { free_large(memory, n * sizeof(T)); }
  template <typename U>
  bool operator==(const LargeAllocator<U>&) const {
    return true;
  }
};

}  // namespace limpet
