// What the tests of the sketches share: doubles of every kind, and the border between encodings and objects.
#pragma once

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

#include "base/codec.h"

namespace limpet::testing {

using Random = std::mt19937_64;

// Finite, from the corners of the range more often than from its middle.
inline double any_double(Random& r) {
  for (;;) {
    double v;
    switch (r() % 9) {
      case 0:  // any bits at all
        v = std::bit_cast<double>(r());
        break;
      case 1:  // subnormal
        v = std::bit_cast<double>(r() & 0x800fffffffffffff);
        break;
      case 2:  // the least subnormals, where a bucket holds one number
        v = 5e-324 * static_cast<double>(r() % 300);
        break;
      case 3:  // around the border of the subnormals
        v = std::bit_cast<double>((uint64_t{1} << 52) + r() % 64 - 32);
        break;
      case 4:  // the greatest
        v = std::bit_cast<double>(std::bit_cast<uint64_t>(std::numeric_limits<double>::max()) - r() % 1000);
        break;
      case 5:  // powers of two and their neighbours
        v = std::bit_cast<double>(std::bit_cast<uint64_t>(std::ldexp(1.0, static_cast<int>(r() % 2098) - 1074)) +
                                  r() % 3 - 1);
        break;
      case 6:  // small integers, zero among them
        v = static_cast<double>(r() % 100) - 20;
        break;
      case 7:  // a cluster
        v = 1e6 + static_cast<double>(r() % 1000);
        break;
      default:
        v = std::exp(static_cast<double>(r() % 2000) / 100 - 10);
    }
    if (r() % 4 == 0) v = -v;
    if (std::isfinite(v)) return v;
  }
}

template <typename T>
std::string encoded(const T& value) {
  std::string out;
  Writer writer(out);
  value.encode(writer);
  return out;
}

inline std::string bytes_of_hex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i < hex.size();) {
    if (hex[i] == ' ') {
      i++;
      continue;
    }
    out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    i += 2;
  }
  return out;
}

// decode(T&, Reader&): what is cut off anywhere is refused; what is garbled is refused, or is a value whose encoding
// reads back as itself.
template <typename T, typename Decode>
void check_decoding(const T& value, Decode decode, Random& r) {
  const std::string bytes = encoded(value);
  T back;
  Reader whole(bytes);
  CHECK(decode(back, whole));
  CHECK(whole.done());
  CHECK(back == value);
  CHECK(encoded(back) == bytes);
  for (size_t i = 0, step = bytes.size() / 60 + 1; i < bytes.size(); i += step) {
    T cut;
    Reader in(std::string_view(bytes).substr(0, i));
    CHECK_FALSE(decode(cut, in));
  }
  for (int round = 0; round < 60; round++) {
    std::string garbled = bytes;
    for (uint64_t n = 1 + r() % 3; n-- > 0;) garbled[r() % garbled.size()] = static_cast<char>(r());
    T got, again;
    Reader in(garbled);
    if (!decode(got, in)) continue;
    const std::string canonical = encoded(got);
    Reader second(canonical);
    CHECK(decode(again, second));
    CHECK(second.done());
    CHECK(encoded(again) == canonical);
  }
}

template <typename T>
void check_decoding(const T& value, Random& r) {
  check_decoding(value, [](T& v, Reader& in) { return v.decode(in); }, r);
}

template <typename T>
bool decodes(T& value, std::string_view hex) {
  const std::string bytes = bytes_of_hex(hex);
  Reader in(bytes);
  return value.decode(in) && in.done();
}

}  // namespace limpet::testing
