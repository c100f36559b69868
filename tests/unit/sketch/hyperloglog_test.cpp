#include "sketch/hyperloglog.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "sketch/value_hash.h"
#include "tests/unit/sketch/random_doubles.h"

namespace limpet::testing {
namespace {

// The errors of many estimates of one cardinality.
struct Errors {
  double sum = 0, squares = 0, runs = 0;
  void add(uint64_t estimate, double n) {
    double error = static_cast<double>(estimate) / n - 1;
    sum += error, squares += error * error, runs++;
  }
  double standard() const { return std::sqrt(squares / runs); }
  double mean() const { return sum / runs; }
};

// Registers as n random hashes would leave them: P(rank <= k) = exp(-n / (m 2^k)).
HyperLogLog drawn(double n, Random& r) {
  std::string bytes = bytes_of_hex("01 00 01");
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int i = 0; i < 4096; i++) {
    double u = uniform(r);
    char rank = 0;
    while (rank < 53 && std::exp(-std::ldexp(n / 4096, -rank)) < u) rank++;
    bytes.push_back(rank);
  }
  HyperLogLog h;
  Reader in(bytes);
  REQUIRE(h.decode(in));
  return h;
}

}  // namespace

TEST_CASE("HyperLogLog: exact up to 256, against a set") {
  Random r(1);
  for (int round = 0; round < 2000; round++) {
    HyperLogLog h;
    std::set<uint64_t> exact;
    uint64_t range = 1 + r() % 300;
    for (uint64_t i = r() % 400; i-- > 0 && exact.size() < 256;) {
      uint64_t hash = r() % 2 ? hash_of(r() % range) : r() % range;  // small ones, 0 among them, fall together
      h.add(hash), exact.insert(hash);
      if (h.estimate() != exact.size()) FAIL_CHECK(h.estimate() << " for " << exact.size());
    }
    CHECK(h.empty() == exact.empty());
  }
}

