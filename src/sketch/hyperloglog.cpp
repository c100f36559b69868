#include "sketch/hyperloglog.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace limpet {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kFirstCapacity = 4;
constexpr int kWeightBits = 52;

// Ertl's sigma and tau: what registers at 0 and at their highest say of the cardinality.
double sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double y = 1, z = x, before;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (z != before);
  return z;
}

double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1, z = 1 - x, before;
  do {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (z != before);
  return z / 3;
}

// 2^-rank in units of 2^-52: integers, so that sums of them are exact. Ranks 0 and 53 are sigma's and tau's.
constexpr auto kWeights = [] {
  std::array<uint64_t, 256> weights{};
  for (size_t rank = 1; rank <= kWeightBits; rank++) weights[rank] = uint64_t{1} << (kWeightBits - rank);
  return weights;
}();

}  // namespace

// Where the hash stands, or the free word where it would.
uint64_t& HyperLogLog::place_of(uint64_t hash) {
  size_t mask = size_t{capacity_} - 1, i = hash & mask;
  while (words_[i] != 0 && words_[i] != hash) i = (i + 1) & mask;
  return words_[i];
}

void HyperLogLog::add_exact(uint64_t hash) {
  if (hash == 0) {
    if (std::exchange(has_zero_, true)) return;
  } else {
    if (capacity_ == 0) resize(kFirstCapacity);
    uint64_t* place = &place_of(hash);
    if (*place == hash) return;
    if ((size_ + 1) * 4 > capacity_ * size_t{3}) {
      resize(capacity_ * size_t{2});
      place = &place_of(hash);
    }
    *place = hash;
  }
  if (++size_ > kExactMax) to_registers();
}

void HyperLogLog::resize(size_t capacity) {
  auto old = std::exchange(words_, std::make_unique<uint64_t[]>(capacity));
  size_t old_capacity = std::exchange(capacity_, static_cast<uint16_t>(capacity));
  for (size_t i = 0; i < old_capacity; i++)
    if (old[i]) place_of(old[i]) = old[i];
}

template <typename F>
void HyperLogLog::for_each_exact(F f) const {
  if (has_zero_) f(uint64_t{0});
  for (size_t i = 0; i < capacity_; i++)
    if (words_[i]) f(words_[i]);
}

void HyperLogLog::to_registers() {
  HyperLogLog dense;
  dense.words_ = std::make_unique<uint64_t[]>(kRegisters / sizeof(uint64_t));
  dense.size_ = kDense;
  for_each_exact([&](uint64_t hash) { dense.set_register(hash); });
  take(dense);
}

void HyperLogLog::merge(const HyperLogLog& other) {
  if (this == &other) return;
  if (!other.is_dense()) return other.for_each_exact([&](uint64_t hash) { add(hash); });
  if (!is_dense()) to_registers();
  uint8_t* into = registers();
  const uint8_t* from = other.registers();
  for (size_t i = 0; i < kRegisters; i++) into[i] = std::max(into[i], from[i]);
}

uint64_t HyperLogLog::estimate() const {
  if (!is_dense()) return size_;
  const uint8_t* ranks = registers();
  uint64_t weights = 0, zeros = 0, tops = 0;
  for (size_t i = 0; i < kRegisters; i++) {
    weights += kWeights[ranks[i]];
    zeros += ranks[i] == 0;
    tops += ranks[i] == kRankMax;
  }
  constexpr auto m = static_cast<double>(kRegisters);
  double z = std::ldexp(m * tau(1 - static_cast<double>(tops) / m) + static_cast<double>(weights), -kWeightBits) +
             m * sigma(static_cast<double>(zeros) / m);
  double n = m / (2 * std::log(2.0)) * m / z;
  return n < 0x1p63 ? static_cast<uint64_t>(std::llround(n)) : uint64_t{1} << 63;
}

void HyperLogLog::copy(const HyperLogLog& other) {
  size_t words = other.capacity();
  words_ = words ? std::make_unique_for_overwrite<uint64_t[]>(words) : nullptr;
  if (words) std::copy_n(other.words_.get(), words, words_.get());
  size_ = other.size_, capacity_ = other.capacity_, has_zero_ = other.has_zero_;
}

void HyperLogLog::take(HyperLogLog& other) {
  words_ = std::move(other.words_);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, uint16_t{0});
  has_zero_ = std::exchange(other.has_zero_, false);
}

// The tables of one set may differ in size and order.
bool HyperLogLog::operator==(const HyperLogLog& other) const {
  if (size_ != other.size_) return false;
  if (is_dense()) return std::memcmp(registers(), other.registers(), kRegisters) == 0;
  HyperLogLog both = *this;
  both.merge(other);
  return both.size_ == size_;
}

void HyperLogLog::encode(Writer& out) const {
  out.u8(kVersion);
  if (is_dense()) {
    out.varint(0);
    out.u8(1);
    for (size_t i = 0; i < kRegisters; i++) out.u8(registers()[i]);
    return;
  }
  std::array<uint64_t, kExactMax> sorted;
  size_t n = 0;
  for_each_exact([&](uint64_t hash) { sorted[n++] = hash; });
  std::sort(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(n));
  out.varint(n);
  for (size_t i = 0; i < n; i++) out.u64(sorted[i]);
  out.u8(0);
}

bool HyperLogLog::decode(Reader& in) {
  *this = HyperLogLog();
  auto fail = [&] { return *this = HyperLogLog(), false; };
  if (in.u8() != kVersion) return false;
  uint64_t exact = in.varint(), before = 0;
  if (exact > kExactMax) return false;
  for (uint64_t i = 0; i < exact; i++) {
    uint64_t hash = in.u64();
    if (!in.ok() || (i > 0 && hash <= before)) return fail();
    add_exact(before = hash);
  }
  uint8_t dense = in.u8();
  if (!in.ok() || dense > 1) return fail();
  if (dense == 0) return true;
  if (exact != 0 || in.left() < kRegisters) return fail();
  to_registers();
  bool any = false;
  for (size_t i = 0; i < kRegisters; i++) {
    uint8_t rank = registers()[i] = in.u8();
    if (rank > kRankMax) return fail();
    any |= rank != 0;
  }
  return any || fail();
}

}  // namespace limpet
