#include "sketch/exponential_histogram.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/int128.h"
#include "tests/unit/sketch/random_doubles.h"

namespace limpet::testing {
namespace {

// The slow obvious histogram: all numbers, sorted.
double quantile_of(const std::vector<double>& sorted, uint64_t numerator, uint64_t denominator) {
  auto rank = static_cast<size_t>((static_cast<uint128>(numerator) * sorted.size() + denominator - 1) / denominator);
  return sorted[std::max<size_t>(rank, 1) - 1];
}

void check_quantiles(const ExponentialHistogram& h, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  CHECK(h.count() == values.size());
  for (uint64_t q : {0, 1, 10, 250, 500, 900, 990, 999, 1000}) {
    double wanted = quantile_of(values, q, 1000), got = h.quantile(q, 1000);
    INFO("q " << q << " of " << values.size() << " wanted " << wanted << " got " << got);
    // Halves, so that the difference of the greatest is finite; by a long double, as the least have no hundredth.
    CHECK(std::fabs(static_cast<long double>(got) / 2 - static_cast<long double>(wanted) / 2) <=
          std::fabs(static_cast<long double>(wanted) / 2) / 129 * (1 + 1e-12L));
    if (std::fabs(wanted) < 128 * 5e-324) CHECK(got == wanted);
    CHECK(std::signbit(got) == (wanted < 0));
  }
}

}  // namespace

TEST_CASE("quantiles are within 1/129 of the value of their rank, over all doubles and in every form") {
  Random r(1);
  for (int round = 0; round < 20'000; round++) {
    ExponentialHistogram h;
    std::vector<double> values(1 + r() % (round % 10 ? 20 : 200));
    for (double& v : values) h.add(v = any_double(r));
    check_quantiles(h, values);
  }
}

TEST_CASE("every bucket, both ends") {
  for (int exponent = -1074; exponent <= 1023; exponent++) {
    for (int i = 0; i < 64; i++) {
      double low = std::ldexp(1 + i / 64.0, exponent), next = std::ldexp(1 + (i + 1) / 64.0, exponent);
      double high = std::nextafter(std::isfinite(next) ? next : INFINITY, 0);
      if (high < low) continue;  // a subnormal bucket without a number in it
      for (double v : {low, high}) {
        ExponentialHistogram h;
        h.add(v);
        double got = h.quantile(1, 1);
        if (std::fabs(got / v - 1) > 1.0 / 129 + 1e-15) {
          if (exponent >= -1068 || got != v) FAIL_CHECK(v << " became " << got);
        }
      }
    }
  }
}

TEST_CASE("minus zero is zero, and zeros stand between the signs") {
  ExponentialHistogram h;
  for (double v : {-0.0, 0.0, -5e-324, 5e-324, -1.0}) h.add(v);
  CHECK(h.quantile(2, 5) == -5e-324);
  CHECK(h.quantile(3, 5) == 0);
  CHECK(!std::signbit(h.quantile(3, 5)));
  CHECK(h.quantile(4, 5) == 0);
  CHECK(h.quantile(5, 5) == 5e-324);
}

TEST_CASE("an empty histogram") {
  ExponentialHistogram h;
  CHECK(h.count() == 0);
  CHECK(h.quantile(1, 2) == 0);
  h.add(1, 0);
  CHECK(h == ExponentialHistogram());
  h.merge(h);
  CHECK(h.count() == 0);
}

TEST_CASE("the rank is computed in 128 bits") {
  ExponentialHistogram h;
  h.add(1, 1'000'000'000'000), h.add(2, 1);
  CHECK(h.quantile(999'999'999'999, 1'000'000'000'000) == doctest::Approx(1).epsilon(0.01));
  CHECK(h.quantile(999'999'999'999'999, 1'000'000'000'000'000) == doctest::Approx(2).epsilon(0.01));
  CHECK(h.quantile(1, 1) == doctest::Approx(2).epsilon(0.01));
  ExponentialHistogram huge;
  huge.add(1, uint64_t{1} << 63), huge.add(2, (uint64_t{1} << 63) - 1);
  CHECK(huge.count() == UINT64_MAX);
  CHECK(huge.quantile(UINT64_MAX / 2 + 1, UINT64_MAX) == doctest::Approx(1).epsilon(0.01));
  CHECK(huge.quantile(UINT64_MAX / 2 + 2, UINT64_MAX) == doctest::Approx(2).epsilon(0.01));
}

TEST_CASE("split anywhere, merge in any order: the same state") {
  Random r(2);
  for (int round = 0; round < 1000; round++) {
    ExponentialHistogram whole, parts[4], merged;
    const uint64_t n = r() % 300;
    for (uint64_t i = 0; i < n; i++) {
      double v = any_double(r);
      uint64_t times = r() % 50 ? 1 : r() % 2 ? r() % 80 : 3'000'000'000;
      whole.add(v, times), parts[r() % 4].add(v, times);
    }
    std::shuffle(std::begin(parts), std::end(parts), r);
    for (const auto& part : parts) merged.merge(part);
    CHECK(merged.count() == whole.count());
    CHECK(encoded(merged) == encoded(whole));
    CHECK(merged == whole);
    CHECK(merged.quantile(1, 2) == whole.quantile(1, 2));
    merged.add(1.5);
    CHECK(merged != whole);
  }
}

TEST_CASE("counts beyond 32 bits are exact, merged into themselves too") {
  ExponentialHistogram h, other;
  std::map<double, uint64_t> exact;
  for (double v : {-8.0, -1.0, 0.0, 1.0, 4.0}) h.add(v, 0xffffffff), h.add(v), exact[v] = uint64_t{1} << 32;
  for (int i = 0; i < 20; i++) {
    h.merge(h);
    for (auto& [v, n] : exact) n *= 2;
  }
  uint64_t seen = 0;
  for (auto [v, n] : exact) {
    CHECK(h.quantile(seen + 1, h.count()) == doctest::Approx(v).epsilon(0.01));
    seen += n;
    CHECK(h.quantile(seen, h.count()) == doctest::Approx(v).epsilon(0.01));
  }
  CHECK(h.count() == seen);
}

TEST_CASE("counts that cannot be right break nothing") {
  ExponentialHistogram h, other;
  for (double v : {1.0, -1.0, 0.0}) h.add(v, UINT64_MAX), other.add(v, UINT64_MAX - 3);
  for (int i = 0; i < 5; i++) h.merge(other), h.merge(h), h.add(1, UINT64_MAX);
  CHECK(h.count() == UINT64_MAX);
  h.quantile(1, 2);
  ExponentialHistogram back;
  std::string bytes = encoded(h);
  Reader in(bytes);
  back.decode(in);
}

TEST_CASE("copies are apart, what was moved from is empty") {
  Random r(3);
  for (size_t n : {3, 6, 7, 30, 64, 65, 400}) {
    ExponentialHistogram a, empty;
    for (size_t i = 0; i < n; i++) a.add(any_double(r));
    ExponentialHistogram b = a, c;
    c.add(1);
    c = a;
    b.add(2);
    CHECK(c == a);
    CHECK(b != a);
    ExponentialHistogram d = std::move(a);
    CHECK(a == empty);  // NOLINT(bugprone-use-after-move)
    CHECK(d == c);
    b = std::move(d);
    CHECK(b == c);
    a.add(7);
    CHECK(a.count() == 1);
    b.clear();
    CHECK(b == empty);
    CHECK(b.bytes() == 0);
  }
}

TEST_CASE("few numbers take little room") {
  ExponentialHistogram h;
  for (int i = 0; i < 6; i++) h.add(0.1 * i);
  CHECK(h.bytes() + sizeof h <= 64);
  for (int i = 0; i < 58; i++) h.add(std::ldexp(1.0, i));
  CHECK(h.bytes() <= 256);
  // One power of two: four pages.
  for (int i = 0; i < 100'000; i++) h.add(1 + i / 1e5);
  CHECK(h.bytes() < 6000);
}

TEST_CASE("exponential histogram: encoding") {
  Random r(4);
  for (int round = 0; round < 300; round++) {
    ExponentialHistogram h;
    for (uint64_t n = r() % 100; n-- > 0;) h.add(any_double(r), r() % 10 ? 1 : r() % 1'000'000'000'000);
    check_decoding(h, r);
  }
  ExponentialHistogram h;
  CHECK(decodes(h, "01 01 01 81b20c 02"));  // FORMAT.md: {0, 1, 1}
  ExponentialHistogram same;
  for (double v : {1.0, 0.0, 1.0}) same.add(v);
  CHECK(h == same);
  CHECK(encoded(same) == bytes_of_hex("01 01 01 81b20c 02"));
  CHECK_FALSE(decodes(h, "02 01 01 81b20c 02"));                    // a later version
  CHECK_FALSE(decodes(h, "01 01 01 81b20c 00"));                    // no count
  CHECK_FALSE(decodes(h, "01 01 02 81b20c 02 00 01"));              // the same bucket again
  CHECK_FALSE(decodes(h, "01 01 01 83b210 02"));                    // above the highest bucket
  CHECK_FALSE(decodes(h, "01 01 ffffffffffffffffff01"));            // more buckets than bytes
  CHECK_FALSE(decodes(h, "01 ffffffffffffffffff01 01 81b20c 02"));  // the sum of counts exceeds 64 bits
  CHECK(h.count() == 0);
  // The key of 2^-1074 is 0; 1.5 * 2^-1074, key 32, is no double; that of 3 * 2^-1074 is 96.
  CHECK(decodes(h, "01 00 01 819908 01"));
  CHECK(h.quantile(1, 1) == 5e-324);
  CHECK_FALSE(decodes(h, "01 00 01 a19908 01"));
  CHECK(decodes(h, "01 00 01 e19908 01"));
  CHECK(h.quantile(1, 1) == 3 * 5e-324);
}

}  // namespace limpet::testing
