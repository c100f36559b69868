#include "sketch/exponential_histogram.h"

#include <algorithm>

#include "base/int128.h"

namespace limpet {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

ExponentialHistogram& ExponentialHistogram::operator=(const ExponentialHistogram& other) {
  if (this == &other) return *this;
  few_ = other.few_, carries_ = other.carries_;
  pages_.clear();
  for (const auto& page : other.pages_) pages_.push_back(std::make_unique<Page>(*page));
  last_ = other.last_, zero_ = other.zero_, count_ = other.count_;
  return *this;
}

void ExponentialHistogram::add_cold(int32_t key, uint64_t n) {
  if (!pages_.empty()) return add_to_page(key, n);
  auto it = std::lower_bound(few_.begin(), few_.end(), key, [](const Few& f, int32_t k) { return f.key < k; });
  if (it != few_.end() && it->key == key) return void(it->count += n);
  if (few_.size() < kFewMax) return void(few_.insert(it, {key, n}));
  for (const Few& f : few_) add_to_page(f.key, f.count);
  few_ = {};
  add_to_page(key, n);
}

void ExponentialHistogram::add_to_page(int32_t key, uint64_t n) {
  int32_t page = page_of(key);
  auto it = std::lower_bound(pages_.begin(), pages_.end(), page, [](const auto& p, int32_t v) { return p->page < v; });
  if (it == pages_.end() || (*it)->page != page) {
    it = pages_.insert(it, std::make_unique<Page>());
    (*it)->page = page;
  }
  last_ = static_cast<uint32_t>(it - pages_.begin());
  (*it)->add(key, n, *this);
}

void ExponentialHistogram::carry(int32_t key, uint64_t high) {
  auto it =
      std::lower_bound(carries_.begin(), carries_.end(), key, [](const Carry& c, int32_t k) { return c.key < k; });
  if (it != carries_.end() && it->key == key)
    it->high += high;
  else
    carries_.insert(it, {key, high});
}

uint64_t ExponentialHistogram::high_of(int32_t key) const {
  if (carries_.empty()) return 0;
  auto it =
      std::lower_bound(carries_.begin(), carries_.end(), key, [](const Carry& c, int32_t k) { return c.key < k; });
  return it != carries_.end() && it->key == key ? it->high << 32 : 0;
}

template <typename F>
void ExponentialHistogram::for_each(F f) const {
  for (const Few& few : few_)
    if (f(few.key, few.count)) return;
  for (const auto& page : pages_) {
    for (int32_t i = 0; i < kBuckets; i++) {
      int32_t key = page->page * kBuckets + i;
      uint64_t n = page->counts[static_cast<size_t>(i)] + high_of(key);
      if (n && f(key, n)) return;
    }
  }
}

void ExponentialHistogram::merge(const ExponentialHistogram& other) {
  zero_ += other.zero_;
  count_ += other.count_;
  if (pages_.empty() || other.pages_.empty() || !other.carries_.empty()) {
    other.for_each([&](int32_t key, uint64_t n) { return add_cold(key, n), false; });
    return;
  }
  for (const auto& from : other.pages_) {
    add_to_page(from->page * kBuckets, 0);
    Page& into = *pages_[last_];
    for (int32_t i = 0; i < kBuckets; i++)
      into.add(from->page * kBuckets + i, from->counts[static_cast<size_t>(i)], *this);
  }
}

// 2ab / (a + b) of the bucket [a, b): equally far, in proportion, from both ends. Among subnormals a bucket may hold a
// single number, which rounding must not leave.
double ExponentialHistogram::middle_of(int32_t key) {
  int32_t index = key < 0 ? -key - 1 : key;
  int32_t exponent = index / kBuckets;  // above the least subnormal's
  double low = kBuckets + index % kBuckets, high = low + 1;
  double middle = 2 * low * high / (low + high);
  constexpr int32_t kSubnormals = 52;
  double v;
  if (exponent >= kSubnormals)
    v = std::ldexp(middle, exponent + kLowestExponent - 6);
  else
    v = std::ldexp(std::max(std::floor(std::ldexp(middle, exponent - 6)), std::ceil(std::ldexp(low, exponent - 6))),
                   kLowestExponent);
  return key < 0 ? -v : v;
}

double ExponentialHistogram::quantile(uint64_t numerator, uint64_t denominator) const {
  if (count_ == 0) return 0;
  uint128 scaled = static_cast<uint128>(numerator) * count_;
  auto rank = static_cast<uint64_t>((scaled + denominator - 1) / denominator);
  rank = std::clamp<uint64_t>(rank, 1, count_);
  uint64_t seen = 0;
  double result = 0;
  bool past_zero = false;
  for_each([&](int32_t key, uint64_t n) {
    if (key >= 0 && !past_zero) {
      past_zero = true;
      seen += zero_;
      if (seen >= rank) return true;
    }
    seen += n;
    if (seen < rank) return false;
    result = middle_of(key);
    return true;
  });
  return result;
}

size_t ExponentialHistogram::bytes() const {
  return few_.capacity() * sizeof(Few) + pages_.capacity() * sizeof(pages_[0]) + pages_.size() * sizeof(Page) +
         carries_.capacity() * sizeof(Carry);
}

bool ExponentialHistogram::operator==(const ExponentialHistogram& other) const {
  std::string a, b;
  Writer writer_a(a), writer_b(b);
  encode(writer_a), other.encode(writer_b);
  return a == b;
}

void ExponentialHistogram::encode(Writer& out) const {
  uint64_t used = 0;
  for_each([&](int32_t, uint64_t) { return used++, false; });
  out.u8(kVersion);
  out.varint(zero_);
  out.varint(used);
  int32_t before = -kIndexes - 1;
  for_each([&](int32_t key, uint64_t n) {
    out.varint(static_cast<uint64_t>(key - before));
    out.varint(n);
    before = key;
    return false;
  });
}

bool ExponentialHistogram::decode(Reader& in) {
  clear();
  if (in.u8() != kVersion) return false;
  zero_ = count_ = in.varint();
  uint64_t used = in.varint();
  int64_t key = -kIndexes - 1;
  for (uint64_t i = 0; i < used && in.ok(); i++) {
    uint64_t step = in.varint(), n = in.varint();
    if (step == 0 || n == 0 || step > 2 * uint64_t{kIndexes}) return false;
    key += static_cast<int64_t>(step);
    if (key >= kIndexes || __builtin_add_overflow(count_, n, &count_)) return false;
    add_cold(static_cast<int32_t>(key), n);
  }
  return in.ok();
}

}  // namespace limpet
