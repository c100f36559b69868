#include "engine/series.h"

#include <memory>

namespace limpet {

namespace {
constexpr size_t kFirstSlots = 1024;
}

SeriesTable::SeriesTable(uint64_t seed) : seed_(seed), slots_(kFirstSlots), mask_(kFirstSlots - 1) {}

SeriesTable::~SeriesTable() {
  for (Series* chunk : chunks_) std::destroy_n(chunk, kChunk);
  for (size_t i = 0; i < chunks_.size(); i++) {
    if (i < kChunksAtOnce)
      free_large(chunks_[i], kChunk * sizeof(Series));
    else if (i % kChunksAtOnce == 0)
      free_large(chunks_[i], kHugePage);
  }
}

void SeriesTable::add_chunk() {
  size_t n = chunks_.size();
  void* memory;
  if (n < kChunksAtOnce)
    memory = allocate_large(kChunk * sizeof(Series));
  else if (n % kChunksAtOnce == 0)
    memory = allocate_large(kHugePage);
  else
    memory = chunks_[n - 1] + kChunk;
  auto* chunk = static_cast<Series*>(memory);
  std::uninitialized_default_construct_n(chunk, kChunk);
  chunks_.push_back(chunk);
  for (uint32_t i = kChunk; i-- > 0;) free_.push_back(static_cast<uint32_t>(n * kChunk) + i);
}

Series* SeriesTable::add(const HeadHash& h) {
  if (free_.empty()) add_chunk();
  uint32_t index = free_.back();
  free_.pop_back();
  Series& series = at(index);
  series = Series();
  series.index = index;
  live_++;
  link(h, &series);
  return &series;
}

SeriesTable::Slot& SeriesTable::slot_for(const HeadHash& h) {
  size_t i = h.low & mask_;
  while (slots_[i].series != 0 && (slots_[i].low != h.low || slots_[i].high != h.high)) i = (i + 1) & mask_;
  return slots_[i];
}

void SeriesTable::unlink(uint32_t index) {
  if (--at(index).links == 0) free_.push_back(index);
}

void SeriesTable::link(const HeadHash& h, Series* series) {
  if (used_ * 5 >= slots_.size() * 3) grow();
  series->links++;
  Slot& slot = slot_for(h);
  if (slot.series != 0)
    unlink(slot.series - 1);
  else
    used_++;
  slot = {h.low, h.high, series->index + 1};
}

// Backward-shift deletion: whatever was pushed past the slot by linear probing moves back.
void SeriesTable::erase(size_t hole) {
  unlink(slots_[hole].series - 1);
  used_--;
  for (size_t i = (hole + 1) & mask_; slots_[i].series != 0; i = (i + 1) & mask_) {
    size_t home = slots_[i].low & mask_;
    if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole] = Slot();
}

void SeriesTable::grow() {
  decltype(slots_) old(slots_.size() * 2);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& s : old)
    if (s.series != 0) slot_for({s.low, s.high}) = s;
}

}  // namespace limpet
