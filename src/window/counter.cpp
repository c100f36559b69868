#include "window/counter.h"

#include <cmath>
#include <compare>

#include "base/int128.h"

namespace limpet {
namespace {

bool is_whole(const Number& n) { return n.kind != ValueKind::kFloat; }
int128 whole(const Number& n) {
  return n.kind == ValueKind::kInt ? static_cast<int128>(n.i) : static_cast<int128>(n.u);
}

// REQUIRES: later >= earlier. Of whole numbers exact, as far as 64 bits hold it: a negative one taken from one beyond
// 2^63 may not fit.
Number difference(const Number& later, const Number& earlier) {
  if (is_whole(later) && is_whole(earlier)) {
    int128 d = whole(later) - whole(earlier);
    return d >> 64 ? Number::of(static_cast<double>(d)) : Number::of(static_cast<uint64_t>(d));
  }
  return Number::of(later.as_double() - earlier.as_double());
}

bool below(const Number& a, const Number& b) {
  return is_whole(a) && is_whole(b) ? whole(a) < whole(b) : a.as_double() < b.as_double();
}

// At most 1 % of what it was.
bool is_small_fall(const Number& from, const Number& to) {
  if (is_whole(from) && is_whole(to)) return (whole(from) - whole(to)) * 100 <= whole(from);
  return from.as_double() - to.as_double() <= from.as_double() * 0.01;
}

// What a counter that starts at zero has counted; one that shows less than zero has counted nothing.
Number from_zero_to(const Number& v) {
  if (v.as_double() <= 0) return Number::of(uint64_t{0});
  return v.kind == ValueKind::kInt ? Number::of(static_cast<uint64_t>(v.i)) : v;
}

void encode(const Number& n, Writer& out) { out.u8(static_cast<uint8_t>(n.kind)), out.u64(n.u); }
bool decode(Number& n, Reader& in) {
  uint8_t kind = in.u8();
  n.u = in.u64();
  n.kind = static_cast<ValueKind>(kind);
  return in.ok() && kind <= static_cast<uint8_t>(ValueKind::kUint);
}

constexpr uint8_t kVersion = 1;

}  // namespace

Number CounterSeries::increase(Number u, Number v, bool& kept, CounterEvents& events) {
  kept = false;
  if (!below(v, u)) return difference(v, u);
  if (is_small_fall(u, v)) {
    kept = true;
    events.falls++;
    return Number::of(uint64_t{0});
  }
  events.resets++;
  return from_zero_to(v);
}

CounterStep CounterSeries::start(Number value, int64_t time_ns, bool from_zero) {
  known_ = true;
  first_ = last_ = value;
  first_time_ns_ = last_time_ns_ = time_ns;
  between_ = {};
  return {true, from_zero ? from_zero_to(value) : Number::of(uint64_t{0})};  // no part of `between`
}

CounterStep CounterSeries::step(Number value, int64_t time_ns, CounterEvents& events) {
  if (time_ns < last_time_ns_) return {};
  bool kept;
  Number plus = increase(last_, value, kept, events);
  if (!kept) last_ = value;
  last_time_ns_ = time_ns;
  plus.add_to(between_);
  return {true, plus};
}

// Where both lie in one instant nothing tells; the lower one then, so that it does not matter which joins which.
bool CounterSeries::precedes(const CounterSeries& a, const CounterSeries& b) {
  if (a.last_time_ns_ > b.first_time_ns_) return false;
  if (b.last_time_ns_ > a.first_time_ns_) return true;
  if (below(a.last_, b.last_) || below(b.last_, a.last_)) return below(a.last_, b.last_);
  return !below(b.first_, a.first_);
}

// Without a reset the increase is last - first, give or take rounding; each one adds the value it fell from.
bool CounterSeries::was_reset() const {
  double first = first_.as_double();
  return between_.value() - (last_.as_double() - first) > first / 2;
}

std::optional<CounterSeries::Joint> CounterSeries::join(const CounterSeries& other, CounterEvents& events) {
  if (!other.known_) return std::nullopt;
  if (!known_) {
    *this = other;
    return std::nullopt;
  }
  const CounterSeries& earlier = precedes(*this, other) ? *this : other;
  const CounterSeries& later = &earlier == this ? other : *this;
  if (later.first_time_ns_ < earlier.last_time_ns_) return std::nullopt;  // they overlap: no step lies between them
  bool kept;
  Number plus = increase(earlier.last_, later.first_, kept, events);
  CounterSeries joined = earlier;
  joined.between_.add(later.between_);
  plus.add_to(joined.between_);
  joined.last_ = later.last_;
  joined.last_time_ns_ = later.last_time_ns_;
  // A small fall keeps the higher value until the later part rises above it, or falls to a reset.
  if (kept && below(later.last_, earlier.last_) && !later.was_reset()) joined.last_ = earlier.last_;
  Joint joint{plus, later.first_time_ns_};
  *this = joined;
  return joint;
}

void CounterSeries::encode(Writer& out) const {
  out.u8(kVersion), out.u8(known_);
  if (!known_) return;
  limpet::encode(first_, out), limpet::encode(last_, out);
  out.zigzag(first_time_ns_), out.zigzag(last_time_ns_);
  between_.encode(out);
}

bool CounterSeries::decode(Reader& in) {
  *this = CounterSeries();
  if (in.u8() != kVersion) return false;
  uint8_t known = in.u8();
  if (known == 0) return in.ok();
  if (known > 1 || !limpet::decode(first_, in) || !limpet::decode(last_, in)) return false;
  first_time_ns_ = in.zigzag(), last_time_ns_ = in.zigzag();
  known_ = true;
  return between_.decode(in) && first_time_ns_ <= last_time_ns_;
}

}  // namespace limpet
