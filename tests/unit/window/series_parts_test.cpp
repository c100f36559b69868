#include "window/series_parts.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

namespace limpet {
namespace {

Sample number(uint64_t series, double v, int64_t time_ns = 0, uint64_t arrival = 0) {
  Sample s;
  s.series_hash = series, s.number = Number::of(v), s.time_ns = time_ns, s.arrival = arrival;
  return s;
}

std::vector<double> values(const SeriesParts& parts) {
  std::vector<double> out;
  parts.for_each(60'000'000'000, [&](double v) { out.push_back(v); });
  return out;
}

std::string bytes_of(const SeriesParts& parts) {
  std::string bytes;
  Writer out(bytes);
  parts.encode(out);
  return bytes;
}

}  // namespace

TEST_CASE("series parts: values come in order of the series' hashes, few or many, colliding or not") {
  // Steps of 2^k leave the lower bits equal: the worst case for an index by those bits.
  for (uint64_t step : {uint64_t{1}, uint64_t{1} << 20, uint64_t{1} << 48}) {
    SeriesParts parts(FunctionKind::kSum, FunctionKind::kSum);
    std::map<uint64_t, double> wanted;
    std::mt19937_64 r(1);
    for (int i = 0; i < 3000; i++) {
      uint64_t hash = (r() % 700) * step;  // 0 too
      double v = static_cast<double>(r() % 100);
      REQUIRE(parts.add(number(hash, v)));
      wanted[hash] += v;
    }
    CHECK(parts.size() == wanted.size());
    std::vector<double> in_order;
    for (const auto& [hash, v] : wanted) in_order.push_back(v);
    CHECK(values(parts) == in_order);
  }
}

TEST_CASE("series parts: merging with itself's copy doubles sums, leaves extremes") {
  for (auto [inner, wanted] : {std::pair(FunctionKind::kSum, 6.0),
                               {FunctionKind::kMax, 2.0},
                               {FunctionKind::kMin, 1.0},
                               {FunctionKind::kMean, 1.5},
                               {FunctionKind::kRange, 1.0},
                               {FunctionKind::kCount, 4.0},
                               {FunctionKind::kFirst, 1.0},
                               {FunctionKind::kLast, 2.0}}) {
    SeriesParts a(inner, FunctionKind::kSum);
    a.add(number(9, 1, 10, 1));
    a.add(number(9, 2, 20, 2));
    SeriesParts b = a;
    a.merge(b);
    CHECK(values(a) == std::vector<double>{wanted});
  }
}

TEST_CASE("series parts: first and last at the ends of time") {
  for (int64_t t : {INT64_MIN, int64_t{0}, INT64_MAX}) {
    for (uint64_t arrival : {uint64_t{0}, UINT64_MAX}) {
      for (FunctionKind inner : {FunctionKind::kFirst, FunctionKind::kLast}) {
        SeriesParts parts(inner, FunctionKind::kSum);
        parts.add(number(1, 42, t, arrival));
        SeriesParts merged(inner, FunctionKind::kSum);
        merged.merge(parts);
        INFO(t);
        INFO(arrival);
        CHECK(values(merged) == std::vector<double>{42});
      }
    }
  }
}

TEST_CASE("series parts: bytes do not depend on the order in which series came") {
  std::mt19937_64 r(3);
  std::vector<Sample> samples;
  for (uint64_t i = 0; i < 200; i++) samples.push_back(number(r(), static_cast<double>(i), static_cast<int64_t>(i), i));
  std::string first;
  for (int order = 0; order < 4; order++) {
    SeriesParts parts(FunctionKind::kLast, FunctionKind::kMax);
    for (const Sample& s : samples) parts.add(s);
    if (order == 0) first = bytes_of(parts);
    CHECK(bytes_of(parts) == first);
    std::shuffle(samples.begin(), samples.end(), r);
  }
}

TEST_CASE("series parts: a record with an impossible count, unsorted or doubled hashes is refused") {
  SeriesParts parts(FunctionKind::kMax, FunctionKind::kSum);
  parts.add(number(1, 1));
  parts.add(number(2, 2));
  std::string bytes = bytes_of(parts);
  REQUIRE(bytes.size() == 2 + 2 * 16);
  auto verdict = [](const std::string& text) {
    SeriesParts back(FunctionKind::kMax, FunctionKind::kSum);
    Reader in(text);
    return back.decode(in);
  };
  CHECK(verdict(bytes));
  for (size_t cut = 0; cut < bytes.size(); cut++) CHECK_FALSE(verdict(bytes.substr(0, cut)));
  std::string many = bytes.substr(0, 1) + std::string("\xff\xff\xff\xff\xff\xff\xff\xff\x7f") + bytes.substr(2);
  CHECK_FALSE(verdict(many));
  std::string doubled = bytes, unsorted = bytes, newer = bytes;
  doubled[2] = 2, unsorted[2] = 3, newer[0] = 2;
  CHECK_FALSE(verdict(doubled));
  CHECK_FALSE(verdict(unsorted));
  CHECK_FALSE(verdict(newer));
}

}  // namespace limpet
