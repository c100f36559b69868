// The sketches against slow exact oracles: the input is a program of adds, merges, copies and round trips through bytes
// over a few sketches, each beside the plain set of what it was given. Other inputs are decoded: no bytes crash a
// decoder, and what decodes encodes to bytes that decode to the same, and is safe to use.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "sketch/bounds_histogram.h"
#include "sketch/double_double.h"
#include "sketch/exponential_histogram.h"
#include "sketch/hyperloglog.h"
#include "sketch/power_histogram.h"
#include "sketch/value_hash.h"

using namespace limpet;

namespace {

void require(bool truth) {
  if (!truth) std::abort();
}

template <typename T>
std::string encoded(const T& value) {
  std::string out;
  Writer writer(out);
  value.encode(writer);
  return out;
}

// BoundsHistogram with the bounds of this fuzzer, so that all sketches look alike.
struct Bounded : BoundsHistogram {
  static const std::vector<double>& bounds() {
    static const std::vector<double> all{-1e300, -1, 0, 5e-324, 0.1, 1, 1e300};
    return all;
  }
  void add(double v, uint64_t n = 1) { BoundsHistogram::add(bounds(), v, n); }
  void merge(const Bounded& other) { BoundsHistogram::merge(other); }
  bool decode(Reader& in) { return BoundsHistogram::decode(in, bounds().size()); }
};
struct Distinct : HyperLogLog {
  void add(double v, uint64_t = 1) { HyperLogLog::add(hash_of(v)); }
  void merge(const Distinct& other) { HyperLogLog::merge(other); }
};

void use(const ExponentialHistogram& h) {
  for (uint64_t q : {0, 1, 50, 99, 100}) require(std::isfinite(h.quantile(q, 100)));
}
void use(const PowerHistogram& h) {
  double before = -1;
  h.for_each_bound([&](double bound, uint64_t) { require(bound > before), before = bound; });
}
void use(const Bounded& h) { require(h.counts().empty() || h.counts().size() == Bounded::bounds().size() + 1); }
void use(const Distinct& h) { h.estimate(); }
void use(const DoubleDouble& sum) { (void)sum.value(); }

template <typename T>
void decode_any(std::string_view bytes) {
  T value, again;
  Reader in(bytes);
  if (!value.decode(in)) return;
  use(value);
  std::string once = encoded(value);
  Reader back(once);
  require(again.decode(back) && back.done());
  require(encoded(again) == once);
  if constexpr (!std::is_same_v<T, DoubleDouble>) {
    // Counts that no samples could give must break nothing either.
    again.merge(value), again.merge(again), again.add(1, UINT64_MAX), again.add(-1), again.merge(value);
    use(again);
    encoded(again);
  }
}

using Values = std::multiset<double>;

void compare(const ExponentialHistogram& h, const Values& values) {
  require(h.count() == values.size());
  if (values.empty()) return;
  std::vector<double> sorted(values.begin(), values.end());
  for (uint64_t q : {0, 25, 50, 99, 100}) {
    double wanted = sorted[std::max<size_t>((q * sorted.size() + 99) / 100, 1) - 1], got = h.quantile(q, 100);
    require(std::fabs(static_cast<long double>(got) - wanted) <=
            std::fabs(static_cast<long double>(wanted)) / 129 * 1.000001L);
  }
}
void compare(const PowerHistogram& h, const Values& values) {
  require(h.count() == values.size());
  h.for_each_bound([&](double bound, uint64_t n) {
    require(n == static_cast<uint64_t>(std::distance(values.begin(), values.upper_bound(bound))));
  });
}
void compare(const Bounded& h, const Values& values) {
  uint64_t below = 0;
  for (size_t i = 0; i < h.counts().size(); i++) {
    below += h.counts()[i];
    double bound = i < Bounded::bounds().size() ? Bounded::bounds()[i] : INFINITY;
    require(below == static_cast<uint64_t>(std::distance(values.begin(), values.upper_bound(bound))));
  }
}
void compare(const Distinct& h, const Values& values) {
  std::set<double> different(values.begin(), values.end());
  if (different.size() <= HyperLogLog::kExactMax) require(h.estimate() == different.size());
}

// Every op names two sketches. The program's order is one of many: the sum of all is compared with a sketch that got
// every number in rising order.
template <typename T>
void run(std::string_view program) {
  std::array<T, 4> sketches;
  std::array<Values, 4> oracles;
  Reader in(program);
  for (int ops = 0; ops < 400 && in.left() > 0; ops++) {
    uint8_t op = in.u8();
    size_t a = op >> 2 & 3, b = op & 3;
    T &into = sketches[a], &from = sketches[b];
    switch (op >> 4) {
      default: {
        double v = op & 0x80 ? in.f64() : static_cast<double>(static_cast<int8_t>(in.u8())) / 8;
        if (!std::isfinite(v)) break;
        uint64_t n = op >> 4 == 7 ? 1 + b * 40 : 1;
        into.add(v, n);
        for (; n > 0; n--) oracles[a].insert(v + 0.0);
        break;
      }
      case 0:
        if (oracles[a].size() + oracles[b].size() > 700) break;
        into.merge(from);
        for (double v : Values(oracles[b])) oracles[a].insert(v);
        break;
      case 1:
        into = from, oracles[a] = oracles[b];
        break;
      case 2: {
        T moved = std::move(from);
        Values values = std::move(oracles[b]);
        from = T(), oracles[b] = {};
        into = std::move(moved), oracles[a] = std::move(values);
        break;
      }
      case 3: {
        std::string bytes = encoded(into);
        Reader reader(bytes);
        require(from.decode(reader) && reader.done());
        oracles[b] = oracles[a];
        require(from == into);
        break;
      }
    }
  }
  for (size_t i = 0; i < sketches.size(); i++) {
    compare(sketches[i], oracles[i]);
    use(sketches[i]);
    T ordered;
    for (double v : oracles[i]) ordered.add(v);
    require(ordered == sketches[i] && encoded(ordered) == encoded(sketches[i]));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 9) {
    case 0:
      decode_any<ExponentialHistogram>(rest);
      break;
    case 1:
      decode_any<PowerHistogram>(rest);
      break;
    case 2:
      decode_any<Bounded>(rest);
      break;
    case 3:
      decode_any<Distinct>(rest);
      break;
    case 4:
      decode_any<DoubleDouble>(rest);
      break;
    case 5:
      run<ExponentialHistogram>(rest);
      break;
    case 6:
      run<PowerHistogram>(rest);
      break;
    case 7:
      run<Bounded>(rest);
      break;
    default:
      run<Distinct>(rest);
  }
  return 0;
}
