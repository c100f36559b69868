// Every function against the slow reference: any program, any samples, split into any parts, encoded, decoded and
// merged in any order.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/unit/window/one_field.h"
#include "tests/unit/window/random_samples.h"

namespace limpet {
namespace {

std::shared_ptr<const RuleSet> rule_for(const std::vector<std::string>& functions) {
  LoadedRules loaded = load_rules({{"r.toml", rule_text(functions)}});
  REQUIRE(loaded.ok());
  return loaded.rules;
}

void check_buckets(const FunctionSpec& f, const FieldProgram& program, const Cells& cells, const Reference& wanted) {
  uint64_t before = 0, lines = 0;
  for_each_bucket(f, program, cells.window(program, kMinuteNs), [&](std::string_view le, uint64_t n) {
    lines++;
    REQUIRE(n == wanted.at_or_below(le == "+Inf" ? INFINITY : std::stod(std::string(le))));
    REQUIRE(n >= before);
    before = n;
  });
  CHECK((lines == 0) == (wanted.numbers() == 0));
  CHECK(before == wanted.numbers());
}

void check_all(const FieldProgram& program, const Cells& cells, const Reference& wanted) {
  for (const FunctionSpec& f : program.functions) {
    INFO(f.text);
    if (f.kind == FunctionKind::kTotal) continue;  // the engine's
    if (f.kind == FunctionKind::kHistogram || f.kind == FunctionKind::kHistogramBounds) {
      check_buckets(f, program, cells, wanted);
      continue;
    }
    auto got = result_of(f, program, cells.window(program, kMinuteNs)), right = wanted.result(f, kMinuteNs);
    CAPTURE(show(got));
    CAPTURE(show(right));
    REQUIRE(agrees(f, got, right));
  }
}

// One to eight functions. A histogram in one program of two.
std::vector<std::string> random_functions(std::mt19937_64& r, std::vector<std::string> pool) {
  pool.erase(std::find(pool.begin(), pool.end(), "histogram"));
  std::shuffle(pool.begin(), pool.end(), r);
  pool.resize(1 + r() % 8);
  if (r() % 2) pool.push_back(r() % 2 ? "histogram" : "histogram(-5, 0, 0.5, 2, 1000)");
  return pool;
}

Cells through_bytes(const FieldProgram& program, const Cells& cells) {
  Cells back;
  std::string bytes = cells.encoded(program);
  REQUIRE(back.decode(program, bytes));
  REQUIRE(back.encoded(program) == bytes);
  return back;
}

}  // namespace

TEST_CASE("every function agrees with the reference, however the samples are split, carried over and merged") {
  std::mt19937_64 r(7);
  for (int round = 0; round < 300; round++) {
    auto rules = rule_for(random_functions(r, every_function()));
    FieldProgram program(rules->rules()[0], "v");
    Cells whole, parts[4];
    Reference wanted;
    uint64_t samples = r() % 3 == 0 ? r() % 4 : r() % 120;
    for (uint64_t i = 1; i <= samples; i++) {
      Sample s = random_sample(r, i);
      wanted.add(s);
      bool taken = whole.add(program, s);
      REQUIRE(parts[r() % 4].add(program, s) == taken);
      bool someone = std::any_of(program.functions.begin(), program.functions.end(), [&](const FunctionSpec& f) {
        return (s.is_number() || takes_any_type(f)) && (!is_counter(f) || s.step.counted);
      });
      REQUIRE(taken == someone);
    }
    check_all(program, whole, wanted);

    std::shuffle(std::begin(parts), std::end(parts), r);
    Cells merged;
    for (const Cells& part : parts) {
      if (r() % 2)
        merged.merge(program, part);
      else
        merged.merge(program, through_bytes(program, part));
    }
    check_all(program, merged, wanted);
    check_all(program, through_bytes(program, merged), wanted);
  }
}

TEST_CASE("a function's value does not depend on which functions stand beside it") {
  std::mt19937_64 r(8);
  std::vector<std::string> pool = every_function();
  auto rules = rule_for(pool);
  FieldProgram everything(rules->rules()[0], "v");
  Cells cells;
  std::vector<Sample> samples;
  for (uint64_t i = 1; i <= 80; i++) {
    samples.push_back(random_sample(r, i));
    cells.add(everything, samples.back());
  }
  for (const FunctionSpec& f : everything.functions) {
    auto alone_rules = rule_for({f.text});
    FieldProgram alone(alone_rules->rules()[0], "v");
    Cells own;
    for (const Sample& s : samples) own.add(alone, s);
    INFO(f.text);
    CHECK(show(result_of(alone.functions[0], alone, own.window(alone, kMinuteNs))) ==
          show(result_of(f, everything, cells.window(everything, kMinuteNs))));
  }
}

TEST_CASE("the order of arrival leaves no trace in the bytes, where times differ and sums are exact") {
  std::mt19937_64 r(9);
  std::vector<std::string> pool = every_function();
  auto rules = rule_for(pool);
  FieldProgram program(rules->rules()[0], "v");
  for (int round = 0; round < 40; round++) {
    std::vector<Sample> samples;
    for (uint64_t i = 1; i <= 60; i++) samples.push_back(random_sample(r, i));
    std::string bytes;
    for (int order = 0; order < 3; order++) {
      Cells cells;
      for (const Sample& s : samples) cells.add(program, s);
      if (order == 0) bytes = cells.encoded(program);
      CHECK(cells.encoded(program) == bytes);
      std::shuffle(samples.begin(), samples.end(), r);
    }
  }
}

TEST_CASE("two contributors whose samples share time and arrival merge alike from either side") {
  auto rules = rule_for({"first", "last", "diff", "sum(first)", "sum(last)", "count(last)"});
  FieldProgram program(rules->rules()[0], "v");
  std::vector<Value> values{1.0, 2.0, -3.0, int64_t{1}, uint64_t{1}, std::string("x"), std::string("y"), true, false};
  for (const Value& x : values) {
    for (const Value& y : values) {
      Cells a, b, ab, ba;
      a.add(program, sample_of(x, {5, 1}, 9));
      b.add(program, sample_of(y, {5, 1}, 9));
      for (const Cells* c : {&a, &b}) ab.merge(program, *c);
      for (const Cells* c : {&b, &a}) ba.merge(program, *c);
      CHECK(ab.encoded(program) == ba.encoded(program));
    }
  }
}

TEST_CASE("merging with what is empty changes nothing") {
  std::mt19937_64 r(10);
  auto rules = rule_for(every_function());
  FieldProgram program(rules->rules()[0], "v");
  Cells cells, before, after;
  for (uint64_t i = 1; i <= 50; i++) cells.add(program, random_sample(r, i));
  std::string bytes = cells.encoded(program);
  cells.merge(program, Cells());
  CHECK(cells.encoded(program) == bytes);
  after.merge(program, cells);
  CHECK(after.encoded(program) == bytes);
}

}  // namespace limpet
