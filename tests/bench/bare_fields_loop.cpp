// The upper bound for lines as Telegraf writes them: any number of fields, in another order on every line, integers,
// long decimals, strings. Per line: hash the bytes of the series and look it up. Per field: find its number by one
// masked load of its name, in a table that all series of a measurement share; read the value, exactly rounded; add it
// to the series' count, sum, min and max.
//
//   bare_fields_loop FILE PASSES [--sums]     the first pass meets every series and field for the first time
//                                             --sums: print every aggregate at the end, to compare with another program
//
// REQUIRES of the input: no escapes in names, no bad lines, at most 65 000 series and 250 fields of a measurement.
#define XXH_INLINE_ALL
#include <fast_float/fast_float.h>
#include <immintrin.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bare_report.h"

namespace {

constexpr size_t kBatchLines = 32;
constexpr size_t kSeriesSlots = size_t{1} << 16;
constexpr size_t kSlackBytes = 512;  // vector loads and long numbers may read past the end of the data

struct Aggregate {
  double sum = 0;
  double min = 1e300;
  double max = -1e300;
  uint64_t count = 0;

  void add(double v) {
    sum += v;
    ++count;
    min = std::min(min, v);
    max = std::max(max, v);
  }
};

// Field names of one measurement, numbered as they come. Open addressing by a hash of the first 16 bytes and the
// length.
class FieldNames {
 public:
  size_t number_of(const char* name, size_t size) {
    const __m128i head = first_bytes(name, size);
    for (size_t i = slot_of(head, size);; i = (i + 1) % kSlots) {
      Entry& entry = entries_[i];
      if (entry.number >= 0 && is_same(entry, head, name, size)) return static_cast<size_t>(entry.number);
      if (entry.number < 0) return add(entry, head, name, size);
    }
  }

  template <class Visit>
  void each(Visit visit) const {
    for (const Entry& entry : entries_)
      if (entry.number >= 0) visit(entry.name, static_cast<size_t>(entry.number));
  }

 private:
  static constexpr size_t kSlots = 256;
  struct Entry {
    __m128i head;
    std::string name;
    int number = -1;
  };

  // The first 16 bytes of the name, zeros behind its end: a load of 16 bytes and a mask that begins 16 - size bytes
  // before its edge.
  static __m128i first_bytes(const char* name, size_t size) {
    alignas(32) static constexpr uint8_t kOnesThenZeros[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                               255, 255, 255, 255, 255, 255, 255, 255};
    const uint8_t* mask = kOnesThenZeros + 16 - std::min<size_t>(size, 16);
    return _mm_and_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(name)),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(mask)));
  }

  static size_t slot_of(__m128i head, size_t size) {
    const auto low = static_cast<uint64_t>(_mm_cvtsi128_si64(head));
    const auto high = static_cast<uint64_t>(_mm_extract_epi64(head, 1));
    return ((low ^ (high * 0x9E3779B97F4A7C15 + size)) * 0xD6E8FEB86659FD93) >> 56;
  }

  static bool is_same(const Entry& entry, __m128i head, const char* name, size_t size) {
    return entry.name.size() == size && _mm_movemask_epi8(_mm_cmpeq_epi8(entry.head, head)) == 0xffff &&
           (size <= 16 || memcmp(entry.name.data() + 16, name + 16, size - 16) == 0);
  }

  size_t add(Entry& entry, __m128i head, const char* name, size_t size) {
    entry.head = head;
    entry.name.assign(name, size);
    entry.number = count_++;
    return static_cast<size_t>(entry.number);
  }

  std::vector<Entry> entries_ = std::vector<Entry>(kSlots);
  int count_ = 0;
};

struct Series {
  XXH128_hash_t hash = {0, 0};
  FieldNames* names = nullptr;  // null: the slot is free
  std::vector<Aggregate> aggregates;
  std::string text;
};

class SeriesTable {
 public:
  void prefetch(XXH128_hash_t hash) const { __builtin_prefetch(&slots_[hash.low64 % kSeriesSlots]); }

  Series& find(XXH128_hash_t hash, std::string_view text) {
    for (size_t i = hash.low64 % kSeriesSlots;; i = (i + 1) % kSeriesSlots) {
      Series& series = slots_[i];
      if (series.hash.low64 == hash.low64 && series.hash.high64 == hash.high64) return series;
      if (!series.names) return add(series, hash, text);
    }
  }

  uint64_t count() const { return count_; }
  const std::vector<Series>& slots() const { return slots_; }

 private:
  Series& add(Series& series, XXH128_hash_t hash, std::string_view text) {
    auto& names = measurements_[std::string(text.substr(0, text.find(',')))];
    if (!names) names = std::make_unique<FieldNames>();
    series.hash = hash;
    series.names = names.get();
    series.text = text;
    ++count_;
    return series;
  }

  std::vector<Series> slots_ = std::vector<Series>(kSeriesSlots);
  std::unordered_map<std::string, std::unique_ptr<FieldNames>> measurements_;
  uint64_t count_ = 0;
};

// The first `c` at or behind p. REQUIRES: there is one.
const char* find_byte(const char* p, char c) {
  const __m256i wanted = _mm256_set1_epi8(c);
  for (;; p += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const auto hits = static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, wanted)));
    if (hits) return p + std::countr_zero(hits);
  }
}

bool is_digit(char c) { return static_cast<unsigned>(c - '0') < 10; }
bool ends_value(char c) { return c == ',' || c == ' '; }

