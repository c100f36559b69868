#include "window/series_parts.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>

#include "window/functions/mean.h"

namespace limpet {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kUnindexedMax = 8;

double real(uint64_t word) { return std::bit_cast<double>(word); }
uint64_t word(double v) { return std::bit_cast<uint64_t>(v); }

DoubleDouble sum_at(const uint64_t* w) { return {real(w[0]), real(w[1])}; }
void put_sum(uint64_t* w, const DoubleDouble& v) { w[0] = word(v.hi), w[1] = word(v.lo); }

// Words behind the hash. count: n. sum, increase, rate: double-double. mean: double-double, n. min, max: one. range:
// two. first, last: value, time, arrival.
uint32_t words_of(FunctionKind inner) {
  switch (inner) {
    case FunctionKind::kSum:
    case FunctionKind::kIncrease:
    case FunctionKind::kRate:
    case FunctionKind::kRange:
      return 2;
    case FunctionKind::kMean:
    case FunctionKind::kFirst:
    case FunctionKind::kLast:
      return 3;
    default:
      return 1;
  }
}

}  // namespace

SeriesParts::SeriesParts(FunctionKind inner, FunctionKind outer)
    : inner_(inner),
      any_type_(inner == FunctionKind::kCount ||
                (outer == FunctionKind::kCount && (inner == FunctionKind::kFirst || inner == FunctionKind::kLast))),
      stride_(1 + words_of(inner)) {}

void SeriesParts::index_record(size_t record) {
  size_t mask = index_.size() - 1;
  size_t i = records_[record * stride_] & mask;
  while (index_[i] != 0) i = (i + 1) & mask;
  index_[i] = static_cast<uint32_t>(record + 1);
}

uint64_t* SeriesParts::find_or_add(uint64_t hash) {
  if (index_.empty()) {
    for (size_t r = 0; r < size(); r++)
      if (records_[r * stride_] == hash) return &records_[r * stride_ + 1];
  } else {
    size_t mask = index_.size() - 1;
    for (size_t i = hash & mask; index_[i] != 0; i = (i + 1) & mask)
      if (uint64_t* r = &records_[(index_[i] - 1) * stride_]; *r == hash) return r + 1;
  }
  size_t at = records_.size();
  records_.resize(at + stride_);
  records_[at] = hash;
  uint64_t* w = &records_[at + 1];
  if (inner_ == FunctionKind::kMin) w[0] = word(std::numeric_limits<double>::infinity());
  if (inner_ == FunctionKind::kMax) w[0] = word(-std::numeric_limits<double>::infinity());
  if (inner_ == FunctionKind::kRange)
    w[0] = word(std::numeric_limits<double>::infinity()), w[1] = word(-std::numeric_limits<double>::infinity());
  if (inner_ == FunctionKind::kFirst) w[0] = UINT64_MAX, w[1] = static_cast<uint64_t>(INT64_MAX), w[2] = UINT64_MAX;
  if (inner_ == FunctionKind::kLast) w[1] = static_cast<uint64_t>(INT64_MIN), w[2] = 0;
  if (size() > kUnindexedMax && size() * 2 > index_.size()) {
    index_.assign(std::bit_ceil(size() * 4), 0);
    for (size_t r = 0; r < size(); r++) index_record(r);
  } else if (!index_.empty()) {
    index_record(size() - 1);
  }
  return w;
}

bool SeriesParts::add(const Sample& s) {
  if (!s.is_number() && !any_type_) return false;
  bool counter = inner_ == FunctionKind::kIncrease || inner_ == FunctionKind::kRate;
  if (counter && !s.step.counted) return false;
  uint64_t* w = find_or_add(s.series_hash);
  double v = s.is_number() ? s.number.as_double() + 0.0 : 0;  // -0 is 0: which of them came first leaves no trace
  switch (inner_) {
    case FunctionKind::kCount:
      w[0]++;
      break;
    case FunctionKind::kMin:
      w[0] = word(std::min(real(w[0]), v));
      break;
    case FunctionKind::kMax:
      w[0] = word(std::max(real(w[0]), v));
      break;
    case FunctionKind::kRange:
      w[0] = word(std::min(real(w[0]), v)), w[1] = word(std::max(real(w[1]), v));
      break;
    case FunctionKind::kMean:
      w[2]++;
      [[fallthrough]];
    case FunctionKind::kSum: {
      DoubleDouble sum = sum_at(w);
      s.number.add_to(sum);
      put_sum(w, sum);
      break;
    }
    case FunctionKind::kIncrease:
    case FunctionKind::kRate: {
      DoubleDouble sum = sum_at(w);
      s.step.increase.add_to(sum);
      put_sum(w, sum);
      break;
    }
    default: {
      uint64_t record[3] = {word(v), static_cast<uint64_t>(s.time_ns), s.arrival};
      merge_record(w, record);
    }
  }
  return true;
}