TEST_CASE("HyperLogLog: the standard error is at most 2 % at every cardinality, and there is no bias") {
  const std::vector<uint64_t> sizes{257,  300,  400,  600,    1000,   1500,   2000,   3000,
                                    4096, 6000, 8000, 10'000, 12'000, 15'000, 20'000, 30'000};
  std::vector<Errors> errors(sizes.size());
  for (uint64_t run = 0; run < 150; run++) {
    HyperLogLog h;
    uint64_t n = 0;
    for (size_t i = 0; i < sizes.size(); i++) {
      for (; n < sizes[i]; n++) h.add(hash_of(run * 1'000'003 + n));
      errors[i].add(h.estimate(), static_cast<double>(n));
    }
  }
  for (size_t i = 0; i < sizes.size(); i++) {
    INFO(sizes[i] << ": standard error " << errors[i].standard() << ", mean " << errors[i].mean());
    CHECK(errors[i].standard() <= 0.02);
    CHECK(std::fabs(errors[i].mean()) <= 0.0065);  // four standard errors of the mean of 150
  }
}

TEST_CASE("HyperLogLog: cardinalities up to 10^18, by drawn registers") {
  Random r(2);
  for (double n : {1e4, 1e5, 1e7, 1e9, 1e12, 1e15, 1e17, 1e18, 4e18}) {
    Errors errors;
    for (int run = 0; run < 40; run++) errors.add(drawn(n, r).estimate(), n);
    INFO(n << ": standard error " << errors.standard() << ", mean " << errors.mean());
    CHECK(errors.standard() <= 0.021);
    CHECK(std::fabs(errors.mean()) <= 0.0105);
  }
}

TEST_CASE("HyperLogLog: any order, any split: the same") {
  Random r(3);
  for (int round = 0; round < 300; round++) {
    HyperLogLog all, parts[4], merged;
    std::vector<uint64_t> hashes(r() % (round % 3 ? 300 : 3000));
    for (uint64_t& h : hashes) h = hash_of(r() % 2000);
    for (uint64_t h : hashes) all.add(h);
    std::shuffle(hashes.begin(), hashes.end(), r);
    for (uint64_t h : hashes) {
      parts[r() % 4].add(h);
      if (r() % 2) parts[r() % 4].add(h);
    }
    for (const auto& p : parts) merged.merge(p);
    CHECK(encoded(merged) == encoded(all));
    CHECK(merged == all);
    CHECK(merged.estimate() == all.estimate());
    merged.merge(merged);
    CHECK(merged == all);
  }
}

TEST_CASE("HyperLogLog: the 257th hash, added or merged, leaves the same registers") {
  HyperLogLog added, few, last;
  for (uint64_t i = 0; i < 257; i++) added.add(hash_of(i)), (i < 256 ? few : last).add(hash_of(i));
  CHECK(few.estimate() == 256);
  HyperLogLog one = few, other = last;
  one.merge(last), other.merge(few);
  CHECK(one == added);
  CHECK(other == added);
  CHECK(added != few);
  CHECK(added.bytes() == 4096);
}

TEST_CASE("HyperLogLog: different sets differ") {
  HyperLogLog a, b;
  a.add(1), a.add(2), b.add(1), b.add(3);
  CHECK(a != b);
  b.add(2);
  CHECK(a != b);
  HyperLogLog zero;
  zero.add(0), zero.add(0);
  CHECK(zero.estimate() == 1);
  CHECK(zero != HyperLogLog());
}

TEST_CASE("HyperLogLog: copies are apart, what was moved from is empty") {
  for (uint64_t n : {0, 1, 100, 1000}) {
    HyperLogLog a;
    for (uint64_t i = 0; i < n; i++) a.add(hash_of(i));
    HyperLogLog b = a, c = std::move(b);
    CHECK(b.empty());  // NOLINT(bugprone-use-after-move)
    CHECK(c == a);
    b.add(5);
    CHECK(b.estimate() == 1);
    for (uint64_t i = 0; i < 100; i++) c.add(hash_of(n + 10'000 + i));
    CHECK(c != a);
    c = a;
    CHECK(c == a);
  }
}

TEST_CASE("HyperLogLog: few hashes take little room") {
  HyperLogLog h;
  CHECK(h.bytes() == 0);
  for (uint64_t i = 0; i < 3; i++) h.add(hash_of(i));
  CHECK(h.bytes() + sizeof h <= 64);
  for (uint64_t i = 0; i < 100'000; i++) h.add(hash_of(i));
  CHECK(h.bytes() == 4096);
}

TEST_CASE("HyperLogLog: encoding") {
  Random r(4);
  for (uint64_t n : {0, 1, 2, 5, 60, 256, 257, 5000}) {
    HyperLogLog h;
    for (uint64_t i = 0; i < n; i++) h.add(hash_of(i));
    check_decoding(h, r);
  }
  HyperLogLog h;
  CHECK(decodes(h, "01 02 0500000000000000 0000000000000080 00"));  // FORMAT.md
  CHECK(h.estimate() == 2);
  CHECK_FALSE(decodes(h, "02 00 00"));                                    // a later version
  CHECK_FALSE(decodes(h, "01 02 0500000000000000 0500000000000000 00"));  // twice
  CHECK_FALSE(decodes(h, "01 02 0500000000000000 0400000000000000 00"));  // falling
  CHECK_FALSE(decodes(h, "01 8102"));                                     // more than 256
  CHECK_FALSE(decodes(h, "01 00 02"));                                    // neither 0 nor 1
  CHECK_FALSE(decodes(h, "01 01 0500000000000000 01"));                   // hashes and registers
  auto registers = [&](char rank) {
    std::string bytes = bytes_of_hex("01 00 01") + std::string(4096, rank);
    Reader in(bytes);
    return h.decode(in);
  };
  CHECK_FALSE(registers(0));   // registers that nothing was added to
  CHECK_FALSE(registers(54));  // no such rank
  CHECK(h.empty());
  CHECK(registers(53));
  CHECK(h.estimate() == uint64_t{1} << 63);  // full: more than can be told
}

}  // namespace limpet::testing
