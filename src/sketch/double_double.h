// Sums that do not lose what is small: a value as the unevaluated sum of two doubles, about 106 bits. Addition after
// Knuth (TwoSum), products after Dekker (the baseline has no FMA). Adding is associative to about 2^-100, so partial
// sums merge in any order.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/codec.h"
#include "base/int128.h"

namespace limpet {

struct DoubleDouble {
  double hi = 0;
  double lo = 0;

  void add(double v) {
    double s = hi + v;
    double back = s - hi;
    double error = (hi - (s - back)) + (v - back);
    renormalize(s, lo + error);
  }
  void add(const DoubleDouble& v) {
    double s = hi + v.hi;
    double back = s - hi;
    double error = (hi - (s - back)) + (v.hi - back);
    double t = lo + v.lo;
    double t_back = t - lo;
    double t_error = (lo - (t - t_back)) + (v.lo - t_back);
    renormalize(s, error + t);
    renormalize(hi, lo + t_error);
  }
  DoubleDouble operator-() const { return {-hi, -lo}; }
  // Exact where a double is not.
  void add_int(int64_t v) {
    auto high = static_cast<double>(v);
    add(high);
    if (v > kExact || v < -kExact) add(static_cast<double>(static_cast<int128>(v) - static_cast<int128>(high)));
  }
  void add_uint(uint64_t v) {
    auto high = static_cast<double>(v);
    add(high);
    if (v > static_cast<uint64_t>(kExact)) add(static_cast<double>(static_cast<int128>(v) - static_cast<int128>(high)));
  }
  void add_product(double a, double b) { add(product(a, b)); }

  // a * b, exactly as long as the product is finite and its low half no subnormal (from about 1e-290).
  static DoubleDouble product(double a, double b) {
    double p = a * b;
    if (!std::isfinite(p)) return {p, 0};
    if (std::fabs(a) > kSplitMax) [[unlikely]]
      return scaled(product(a * kDown, b), kUp);
    if (std::fabs(b) > kSplitMax) [[unlikely]]
      return scaled(product(a, b * kDown), kUp);
    double ah, al, bh, bl;
    split(a, ah, al);
    split(b, bh, bl);
    return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
  }
  DoubleDouble times(double v) const {
    DoubleDouble r = product(hi, v);
    r.add(lo * v);
    return r;
  }
  DoubleDouble times(const DoubleDouble& v) const {
    DoubleDouble r = product(hi, v.hi);
    r.add(hi * v.lo);
    r.add(lo * v.hi);
    return r;
  }
  DoubleDouble over(double v) const {
    double q = hi / v;
    DoubleDouble rest = *this;
    rest.add(negated(product(q, v)));
    DoubleDouble r{q, 0};
    r.add(rest.value() / v);
    return r;
  }
  static DoubleDouble negated(const DoubleDouble& v) { return {-v.hi, -v.lo}; }

  double value() const { return hi + lo; }
  bool operator==(const DoubleDouble&) const = default;

  void encode(Writer& out) const { out.f64(hi), out.f64(lo); }
  // False: malformed, or no sum that adding gives: the low half must vanish beside the high one.
  bool decode(Reader& in) {
    hi = in.f64(), lo = in.f64();
    return in.ok() && (std::isfinite(hi) ? hi + lo == hi : lo == 0);
  }

 private:
  static constexpr int64_t kExact = int64_t{1} << 53;
  static constexpr double kSplitter = 134217729.0;  // 2^27 + 1
  static constexpr double kSplitMax = 0x1p995;      // beyond it splitting would overflow
  static constexpr double kDown = 0x1p-60, kUp = 0x1p60;

  static void split(double v, double& high, double& low) {
    double c = kSplitter * v;
    high = c - (c - v);
    low = v - high;
  }
  static DoubleDouble scaled(const DoubleDouble& v, double power) { return {v.hi * power, v.lo * power}; }
  void renormalize(double s, double rest) {
    hi = s + rest;
    lo = std::isfinite(hi) ? rest - (hi - s) : 0;
  }
};

}  // namespace limpet
