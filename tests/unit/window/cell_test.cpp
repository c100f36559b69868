#include "window/cell.h"

#include <doctest/doctest.h>

#include <random>

#include "rules/rule_set.h"
#include "window/counter.h"
#include "window/result.h"

namespace limpet {
namespace {

std::shared_ptr<const RuleSet> rules_for(const std::string& functions) {
  LoadedRules loaded =
      load_rules({{"r.toml", "[[rule]]\nname = \"r\"\nperiod = \"10s\"\n[rule.fields]\nv = [" + functions + "]\n"}});
  for (const Diagnostic& d : loaded.diagnostics) MESSAGE(to_string(d));
  REQUIRE(loaded.ok());
  return loaded.rules;
}

constexpr const char* kEverything =
    R"x("count", "sum", "min", "max", "mean", "range", "stddev", "first", "last", "interval", "diff", "percent_change", "derivative")x"
    R"x(, "p50", "p99", "histogram(1, 5)", "distinct", "count_series", "increase", "rate", "sum(last)", "mean(max)", "p90(mean)")x"
    R"x(, "sum(increase)", "count(last)", "stddev(range)", "max(first)", "min(count)", "sum(sum)", "sum(min)")x";

Sample random_sample(std::mt19937_64& r, uint64_t arrival, std::string_view text) {
  Sample s;
  s.arrival = arrival;
  s.time_ns = static_cast<int64_t>(r() % 20);
  s.series_hash = r() % 15 + 1;
  switch (r() % 6) {
    case 0:
      s.kind = ValueKind::kInt, s.number = Number::of(static_cast<int64_t>(r() % 100) - 50);
      break;
    case 1:
      s.kind = ValueKind::kUint, s.number = Number::of(r() % 100);
      break;
    case 2:
      s.kind = ValueKind::kString, s.text = text;
      break;
    case 3:
      s.kind = ValueKind::kBool, s.boolean = r() % 2;
      break;
    default:
      s.kind = ValueKind::kFloat, s.number = Number::of(static_cast<double>(r() % 1000) / 8);
  }
  s.step.counted = r() % 4 != 0;
  s.step.increase = Number::of(r() % 1000);
  return s;
}

struct State {
  CoreCell core;
  WideCell wide;
};

std::string encoded(const FieldProgram& program, const State& s) {
  std::string out;
  Writer writer(out);
  encode_cell(program, s.core, &s.wide, writer);
  return out;
}

}  // namespace

TEST_CASE(
    "a cell is a commutative monoid with a lossless encoding: split, merge, encode, decode give the same results") {
  auto rules = rules_for(kEverything);
  FieldProgram program(rules->rules()[0], "v");
  std::mt19937_64 r(1);
  for (int round = 0; round < 200; round++) {
    State whole, parts[3], merged;
    for (uint64_t i = 1; i <= 1 + r() % 60; i++) {
      Sample s = random_sample(r, i, "text");
      bool taken = add_sample(program, whole.core, &whole.wide, s);
      State& part = parts[r() % 3];
      CHECK(add_sample(program, part.core, &part.wide, s) == taken);
      CHECK(taken);  // count takes every sample
    }
    for (size_t i : {2, 0, 1}) {
      State decoded;
      std::string bytes = encoded(program, parts[i]);
      Reader reader(bytes);
      REQUIRE(decode_cell(program, decoded.core, &decoded.wide, reader));
      CHECK(reader.done());
      CHECK(encoded(program, decoded) == bytes);
      merged.core.merge(decoded.core);
      merge_wide(program, merged.wide, decoded.wide);
    }
    for (const FunctionSpec& f : program.functions) {
      FieldWindow a{whole.core, &whole.wide, 10 * kSecondNs, {}}, b{merged.core, &merged.wide, 10 * kSecondNs, {}};
      auto x = result_of(f, program, a), y = result_of(f, program, b);
      INFO(f.text);
      REQUIRE(x.has_value() == y.has_value());
      if (!x) continue;
      REQUIRE(x->index() == y->index());
      if (std::holds_alternative<double>(*x))
        CHECK(std::get<double>(*x) == doctest::Approx(std::get<double>(*y)).epsilon(1e-15));
      else
        CHECK(*x == *y);
    }
  }
}

TEST_CASE("a cut or garbled encoding is refused, not read beyond") {
  auto rules = rules_for(kEverything);
  FieldProgram program(rules->rules()[0], "v");
  std::mt19937_64 r(2);
  State state;
  for (uint64_t i = 1; i < 50; i++) add_sample(program, state.core, &state.wide, random_sample(r, i, "x"));
  std::string bytes = encoded(program, state);
  for (size_t cut = 0; cut < bytes.size(); cut++) {
    State back;
    Reader reader(std::string_view(bytes).substr(0, cut));
    CHECK(!decode_cell(program, back.core, &back.wide, reader));
  }
  for (int i = 0; i < 2000; i++) {
    std::string bad = bytes;
    bad[r() % bad.size()] ^= static_cast<char>(1 << (r() % 8));
    State back;
    Reader reader(bad);
    decode_cell(program, back.core, &back.wide, reader);  // any verdict, no crash
  }
}

TEST_CASE("which samples a program takes") {
  auto taken = [](const char* functions, ValueKind kind, bool counted) {
    auto rules = rules_for(functions);
    FieldProgram program(rules->rules()[0], "v");
    State state;
    Sample s;
    s.kind = kind, s.text = "x", s.step.counted = counted, s.series_hash = 1;
    return add_sample(program, state.core, &state.wide, s);
  };
  CHECK(taken("\"sum\"", ValueKind::kInt, false));
  CHECK(!taken("\"sum\"", ValueKind::kString, false));
  CHECK(taken("\"last\"", ValueKind::kString, false));
  CHECK(!taken("\"increase\"", ValueKind::kFloat, false));
  CHECK(taken("\"increase\"", ValueKind::kFloat, true));
  CHECK(taken("\"increase\", \"sum\"", ValueKind::kFloat, false));
  CHECK(!taken("\"sum(increase)\"", ValueKind::kFloat, false));
  CHECK(taken("\"count(last)\"", ValueKind::kBool, false));
  CHECK(!taken("\"sum(last)\"", ValueKind::kBool, false));
  CHECK(taken("\"sum(count)\"", ValueKind::kBool, false));
}

TEST_CASE("counters: resets, small falls, order") {
  CounterEvents events;
  CounterSeries c;
  CHECK(c.start(Number::of(int64_t{100}), 1, false).increase.as_double() == 0);
  CHECK(c.step(Number::of(int64_t{110}), 2, events).increase.u == 10);
  CHECK(c.step(Number::of(int64_t{109}), 3, events).increase.u == 0);
  CHECK(events.falls == 1);
  CHECK(c.step(Number::of(int64_t{111}), 4, events).increase.u == 1);  // from 110: the fall left it
  CHECK(!c.step(Number::of(int64_t{500}), 3, events).counted);
  CHECK(c.step(Number::of(int64_t{7}), 4, events).increase.u == 7);
  CHECK(events.resets == 1);
  CHECK(CounterSeries().start(Number::of(int64_t{-3}), 1, true).increase.as_double() == 0);
}

TEST_CASE("counters: a series counted by two contributors joins to what one would have counted") {
  std::mt19937_64 r(3);
  for (int round = 0; round < 500; round++) {
    std::vector<uint64_t> values;
    uint64_t v = r() % 1000;
    for (size_t i = 0; i < 2 + r() % 10; i++) {
      values.push_back(v);
      v = r() % 6 == 0 ? r() % (v / 2 + 1) : v + r() % 100;
    }
    CounterEvents events;
    auto count = [&](size_t from, size_t to, CounterSeries& c) {
      double sum = 0;
      for (size_t i = from; i < to; i++) {
        auto t = static_cast<int64_t>(i);
        sum += (i == from ? c.start(Number::of(values[i]), t, false) : c.step(Number::of(values[i]), t, events))
                   .increase.as_double();
      }
      return sum;
    };
    size_t cut = 1 + r() % (values.size() - 1);
    CounterSeries whole, a, b;
    double wanted = count(0, values.size(), whole), parts = count(0, cut, a) + count(cut, values.size(), b);
    CounterSeries b2 = b;
    auto other = b2.join(a, events), joint = a.join(b, events);
    REQUIRE(other);
    CHECK(other->increase.as_double() == joint->increase.as_double());
    REQUIRE(joint);
    CHECK(parts + joint->increase.as_double() == wanted);
    CHECK(joint->time_ns == static_cast<int64_t>(cut));
    CHECK(a.between().value() == whole.between().value());
    std::string bytes;
    Writer writer(bytes);
    a.encode(writer);
    CounterSeries back;
    Reader reader(bytes);
    CHECK(back.decode(reader));
    CHECK(back.last().as_double() == a.last().as_double());
  }
}

}  // namespace limpet