// Reads digits, eight at a time while there are as many, onto `value` (which wraps beyond 19 of them).
[[gnu::always_inline]] inline uint64_t read_digits(const char*& p, uint64_t value) {
  for (;; p += 8) {
    uint64_t eight;
    memcpy(&eight, p, 8);
    if (((eight + 0x4646464646464646) | (eight - 0x3030303030303030)) & 0x8080808080808080) break;
    eight -= 0x3030303030303030;        // bytes 0 to 9
    eight = eight * 10 + (eight >> 8);  // every other byte: pairs, 0 to 99
    const uint64_t quads =
        (eight & 0x000000FF000000FF) * 0x000F424000000064 + ((eight >> 16) & 0x000000FF000000FF) * 0x0000271000000001;
    value = value * 100'000'000 + static_cast<uint32_t>(quads >> 32);
  }
  for (; is_digit(*p); ++p) value = value * 10 + static_cast<uint64_t>(*p - '0');
  return value;
}

// `digits` * 10^-places, exactly rounded; false where that needs more than 19 digits.
[[gnu::always_inline]] inline bool scale(uint64_t digits, ptrdiff_t digit_count, ptrdiff_t places, bool negative,
                                         double& out) {
  static constexpr double kPowersOfTen[] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                            1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (digit_count > 19) return false;
  if (digits < (uint64_t{1} << 53) && places <= 22) {  // both exact as doubles: one division rounds once
    const double value = static_cast<double>(digits) / kPowersOfTen[places];
    out = negative ? -value : value;
    return true;
  }
  const auto rounded =
      fast_float::compute_float<fast_float::binary_format<double>>(-places, digits);  // Eisel and Lemire
  if (rounded.power2 < 0) return false;
  fast_float::to_float(negative, rounded, out);
  return true;
}

// Reads the number at p; returns its end.
const char* read_number(const char* p, double& out) {
  const char* begin = p;
  const bool negative = *p == '-';
  p += negative;
  const char* first_digit = p;
  uint64_t digits = read_digits(p, 0);
  if (*p == 'i' || ends_value(*p)) {
    out = negative ? -static_cast<double>(digits) : static_cast<double>(digits);
    return p + (*p == 'i');
  }
  if (*p == '.') {
    const char* point = p++;
    digits = read_digits(p, digits);
    if (ends_value(*p) && scale(digits, p - first_digit - 1, p - point - 1, negative, out)) return p;
  }
  return fast_float::from_chars(begin, begin + 400, out).ptr;
}

const char* skip_string(const char* p) {
  for (++p; *p != '"'; ++p) p += *p == '\\';
  return p + 1;
}

class BareFieldsLoop {
 public:
  void pass(const char* p, const char* end) {
    while (p < end) {
      size_t count = scan(p, end);
      for (size_t i = 0; i < count; i++) {
        Line& line = batch_[i];
        line.series =
            &table_.find(line.hash, std::string_view(line.head, static_cast<size_t>(line.head_end - line.head)));
        __builtin_prefetch(line.series->aggregates.data());
      }
      for (size_t i = 0; i < count; i++) fields(*batch_[i].series, batch_[i].head_end + 1);
      lines_ += count;
    }
  }

  uint64_t lines() const { return lines_; }
  uint64_t samples() const { return samples_; }
  uint64_t series() const { return table_.count(); }

  void print_sums() const {
    for (const Series& series : table_.slots()) {
      if (!series.names) continue;
      series.names->each([&](const std::string& name, size_t number) {
        if (number >= series.aggregates.size() || !series.aggregates[number].count) return;
        const Aggregate& a = series.aggregates[number];
        printf("%s %s %llu %.17g %.17g %.17g\n", series.text.c_str(), name.c_str(),
               static_cast<unsigned long long>(a.count), a.sum, a.min, a.max);
      });
    }
  }

 private:
  struct Line {
    const char* head;
    const char* head_end;
    XXH128_hash_t hash;
    Series* series;
  };

  size_t scan(const char*& p, const char* end) {
    size_t count = 0;
    for (; count < kBatchLines && p < end; count++) {
      Line& line = batch_[count];
      line.head = p;
      line.head_end = find_byte(p, ' ');
      line.hash = XXH3_128bits(p, static_cast<size_t>(line.head_end - p));
      table_.prefetch(line.hash);
      p = find_byte(line.head_end, '\n') + 1;
    }
    return count;
  }

  void fields(Series& series, const char* p) {
    for (;; ++p) {
      const char* equals = find_byte(p, '=');
      const size_t number = series.names->number_of(p, static_cast<size_t>(equals - p));
      p = equals + 1;
      if (is_digit(*p) || *p == '-') {
        double value;
        p = read_number(p, value);
        if (number >= series.aggregates.size()) series.aggregates.resize(number + 1);
        series.aggregates[number].add(value);
        ++samples_;
      } else if (*p == '"') {
        p = skip_string(p);
      } else {
        while (!ends_value(*p)) ++p;
      }
      if (*p == ' ') return;
    }
  }

  SeriesTable table_;
  Line batch_[kBatchLines];
  uint64_t lines_ = 0;
  uint64_t samples_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::ifstream file(argc > 1 ? argv[1] : "", std::ios::binary);
  if (argc < 3 || !file) return fprintf(stderr, "usage: bare_fields_loop FILE PASSES [--sums]\n"), 2;
  std::string data((std::istreambuf_iterator<char>(file)), {});
  const size_t bytes = data.size();
  data.append(kSlackBytes, '\0');

  BareFieldsLoop loop;
  for (int i = 0; i < atoi(argv[2]); i++) {
    const uint64_t lines = loop.lines(), samples = loop.samples();
    const Stopwatch watch;
    loop.pass(data.data(), data.data() + bytes);
    report(i, bytes, loop.lines() - lines, loop.samples() - samples, loop.series(), watch.seconds());
  }
  if (argc > 3) loop.print_sums();
}
