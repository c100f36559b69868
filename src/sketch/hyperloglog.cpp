#include "sketch/hyperloglog.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace limpet {
namespace {

constexpr uint8_t kVersion = 1;

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

}  // namespace

void HyperLogLog::set_register(uint64_t hash) {
  auto index = static_cast<size_t>(hash >> (64 - kBits));
  uint64_t rest = hash << kBits;
  auto rank = static_cast<uint8_t>(rest == 0 ? kRankMax : std::countl_zero(rest) + 1);
  registers_[index] = std::max(registers_[index], rank);
}

void HyperLogLog::to_registers() {
  registers_.assign(kRegisters, 0);
  for (uint64_t hash : few_) set_register(hash);
  few_ = {};
}

void HyperLogLog::add(uint64_t hash) {
  if (!registers_.empty()) return set_register(hash);
  auto it = std::lower_bound(few_.begin(), few_.end(), hash);
  if (it != few_.end() && *it == hash) return;
  few_.insert(it, hash);
  if (few_.size() > kExactMax) to_registers();
}

void HyperLogLog::merge(const HyperLogLog& other) {
  if (other.registers_.empty()) {
    for (uint64_t hash : other.few_) add(hash);
    return;
  }
  if (registers_.empty()) to_registers();
  for (size_t i = 0; i < kRegisters; i++) registers_[i] = std::max(registers_[i], other.registers_[i]);
}

uint64_t HyperLogLog::estimate() const {
  if (registers_.empty()) return few_.size();
  std::array<double, kRankMax + 1> of_rank{};
  for (uint8_t r : registers_) of_rank[r]++;
  constexpr auto m = static_cast<double>(kRegisters);
  double z = m * tau(1 - of_rank[kRankMax] / m);
  for (int k = kRankMax - 1; k >= 1; k--) z = 0.5 * (z + of_rank[static_cast<size_t>(k)]);
  z += m * sigma(of_rank[0] / m);
  return static_cast<uint64_t>(std::llround(m / (2 * std::log(2.0)) * m / z));
}

void HyperLogLog::encode(Writer& out) const {
  out.u8(kVersion);
  out.varint(few_.size());
  for (uint64_t hash : few_) out.u64(hash);
  out.u8(registers_.empty() ? 0 : 1);
  for (uint8_t r : registers_) out.u8(r);
}

bool HyperLogLog::decode(Reader& in) {
  *this = HyperLogLog();
  if (in.u8() != kVersion) return false;
  uint64_t few = in.varint();
  if (few > kExactMax) return false;
  for (uint64_t i = 0; i < few && in.ok(); i++) {
    uint64_t hash = in.u64();
    if (!few_.empty() && hash <= few_.back()) return false;
    few_.push_back(hash);
  }
  uint8_t dense = in.u8();
  if (!in.ok() || dense > 1) return false;
  if (dense == 0) return true;
  if (few != 0 || in.left() < kRegisters) return false;
  registers_.resize(kRegisters);
  for (uint8_t& r : registers_)
    if ((r = in.u8()) > kRankMax) return false;
  return in.ok();
}

}  // namespace limpet
