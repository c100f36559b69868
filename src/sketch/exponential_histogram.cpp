#include "sketch/exponential_histogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "base/int128.h"

namespace limpet {
namespace {

constexpr uint8_t kVersion = 1;
constexpr int32_t kBuckets = 64;            // in a power of two
constexpr int32_t kLowestExponent = -1074;  // of the least subnormal
constexpr int32_t kIndexes = 2098 * kBuckets;
constexpr size_t kFirstList = 16;

// The number of `rank` (from 1) among n unsorted keys.
int32_t nth_key(const int32_t* keys, size_t n, size_t rank) {
  std::array<int32_t, ExponentialHistogram::kListMax> sorted;
  std::copy_n(keys, n, sorted.begin());
  auto nth = sorted.begin() + static_cast<ptrdiff_t>(rank - 1);
  std::nth_element(sorted.begin(), nth, sorted.begin() + static_cast<ptrdiff_t>(n));
  return *nth;
}

// Below 2^6 units of 2^-1074, the buckets between the units hold no number.
bool holds_numbers(int64_t place) {
  int64_t index = place >= 0 ? place : -place - 1, exponent = index / kBuckets;
  return exponent >= 6 || index % (kBuckets >> exponent) == 0;
}

}  // namespace

int32_t ExponentialHistogram::place_of_subnormal(uint64_t magnitude) {
  if (magnitude == 0) return 0;
  int leading = 63 - std::countl_zero(magnitude);  // the number is magnitude * 2^-1074
  uint64_t rest = magnitude - (uint64_t{1} << leading);
  return leading * kBuckets + static_cast<int32_t>(leading >= 6 ? rest >> (leading - 6) : rest << (6 - leading)) + 1;
}

// 2ab / (a + b) of the bucket [a, b): equally far, in proportion, from both ends. Subnormals are multiples of 2^-1074,
// and so are the low ends of their buckets.
double ExponentialHistogram::middle_of(int32_t key) {
  if (key == 0) return 0;
  int32_t index = std::abs(key) - 1;
  int32_t exponent = index / kBuckets;  // above the least subnormal's
  double low = kBuckets + index % kBuckets, high = low + 1;
  double middle = 2 * low * high / (low + high);
  constexpr int32_t kSubnormals = 52;
  double v = exponent >= kSubnormals ? std::ldexp(middle, exponent + kLowestExponent - 6)
                                     : std::ldexp(std::floor(std::ldexp(middle, exponent - 6)), kLowestExponent);
  return key < 0 ? -v : v;
}

void ExponentialHistogram::add_to_list(int32_t key, uint64_t n) {
  if (n == 0) return;
  if (n > kListMax - count_) {
    to_pages();
    raise_count(n);
    return heap_.pages->add(key, n);
  }
  if (count_ + n > kHereMax && (count_ <= kHereMax || count_ + n > heap_.capacity))
    grow_list(std::max(kFirstList, std::bit_ceil(count_ + n)));
  int32_t* list = count_ + n <= kHereMax ? here_ : heap_.list;
  std::fill_n(list + count_, n, key);
  count_ += n;
}

// REQUIRES: count_ is raised above kHereMax right after.
void ExponentialHistogram::grow_list(size_t capacity) {
  auto* list = new int32_t[capacity];
  std::copy_n(keys(), count_, list);
  if (count_ > kHereMax) delete[] heap_.list;
  heap_.list = list;
  heap_.capacity = static_cast<uint32_t>(capacity);
}

// REQUIRES: count_ is raised above kListMax right after.
void ExponentialHistogram::to_pages() {
  auto* pages = new ExponentialPages;
  for (size_t i = 0; i < count_; i++) pages->add(keys()[i], 1);
  if (count_ > kHereMax) delete[] heap_.list;
  heap_.pages = pages;
}

void ExponentialHistogram::merge(const ExponentialHistogram& other) {
  if (this == &other) return merge(ExponentialHistogram(other));
  if (other.count_ <= kListMax) {
    for (size_t i = 0; i < other.count_; i++) add_key(other.keys()[i], 1);
    return;
  }
  if (count_ <= kListMax) to_pages();
  raise_count(other.count_);
  heap_.pages->merge(*other.heap_.pages);
}

template <typename F>
void ExponentialHistogram::for_each(F f) const {
  if (count_ > kListMax) return heap_.pages->for_each([&](int32_t key, uint64_t n) { return f(key, n), false; });
  std::array<int32_t, kListMax> sorted;
  std::copy_n(keys(), count_, sorted.begin());
  std::sort(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(count_));
  for (size_t i = 0, next; i < count_; i = next) {
    for (next = i + 1; next < count_ && sorted[next] == sorted[i];) next++;
    f(sorted[i], next - i);
  }
}

double ExponentialHistogram::quantile(uint64_t numerator, uint64_t denominator) const {
  if (count_ == 0) return 0;
  uint128 rank = (static_cast<uint128>(numerator) * count_ + denominator - 1) / denominator;
  rank = std::clamp<uint128>(rank, 1, count_);
  if (count_ <= kListMax) return middle_of(nth_key(keys(), count_, static_cast<size_t>(rank)));
  int32_t found = 0;
  uint128 seen = 0;
  heap_.pages->for_each([&](int32_t key, uint64_t n) { return found = key, (seen += n) >= rank; });
  return middle_of(found);
}

size_t ExponentialHistogram::bytes() const {
  if (count_ <= kHereMax) return 0;
  return count_ <= kListMax ? heap_.capacity * sizeof(int32_t) : heap_.pages->bytes();
}

void ExponentialHistogram::copy(const ExponentialHistogram& other) {
  if (other.count_ <= kHereMax) {
    std::copy_n(other.here_, kHereMax, here_);
  } else if (other.count_ <= kListMax) {
    heap_.list = new int32_t[other.heap_.capacity];
    heap_.capacity = other.heap_.capacity;
    std::copy_n(other.heap_.list, other.count_, heap_.list);
  } else {
    heap_.pages = new ExponentialPages(*other.heap_.pages);
  }
  count_ = other.count_;
}

void ExponentialHistogram::take(ExponentialHistogram& other) {
  if (other.count_ <= kHereMax)
    std::copy_n(other.here_, kHereMax, here_);
  else
    heap_ = other.heap_;
  count_ = std::exchange(other.count_, 0);
}

void ExponentialHistogram::release() {
  if (count_ > kListMax)
    delete heap_.pages;
  else if (count_ > kHereMax)
    delete[] heap_.list;
  count_ = 0;
}

bool ExponentialHistogram::operator==(const ExponentialHistogram& other) const {
  if (count_ != other.count_) return false;
  std::string a, b;
  Writer writer_a(a), writer_b(b);
  encode(writer_a), other.encode(writer_b);
  return a == b;
}

// On the wire zeros stand apart and the other keys lie without a gap: index, or -index - 1 of negative numbers.
void ExponentialHistogram::encode(Writer& out) const {
  uint64_t used = 0, zeros = 0;
  for_each([&](int32_t key, uint64_t n) { key == 0 ? void(zeros = n) : void(used++); });
  out.u8(kVersion);
  out.varint(zeros);
  out.varint(used);
  int32_t before = -kIndexes - 1;
  for_each([&](int32_t key, uint64_t n) {
    if (key == 0) return;
    int32_t place = key > 0 ? key - 1 : key;
    out.varint(static_cast<uint64_t>(place - before));
    out.varint(n);
    before = place;
  });
}

bool ExponentialHistogram::decode(Reader& in) {
  clear();
  auto fail = [&] { return clear(), false; };
  if (in.u8() != kVersion) return false;
  uint64_t zeros = in.varint(), used = in.varint();
  add_key(0, zeros);
  int64_t place = -kIndexes - 1;
  for (uint64_t i = 0; i < used && in.ok(); i++) {
    uint64_t step = in.varint(), n = in.varint();
    if (step == 0 || n == 0 || step > 2 * uint64_t{kIndexes} || n > UINT64_MAX - count_) return fail();
    place += static_cast<int64_t>(step);
    if (place >= kIndexes || !holds_numbers(place)) return fail();
    add_key(static_cast<int32_t>(place >= 0 ? place + 1 : place), n);
  }
  return in.ok() || fail();
}

}  // namespace limpet
