// The upper bound for lines whose fields always come in the same order: what one core does with such data when it knows
// its shape and nothing can go wrong. Per line: find the end of the series, hash its bytes, look it up, read two
// numbers, add them to the group that stays when the tag pod_id goes. Lines go through in batches, so that the memory
// of one is fetched while others work.
//
//   bare_loop FILE PASSES        the first pass meets every series for the first time
//
// REQUIRES of the input: no escapes, exactly two number fields of which the second is an integer, a tag pod_id that is
// not the last; at most a million series. `generate_lines fixed2` writes such lines.
#define XXH_INLINE_ALL
#include <fcntl.h>
#include <immintrin.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "bare_report.h"

namespace {

constexpr size_t kBatchLines = 32;
constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr size_t kTableSlots = size_t{1} << 21;
constexpr size_t kSlackBytes = 4096;  // vector loads may read past the end of the data

// What is kept of one field of one group: the simple functions and a histogram by powers of two.
struct Aggregate {
  double sum = 0;
  double min = 1e300;
  double max = -1e300;
  uint64_t count = 0;
  uint32_t histogram[64] = {};

  void add(double v) {
    sum += v;
    ++count;
    min = v < min ? v : min;
    max = v > max ? v : max;
    ++histogram[(std::bit_cast<uint64_t>(v) >> 49) & 63];
  }
};

struct Slot {
  XXH128_hash_t hash;   // 0: free
  uint32_t aggregates;  // index of the first of the group's two
  uint32_t series;
  int64_t newest_ns;
};

// Open addressing by the low bits of the hash; never grows.
class SeriesTable {
 public:
  SeriesTable() {
    void* memory =
        mmap(nullptr, kTableSlots * sizeof(Slot), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, kTableSlots * sizeof(Slot), MADV_HUGEPAGE);
    slots_ = static_cast<Slot*>(memory);
  }

  void prefetch(XXH128_hash_t hash) const { __builtin_prefetch(&slots_[hash.low64 % kTableSlots]); }

  Slot& find(XXH128_hash_t hash, const char* head, const char* head_end) {
    size_t i = hash.low64 % kTableSlots;
    for (;; i = (i + 1) % kTableSlots) {
      Slot& slot = slots_[i];
      if (slot.hash.low64 == hash.low64 && slot.hash.high64 == hash.high64) [[likely]]
        return slot;
      if ((slot.hash.low64 | slot.hash.high64) == 0)
        return slot = Slot{hash, group_without_pod(head, head_end), series_++, 0};
    }
  }

  std::vector<Aggregate> aggregates;
  uint32_t series() const { return series_; }

 private:
  uint32_t group_without_pod(const char* head, const char* head_end) {
    std::string name(head, head_end);
    size_t begin = name.find(",pod_id=");
    name.erase(begin, name.find(',', begin + 1) - begin);
    auto [group, is_new] = groups_.try_emplace(std::move(name), static_cast<uint32_t>(aggregates.size()));
    if (is_new) aggregates.resize(aggregates.size() + 2);
    return group->second;
  }

  Slot* slots_;
  std::unordered_map<std::string, uint32_t> groups_;
  uint32_t series_ = 0;
};

// The first `c` at or behind p, or end.
const char* find_byte(const char* p, const char* end, char c) {
  const __m256i wanted = _mm256_set1_epi8(c);
  while (p < end) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const auto hits = static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, wanted)));
    if (hits) return p + std::countr_zero(hits);
    p += 32;
  }
  return end;
}

uint64_t read_digits(const char*& p, uint64_t value) {
  for (; *p >= '0' && *p <= '9'; ++p) value = value * 10 + static_cast<uint64_t>(*p - '0');
  return value;
}

// A decimal of at most 12 places behind the point, and below 2^53 without it: one division is exactly rounded.
double read_number(const char*& p) {
  static constexpr double kPowersOfTen[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
  const bool negative = *p == '-';
  p += negative;
  uint64_t digits = read_digits(p, 0);
  ptrdiff_t places = 0;
  if (*p == '.') {
    const char* point = ++p;
    digits = read_digits(p, digits);
    places = p - point;
  }
  const double value = static_cast<double>(digits) / kPowersOfTen[places];
  return negative ? -value : value;
}

class BareLoop {
 public:
  // Takes the whole lines of a block; returns where the unfinished last one begins.
  const char* block(const char* p, const char* end) {
    for (;;) {
      size_t count = scan(p, end);
      for (size_t i = 0; i < count; i++) {
        Line& line = batch_[i];
        line.slot = &table_.find(line.hash, line.head, line.head_end);
        __builtin_prefetch(&table_.aggregates[line.slot->aggregates]);
      }
      for (size_t i = 0; i < count; i++) aggregate(batch_[i]);
      lines_ += count;
      if (count < kBatchLines) return p;
    }
  }

  uint64_t lines() const { return lines_; }
  uint32_t series() const { return table_.series(); }

 private:
  struct Line {
    const char* head;
    const char* head_end;
    XXH128_hash_t hash;
    Slot* slot;
  };

  // Fills the batch; moves p behind the last whole line of it.
  size_t scan(const char*& p, const char* end) {
    size_t count = 0;
    for (; count < kBatchLines; count++) {
      Line& line = batch_[count];
      const char* space = find_byte(p, end, ' ');
      const char* newline = find_byte(space, end, '\n');
      if (newline >= end) break;
      line.head = p;
      line.head_end = space;
      line.hash = XXH3_128bits(p, static_cast<size_t>(space - p));
      table_.prefetch(line.hash);
      p = newline + 1;
    }
    return count;
  }

  void aggregate(const Line& line) {
    const char* p = line.head_end;
    while (*p != '=') ++p;
    const double first = read_number(++p);
    while (*p != '=') ++p;
    const double second = read_number(++p);
    p += 2;  // the i of the integer, the space
    line.slot->newest_ns = static_cast<int64_t>(read_digits(p, 0));
    Aggregate* group = &table_.aggregates[line.slot->aggregates];
    group[0].add(first);
    group[1].add(second);
  }

  SeriesTable table_;
  Line batch_[kBatchLines];
  uint64_t lines_ = 0;
};

// Reads the file once; returns its bytes.
uint64_t pass(BareLoop& loop, int file, char* buffer) {
  uint64_t bytes = 0;
  size_t filled = 0;
  lseek(file, 0, SEEK_SET);
  for (ssize_t n; (n = read(file, buffer + filled, kBlockBytes - filled)) > 0;) {
    bytes += static_cast<uint64_t>(n);
    const char* end = buffer + filled + n;
    const char* rest = loop.block(buffer, end);
    filled = static_cast<size_t>(end - rest);
    memmove(buffer, rest, filled);
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  const int file = argc == 3 ? open(argv[1], O_RDONLY) : -1;
  if (file < 0) return fprintf(stderr, "usage: bare_loop FILE PASSES\n"), 2;
  auto* buffer = static_cast<char*>(aligned_alloc(4096, kBlockBytes + kSlackBytes));
  BareLoop loop;
  for (int i = 0; i < atoi(argv[2]); i++) {
    const Stopwatch watch;
    const uint64_t before = loop.lines();
    const uint64_t bytes = pass(loop, file, buffer);
    report(i, bytes, loop.lines() - before, 2 * (loop.lines() - before), loop.series(), watch.seconds());
  }
}
