#include "service/pacer.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr double kBurstS = 0.05;  // the bucket holds what is due in this time
constexpr double kWorthwhileS = 0.01;

}  // namespace

double Pacer::capacity() const { return std::max(rate_ * kBurstS, 1.0); }

void Pacer::refill(MonoTime now) {
  double elapsed_s = static_cast<double>(std::max<int64_t>(now.ns - last_.ns, 0)) * 1e-9;
  tokens_ = std::min(capacity(), tokens_ + elapsed_s * rate_);
  last_ = now;
}

size_t Pacer::allowance(MonoTime now) {
  if (least_ <= 0) return SIZE_MAX;
  refill(now);
  return tokens_ >= 1 ? static_cast<size_t>(tokens_) : 0;
}

int64_t Pacer::wait_ns(MonoTime now) {
  if (least_ <= 0) return 0;
  refill(now);
  double wanted = std::max(rate_ * kWorthwhileS, 1.0);
  return std::max<int64_t>(static_cast<int64_t>((wanted - tokens_) / rate_ * 1e9), 0);
}

}  // namespace limpet
