// The input series the engine has seen lately, found by the hash of the raw bytes of a line's head. Spellings of one
// series (tags in another order, escapes) resolve to one Series. It is a cache: what it forgets is decided anew at the
// next line.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/large_memory.h"
#include "engine/decision.h"

namespace limpet {

// One cache line, which is fetched ahead as a whole.
struct alignas(64) Series {
  uint64_t hash = 0;                                     // of its identity: measurement and sorted tags, unescaped
  Decision* decision = nullptr;                          // null: free
  uint32_t last_seen_s = 0;                              // by the engine's clock
  uint32_t links = 0;                                    // slots that point here
  uint32_t index = 0;                                    // its own
  uint32_t resolved = 0;                                 // takes of the decision whose groups are known
  Group* first_group = nullptr;                          // of take 0
  std::unique_ptr<Group*[]> more_groups;                 // of takes 1, 2, ...
  std::unique_ptr<std::vector<CounterEntry*>> counters;  // by Target::counter, null until needed
  uint64_t line_key = 0;                                 // decides who writes its lines back, where keys are shared

  Group*& group(size_t take) { return take == 0 ? first_group : more_groups[take - 1]; }
};
static_assert(sizeof(Series) == 64);

// 128 bits of hash; 96 of them are kept and compared.
struct HeadHash {
  uint64_t low = 0;
  uint32_t high = 0;
};

class SeriesTable {
 public:
  explicit SeriesTable(uint64_t seed);
  ~SeriesTable();
  SeriesTable(const SeriesTable&) = delete;
  SeriesTable& operator=(const SeriesTable&) = delete;

  HeadHash hash_raw(const char* p, size_t size) const { return hash(p, size, seed_); }
  // A domain of its own, for identities that no line can spell.
  HeadHash hash_identity(std::string_view identity) const { return hash(identity.data(), identity.size(), ~seed_); }

  void prefetch(const HeadHash& h) const { __builtin_prefetch(&slots_[h.low & mask_]); }
  Series* find(const HeadHash& h) {
    for (size_t i = h.low & mask_;; i = (i + 1) & mask_) {
      const Slot& s = slots_[i];
      if (s.series == 0) return nullptr;
      if (s.low == h.low && s.high == h.high) {
        Series& series = at(s.series - 1);
        return series.decision ? &series : nullptr;  // freed, and this slot not swept yet
      }
    }
  }
  // A new one, with its first link. Set its decision before the next sweep.
  Series* add(const HeadHash& h);
  // Lets it be found by another hash, too.
  void link(const HeadHash& h, Series* series);
  size_t size() const { return live_; }
  size_t bytes() const { return slots_.size() * sizeof(Slot) + chunks_.size() * kChunk * sizeof(Series); }

  // Looks at the next `slots` slots in turn and frees the series for which `idle` says so, after `release`.
  template <typename Idle, typename Release>
  void sweep(size_t slots, Idle idle, Release release) {
    for (size_t n = 0; n < slots && n < slots_.size(); n++) {
      sweep_at_ &= mask_;
      Slot& s = slots_[sweep_at_];
      if (uint32_t ahead = slots_[(sweep_at_ + kSweptAhead) & mask_].series) __builtin_prefetch(&at(ahead - 1));
      if (s.series != 0) {
        Series& series = at(s.series - 1);
        if (series.decision && idle(series)) {
          release(series);
          series.decision = nullptr;
          live_--;
        }
        if (!series.decision) {
          erase(sweep_at_);
          continue;  // another slot may have moved here
        }
      }
      sweep_at_++;
    }
  }
  size_t slots() const { return slots_.size(); }
  template <typename F>
  void for_each(F f) {
    for (Series* chunk : chunks_)
      for (size_t i = 0; i < kChunk; i++)
        if (chunk[i].decision) f(chunk[i]);
  }

 private:
  struct Slot {
    uint64_t low = 0;
    uint32_t high = 0;
    uint32_t series = 0;  // index + 1; 0: free
  };
  static constexpr size_t kChunk = 1024;
  static constexpr size_t kSweptAhead = 32;  // slots: series lie anywhere, and a sweep must not wait for each of them
  // So many chunks fill a huge page, and are allocated together; the first ones are not, since most tables stay small.
  static constexpr size_t kChunksAtOnce = kHugePage / (kChunk * sizeof(Series));

  static HeadHash hash(const char* p, size_t size, uint64_t seed) {
    XXH128_hash_t h = XXH3_128bits_withSeed(p, size, seed);
    return {h.low64, static_cast<uint32_t>(h.high64)};
  }
  Series& at(uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }
  Slot& slot_for(const HeadHash& h);  // the one that holds it, or the free one where it belongs
  void add_chunk();
  void unlink(uint32_t index);
  void erase(size_t slot);
  void grow();

  uint64_t seed_;
  std::vector<Slot, LargeAllocator<Slot>> slots_;
  size_t mask_ = 0;
  size_t used_ = 0;
  size_t live_ = 0;
  size_t sweep_at_ = 0;
  std::vector<Series*> chunks_;
  std::vector<uint32_t> free_;
};

}  // namespace limpet
