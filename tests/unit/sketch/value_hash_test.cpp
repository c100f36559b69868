#include "sketch/value_hash.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <set>

namespace limpet {

TEST_CASE("values that are equal numbers hash alike whatever their type") {
  CHECK(hash_of(int64_t{1}) == hash_of(uint64_t{1}));
  CHECK(hash_of(int64_t{1}) == hash_of(1.0));
  CHECK(hash_of(-0.0) == hash_of(int64_t{0}));
  CHECK(hash_of(0.0) == hash_of(uint64_t{0}));
  CHECK(hash_of(uint64_t{1} << 63) == hash_of(0x1p63));
  CHECK(hash_of(INT64_MIN) == hash_of(-0x1p63));
  CHECK(hash_of(INT64_MAX) == hash_of(static_cast<uint64_t>(INT64_MAX)));
  CHECK(hash_of(int64_t{-5}) == hash_of(-5.0));
  std::mt19937_64 r(1);
  for (int i = 0; i < 100'000; i++) {
    auto v = static_cast<int64_t>(r()) >> (r() % 64);
    auto as_float = static_cast<double>(v);
    bool equal = as_float < 0x1p63 && static_cast<int64_t>(as_float) == v;
    if ((hash_of(v) == hash_of(as_float)) != equal) FAIL_CHECK(v);
  }
}

TEST_CASE("numbers that differ, and other kinds, hash differently") {
  CHECK(hash_of(int64_t{-1}) != hash_of(~uint64_t{0}));
  CHECK(hash_of(INT64_MAX) != hash_of(0x1p63));
  CHECK(hash_of(~uint64_t{0}) != hash_of(0x1p64));
  CHECK(hash_of(0.5) != hash_of(int64_t{0}));
  CHECK(hash_of(true) != hash_of(int64_t{1}));
  CHECK(hash_of(false) != hash_of(int64_t{0}));
  CHECK(hash_of(true) != hash_of(false));
  CHECK(hash_of(std::string_view("1")) != hash_of(int64_t{1}));
  CHECK(hash_of(std::string_view("true")) != hash_of(true));
  CHECK(hash_of(std::string_view()) != hash_of(false));
  // The very bytes that stand for a number.
  CHECK(hash_of(std::string_view("\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 16)) != hash_of(int64_t{1}));
  CHECK(hash_of("text") == hash_of(std::string_view("text")));
  std::set<uint64_t> seen;
  for (double v : {0.1, 0.2, -0.1, 5e-324, -5e-324, 1e300, -1e300, 0x1p64, -0x1p64, std::nextafter(1.0, 2.0)})
    seen.insert(hash_of(v));
  CHECK(seen.size() == 10);
}

TEST_CASE("a value hashes as what it holds") {
  CHECK(hash_of_value(Value(1.0)) == hash_of(int64_t{1}));
  CHECK(hash_of_value(Value(int64_t{1})) == hash_of(int64_t{1}));
  CHECK(hash_of_value(Value(uint64_t{1})) == hash_of(int64_t{1}));
  CHECK(hash_of_value(Value(true)) == hash_of(true));
  CHECK(hash_of_value(Value(std::string("x"))) == hash_of(std::string_view("x")));
}

}  // namespace limpet
