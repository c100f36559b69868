// Two contributors of one counter series: however its samples are split in time, joining gives what one would have
// counted. The reference counts a whole series at once, with the words of the rule documentation.
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "base/int128.h"
#include "window/counter.h"

namespace limpet {
namespace {

struct Point {
  Number value;
  int64_t time_ns;
};

struct Counted {
  CounterSeries series;
  double sum = 0;
};

void count(Counted& into, const Point& p, CounterEvents& events) {
  CounterStep step =
      into.series.known() ? into.series.step(p.value, p.time_ns, events) : into.series.start(p.value, p.time_ns, false);
  into.sum += step.increase.as_double();
}

// Of integers below 2^53, in order of time.
double slow_count(const std::vector<Point>& points) {
  double sum = 0, u = points[0].value.as_double();
  for (size_t i = 1; i < points.size(); i++) {
    double v = points[i].value.as_double();
    if (v < u && (u - v) * 100 <= u) continue;
    sum += v >= u ? v - u : v < 0 ? 0 : v;
    u = v;
  }
  return sum;
}

Number of_any_kind(std::mt19937_64& r, int64_t v) {
  if (v >= 0 && r() % 3 == 0) return Number::of(static_cast<uint64_t>(v));
  return r() % 2 ? Number::of(v) : Number::of(static_cast<double>(v));
}

// Rises, pauses, resets, small falls; times that do not fall.
std::vector<Point> random_series(std::mt19937_64& r, bool falls) {
  std::vector<Point> out;
  int64_t v = static_cast<int64_t>(r() % 100000), t = static_cast<int64_t>(r() % 1000) - 500;
  for (size_t n = 2 + r() % 12; n > 0; n--) {
    out.push_back({of_any_kind(r, v), t});
    t += 1 + static_cast<int64_t>(r() % 10);
    uint64_t what = r() % 8;
    if (what == 0)
      v = static_cast<int64_t>(r() % static_cast<uint64_t>(v / 2 + 1));
    else if (what == 1 && falls)
      v -= v / 200;
    else if (what != 2)
      v += static_cast<int64_t>(r() % 5000);
  }
  return out;
}

bool is_small_fall(const Number& u, const Number& v) {
  CounterEvents events;
  bool kept;
  CounterSeries::increase(u, v, kept, events);
  return kept;
}

std::string bytes_of(const CounterSeries& series) {
  std::string bytes;
  Writer out(bytes);
  series.encode(out);
  return bytes;
}

}  // namespace

TEST_CASE("a counter counts as the definition says") {
  std::mt19937_64 r(1);
  for (int round = 0; round < 3000; round++) {
    std::vector<Point> points = random_series(r, true);
    CounterEvents events;
    Counted whole;
    for (const Point& p : points) count(whole, p, events);
    REQUIRE(whole.sum == slow_count(points));
    REQUIRE(whole.series.between().value() == whole.sum);
  }
}

TEST_CASE("joined at any point of time, two contributors have counted what one would have") {
  std::mt19937_64 r(2);
  int joined = 0, falls = 0, less = 0;
  for (int round = 0; round < 20'000; round++) {
    std::vector<Point> points = random_series(r, true);
    size_t cut = 1 + r() % (points.size() - 1);
    CounterEvents events;
    Counted whole, early, late;
    for (size_t i = 0; i < points.size(); i++) {
      count(whole, points[i], events);
      count(i < cut ? early : late, points[i], events);
    }
    bool fall = is_small_fall(early.series.last(), points[cut].value);
    double u = early.series.last().as_double();
    CounterSeries other_way = late.series;
    auto step = early.series.join(late.series, events);
    auto back = other_way.join(whole.series.known() ? [&] {
      Counted again;
      for (size_t i = 0; i < cut; i++) count(again, points[i], events);
      return again.series;
    }() : CounterSeries(), events);
    REQUIRE(step);
    REQUIRE(back);
    CHECK(step->time_ns == points[cut].time_ns);
    CHECK(step->increase.as_double() == back->increase.as_double());
    CHECK(bytes_of(early.series) == bytes_of(other_way));
    if (fall) {  // the later part counted on from the lower value
      falls++;
      double more = early.sum + step->increase.as_double() + late.sum - whole.sum;
      CHECK(more <= u * 0.01);
      CHECK(more >= -u);
      less += more < 0;
      continue;
    }
    joined++;
    REQUIRE(early.sum + step->increase.as_double() + late.sum == whole.sum);
    REQUIRE(early.series.between().value() == whole.series.between().value());
    REQUIRE(early.series.last().as_double() == whole.series.last().as_double());
    REQUIRE(early.series.last_time_ns() == whole.series.last_time_ns());
    CHECK(u >= 0);
  }
  CHECK(joined > 3000);
  CHECK(falls > 100);
  CHECK(less > 0);
}

TEST_CASE("a small fall between two contributors, and another, hide a reset") {
  CounterEvents events;
  Counted whole, early, late;
  for (auto [value, time] : {std::pair{900.0, 1}, {1000.0, 2}, {995.0, 3}, {989.0, 4}}) {
    Point point{Number::of(value), time};
    count(whole, point, events);
    count(time < 3 ? early : late, point, events);
  }
  auto step = early.series.join(late.series, events);
  REQUIRE(step);
  CHECK(whole.sum == 100 + 989);
  CHECK(early.sum + step->increase.as_double() + late.sum == 100);
}

TEST_CASE("a small fall between two contributors adds at most what the counter fell by") {
  CounterEvents events;
  for (double next : {1000.0, 998.0, 1010.0, 5000.0}) {
    std::vector<Point> points{{Number::of(900.0), 1},
                              {Number::of(1000.0), 2},
                              {Number::of(995.0), 3},
                              {Number::of(997.0), 4},
                              {Number::of(next), 5}};
    Counted whole, early, late;
    for (size_t i = 0; i < points.size(); i++) {
      count(whole, points[i], events);
      count(i < 2 ? early : late, points[i], events);
    }
    auto step = early.series.join(late.series, events);
    REQUIRE(step);
    CHECK(step->increase.as_double() == 0);
    double more = early.sum + late.sum - whole.sum;
    CHECK(more >= 0);
    CHECK(more <= 5);
    CHECK(early.series.last().as_double() == whole.series.last().as_double());  // 1000 is kept until it is passed
  }
}

TEST_CASE("a small fall between two contributors is forgotten where the later one saw a reset") {
  CounterEvents events;
  Counted early, late;
  count(early, {Number::of(1000.0), 1}, events);
  for (const Point& p : {Point{Number::of(995.0), 2}, Point{Number::of(10.0), 3}, Point{Number::of(30.0), 4}})
    count(late, p, events);
  REQUIRE(early.series.join(late.series, events));
  CHECK(early.series.last().as_double() == 30);
}

TEST_CASE("contributors that overlap in time have no step between them") {
  CounterEvents events;
  Counted a, b;
  for (int64_t t : {1, 5}) count(a, {Number::of(uint64_t{10}), t}, events);
  for (int64_t t : {3, 7}) count(b, {Number::of(uint64_t{20}), t}, events);
  std::string before = bytes_of(a.series);
  CHECK_FALSE(a.series.join(b.series, events));
  CHECK(bytes_of(a.series) == before);
}

TEST_CASE("joining what is unknown changes nothing; what is unknown takes the other over") {
  CounterEvents events;
  Counted a;
  count(a, {Number::of(uint64_t{10}), 1}, events);
  std::string before = bytes_of(a.series);
  CHECK_FALSE(a.series.join(CounterSeries(), events));
  CHECK(bytes_of(a.series) == before);
  CounterSeries fresh;
  CHECK_FALSE(fresh.join(a.series, events));
  CHECK(bytes_of(fresh) == before);
}

TEST_CASE("two contributors in one instant join alike from either side") {
  for (auto [u, v] : {std::pair(5.0, 7.0), std::pair(7.0, 5.0), std::pair(3.0, 3.0)}) {
    CounterEvents events;
    Counted a, b;
    count(a, {Number::of(u), 1}, events);
    count(b, {Number::of(v), 1}, events);
    CounterSeries a2 = a.series;
    auto one = a.series.join(b.series, events), other = b.series.join(a2, events);
    REQUIRE(one);
    REQUIRE(other);
    CHECK(one->increase.as_double() == other->increase.as_double());
    CHECK(bytes_of(a.series) == bytes_of(b.series));
  }
}

TEST_CASE("integers beyond 2^53 are counted to the last unit, types may mix, nothing counts below zero") {
  CounterEvents events;
  Counted c;
  constexpr uint64_t big = (uint64_t{1} << 63) + 1;
  count(c, {Number::of(big), 1}, events);
  CHECK(c.series.step(Number::of(big + 1), 2, events).increase.u == 1);
  CHECK(c.series.step(Number::of(UINT64_MAX), 3, events).increase.u == UINT64_MAX - big - 1);
  CHECK(c.series.step(Number::of(int64_t{5}), 4, events).increase.u == 5);
  CHECK(c.series.step(Number::of(7.5), 5, events).increase.f == 2.5);
  CHECK(c.series.step(Number::of(int64_t{-4}), 6, events).increase.as_double() == 0);
  CHECK(c.series.step(Number::of(int64_t{-9}), 7, events).increase.as_double() == 0);
  CHECK(c.series.step(Number::of(int64_t{-2}), 8, events).increase.as_double() == 7);
  CHECK(events.resets == 3);
  CHECK(events.falls == 0);
}

TEST_CASE("a fall of exactly 1 % is small, one unit more is a reset") {
  CounterEvents events;
  bool kept;
  CounterSeries::increase(Number::of(int64_t{1000}), Number::of(int64_t{990}), kept, events);
  CHECK(kept);
  CHECK(CounterSeries::increase(Number::of(int64_t{1000}), Number::of(int64_t{989}), kept, events).u == 989);
  CHECK_FALSE(kept);
  constexpr uint64_t big = 1'000'000'000'000'000'000;
  CounterSeries::increase(Number::of(big), Number::of(big / 100 * 99), kept, events);
  CHECK(kept);
  CHECK(CounterSeries::increase(Number::of(big), Number::of(big / 100 * 99 - 1), kept, events).u == big / 100 * 99 - 1);
}

TEST_CASE("a small fall is seen: what is older than it comes too late") {
  CounterEvents events;
  Counted c;
  count(c, {Number::of(1000.0), 1}, events);
  CHECK(c.series.step(Number::of(999.0), 5, events).counted);
  CHECK_FALSE(c.series.step(Number::of(1500.0), 4, events).counted);
  CHECK(c.series.step(Number::of(1001.0), 5, events).increase.as_double() == 1);
}

TEST_CASE("a cut or foreign counter record is refused") {
  CounterEvents events;
  Counted c;
  count(c, {Number::of(int64_t{-1}), -5}, events);
  count(c, {Number::of(1.5), 9}, events);
  std::string bytes = bytes_of(c.series);
  CounterSeries back;
  for (size_t cut = 0; cut < bytes.size(); cut++) {
    Reader in(std::string_view(bytes).substr(0, cut));
    CHECK_FALSE(back.decode(in));
  }
  for (auto [at, byte] : {std::pair<size_t, char>{0, 2}, {1, 2}, {2, 3}}) {
    std::string bad = bytes;
    bad[at] = byte;  // version, known, kind
    Reader in(bad);
    CHECK_FALSE(back.decode(in));
  }
  Reader in(bytes);
  REQUIRE(back.decode(in));
  CHECK(bytes_of(back) == bytes);
}

}  // namespace limpet