void SeriesParts::merge_record(uint64_t* w, const uint64_t* from) {
  switch (inner_) {
    case FunctionKind::kCount:
      w[0] += from[0];
      break;
    case FunctionKind::kMin:
      w[0] = word(std::min(real(w[0]), real(from[0])));
      break;
    case FunctionKind::kMax:
      w[0] = word(std::max(real(w[0]), real(from[0])));
      break;
    case FunctionKind::kRange:
      w[0] = word(std::min(real(w[0]), real(from[0]))), w[1] = word(std::max(real(w[1]), real(from[1])));
      break;
    case FunctionKind::kMean:
      w[2] += from[2];
      [[fallthrough]];
    case FunctionKind::kSum:
    case FunctionKind::kIncrease:
    case FunctionKind::kRate: {
      DoubleDouble sum = sum_at(w);
      sum.add(sum_at(from));
      put_sum(w, sum);
      break;
    }
    default: {
      // As in window/first_last.h: by time, arrival, and last by the bits of the value.
      auto when = [](const uint64_t* r) { return std::tuple(static_cast<int64_t>(r[1]), r[2], r[0]); };
      if (inner_ == FunctionKind::kFirst ? when(from) < when(w) : when(w) < when(from)) std::copy_n(from, 3, w);
    }
  }
}

void SeriesParts::merge(const SeriesParts& other) {
  for (size_t r = 0; r < other.size(); r++) {
    const uint64_t* from = &other.records_[r * stride_];
    merge_record(find_or_add(*from), from + 1);
  }
}

double SeriesParts::value_of(const uint64_t* w, int64_t period_ns) const {
  switch (inner_) {
    case FunctionKind::kCount:
      return static_cast<double>(w[0]);
    case FunctionKind::kSum:
    case FunctionKind::kIncrease:
      return sum_at(w).value();
    case FunctionKind::kRate:
      return sum_at(w).value() / seconds(period_ns);
    case FunctionKind::kMean:
      return functions::mean_of(sum_at(w), w[2]);
    case FunctionKind::kRange:
      return real(w[1]) - real(w[0]);
    default:
      return real(w[0]);
  }
}

std::vector<const uint64_t*> SeriesParts::in_order() const {
  std::vector<const uint64_t*> all;
  for (size_t r = 0; r < size(); r++) all.push_back(&records_[r * stride_]);
  std::sort(all.begin(), all.end(), [](const uint64_t* a, const uint64_t* b) { return *a < *b; });
  return all;
}

void SeriesParts::for_each(int64_t period_ns, const std::function<void(double)>& f) const {
  for (const uint64_t* record : in_order()) f(value_of(record + 1, period_ns));
}

void SeriesParts::encode(Writer& out) const {
  out.u8(kVersion);
  out.varint(size());
  for (const uint64_t* record : in_order())
    for (uint32_t i = 0; i < stride_; i++) out.u64(record[i]);
}

bool SeriesParts::decode(Reader& in) {
  records_.clear(), index_.clear();
  if (in.u8() != kVersion) return false;
  uint64_t n = in.varint();
  if (n > in.left() / (8 * stride_)) return false;
  for (uint64_t r = 0; r < n; r++) {
    uint64_t hash = in.u64();
    if (r > 0 && hash <= records_[(r - 1) * stride_]) return false;
    uint64_t* w = find_or_add(hash);
    for (uint32_t i = 1; i < stride_; i++) w[i - 1] = in.u64();
  }
  return in.ok();
}

}  // namespace limpet
