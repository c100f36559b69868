#include "sketch/exponential_histogram.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

namespace limpet {
namespace {

double any_double(std::mt19937_64& r) {
  for (;;) {
    double v;
    switch (r() % 6) {
      case 0:
        v = std::bit_cast<double>(r());
        break;  // the whole range
      case 1:
        v = std::bit_cast<double>(r() & 0x800fffffffffffff);
        break;  // subnormal
      case 2:
        v = static_cast<double>(r() % 100) - 20;
        break;  // small integers, zero
      case 3:
        v = std::ldexp(1.0, static_cast<int>(r() % 2098) - 1074);
        break;  // powers of two
      case 4:
        v = 5e-324 * static_cast<double>(r() % 70);
        break;
      default:
        v = std::exp(static_cast<double>(r() % 2000) / 100 - 10);
    }
    if (std::isfinite(v)) return v;
  }
}

std::string encoded(const ExponentialHistogram& h) {
  std::string out;
  Writer writer(out);
  h.encode(writer);
  return out;
}

}  // namespace

TEST_CASE("quantiles are within 1 % of the value of their rank, over all doubles") {
  std::mt19937_64 r(1);
  for (int round = 0; round < 400; round++) {
    ExponentialHistogram h;
    std::vector<double> values(1 + r() % 300);
    for (double& v : values) h.add(v = any_double(r));
    std::sort(values.begin(), values.end());
    CHECK(h.count() == values.size());
    for (uint64_t q : {0, 1, 250, 500, 990, 999, 1000}) {
      auto rank = std::max<size_t>(1, (q * values.size() + 999) / 1000);
      double wanted = values[rank - 1], got = h.quantile(q, 1000);
      INFO("q " << q << " wanted " << wanted << " got " << got);
      CHECK(std::fabs(got / 2 - wanted / 2) <= 0.01 * std::fabs(wanted / 2));
      if (std::fabs(wanted) < 64 * 5e-324) CHECK(got == wanted);
    }
  }
}

TEST_CASE("split anywhere, merge in any order: the same state") {
  std::mt19937_64 r(2);
  for (int round = 0; round < 100; round++) {
    ExponentialHistogram whole, parts[4], merged;
    for (int i = 0; i < 500; i++) {
      double v = any_double(r);
      uint64_t n = r() % 50 ? 1 : 3'000'000'000;
      whole.add(v, n), parts[r() % 4].add(v, n);
    }
    for (size_t i : {2, 0, 3, 1}) merged.merge(parts[i]);
    CHECK(merged == whole);
    CHECK(merged.quantile(1, 2) == whole.quantile(1, 2));
    ExponentialHistogram back;
    std::string bytes = encoded(whole);
    Reader reader(bytes);
    CHECK(back.decode(reader));
    CHECK(reader.done());
    CHECK(encoded(back) == bytes);
    for (size_t cut = 0; cut < bytes.size(); cut += 7) {
      Reader short_reader(std::string_view(bytes).substr(0, cut));
      CHECK(!ExponentialHistogram(back).decode(short_reader));
    }
  }
}

TEST_CASE("few numbers take little room") {
  ExponentialHistogram h;
  for (int i = 0; i < 5; i++) h.add(0.1 * i);
  CHECK(h.bytes() <= 8 * 16);
}

}  // namespace limpet
