// The slow obvious sum: every double is an integer times 2^-1074, so a long enough integer holds any sum exactly.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "base/int128.h"

namespace limpet::testing {

class ExactSum {
 public:
  void add(double v) {
    auto [mantissa, exponent] = parts(v);
    add(mantissa, exponent);
  }
  // REQUIRES: the product has no bit below 2^-1074.
  void add_product(double a, double b) {
    auto [ma, ea] = parts(a);
    auto [mb, eb] = parts(b);
    add(static_cast<int128>(ma) * mb, ea + eb);
  }
  void add_integer(int128 v) { add(v, 0); }

  // Within some 2^-50 of itself.
  double value() const {
    Limbs limbs = limbs_;
    for (size_t i = 0; i + 1 < limbs.size(); i++) {
      limbs[i + 1] += limbs[i] >> 32;
      limbs[i] &= 0xffffffff;
    }
    bool negative = limbs.back() < 0;
    if (negative) return -negated().value();
    double sum = 0;
    for (size_t i = limbs.size(); i-- > 0;)
      sum += std::ldexp(static_cast<double>(limbs[i]), static_cast<int>(32 * i) + kLowest);
    return sum;
  }

 private:
  static constexpr int kLowest = -1074;
  using Limbs = std::array<int64_t, 72>;  // base 2^32, carries pending

  static std::pair<int64_t, int> parts(double v) {
    int exponent;
    double fraction = std::frexp(v, &exponent);
    auto mantissa = static_cast<int64_t>(std::ldexp(fraction, 53));
    for (exponent -= 53; mantissa != 0 && mantissa % 2 == 0; exponent++) mantissa /= 2;
    return {mantissa, mantissa ? exponent : 0};
  }
  void add(int128 v, int exponent) {
    int sign = v < 0 ? -1 : 1;
    auto rest = static_cast<uint128>(v < 0 ? -v : v);
    while (rest && exponent < kLowest && rest % 2 == 0) rest /= 2, exponent++;
    auto at = static_cast<size_t>(exponent - kLowest);
    for (; rest; rest >>= 32, at += 32) {
      uint64_t word = (static_cast<uint64_t>(rest) & 0xffffffff) << (at % 32);
      limbs_[at / 32] += sign * static_cast<int64_t>(word & 0xffffffff);
      limbs_[at / 32 + 1] += sign * static_cast<int64_t>(word >> 32);
    }
  }
  ExactSum negated() const {
    ExactSum r;
    for (size_t i = 0; i < limbs_.size(); i++) r.limbs_[i] = -limbs_[i];
    return r;
  }

  Limbs limbs_{};
};

}  // namespace limpet::testing
