#include "engine/pane.h"

#include <algorithm>

#include "base/large_memory.h"

namespace limpet {
namespace {

constexpr std::align_val_t kLine{64};
size_t block_bytes(uint32_t lines) { return (size_t{lines} + 1) * sizeof(Pane); }

}  // namespace

PanePool::~PanePool() {
  for (auto [chunk, bytes] : chunks_) free_large(chunk, bytes);
}

void PanePool::refill(uint32_t lines) {
  size_t block = block_bytes(lines);
  // Small pools start small: most rules have few groups.
  size_t wanted = 4096 + free_[lines].capacity() * block;
  size_t bytes = wanted >= kHugePage ? kHugePage : std::max<size_t>(1, wanted / block) * block;
  size_t count = bytes / block;
  void* chunk = allocate_large(bytes);
  chunks_.emplace_back(chunk, bytes);
  bytes_ += bytes;
  free_[lines].reserve(free_[lines].capacity() + count);
  for (size_t i = count; i-- > 0;)
    free_[lines].push_back(reinterpret_cast<Pane*>(static_cast<char*>(chunk) + i * block));
}

Pane* PanePool::take(uint32_t lines) {
  Pane* pane;
  if (lines > kPooledLinesMax) {
    bytes_ += block_bytes(lines);
    pane = static_cast<Pane*>(::operator new(block_bytes(lines), kLine));
  } else {
    if (free_[lines].empty()) refill(lines);
    pane = free_[lines].back();
    free_[lines].pop_back();
  }
  new (pane) Pane{};
  pane->lines = lines;
  return pane;
}

void PanePool::give_back(Pane* pane) {
  if (pane->lines > kPooledLinesMax) {
    bytes_ -= block_bytes(pane->lines);
    return ::operator delete(pane, kLine);
  }
  free_[pane->lines].push_back(pane);
}

}  // namespace limpet
