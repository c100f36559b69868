// States of windows against the slow reference: samples are added to four parts, parts are merged, encoded and decoded
// in an order the input chooses, and every function must say what the reference says. With the first bit set the rest
// of the input is bytes to decode instead: any verdict, no crash, and what decodes encodes to the same bytes again and
// again.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "rules/rule_set.h"
#include "tests/unit/window/cells.h"
#include "tests/unit/window/random_samples.h"

using namespace limpet;

namespace {

constexpr size_t kSamplesMax = 300;  // what the reference adds up exactly

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool done() const { return left_ == 0; }
  uint8_t byte() { return left_ ? left_--, *data_++ : 0; }
  // Two bytes, spread over a word.
  uint64_t operator()() {
    uint64_t low = byte();
    uint64_t word = (low | uint64_t{byte()} << 8) * 0x9e3779b97f4a7c15;
    return low ^ word >> 20;
  }
  std::string_view rest() const { return {reinterpret_cast<const char*>(data_), left_}; }

 private:
  const uint8_t* data_;
  size_t left_;
};

// Everything at once; each function that keeps a part of its own alone; and a few beside each other.
std::vector<std::vector<std::string>> function_lists() {
  std::vector<std::vector<std::string>> lists{every_function()};
  for (const char* alone :
       {"sum", "stddev", "first", "diff", "p99.9", "distinct", "count_series", "increase", "histogram",
        "histogram(-5, 0, 0.5, 2, 1000)", "sum(last)", "count(last)", "mean(increase)"})
    lists.push_back({alone});
  lists.push_back({"count", "increase"});
  lists.push_back({"mean", "stddev", "p50", "max(mean)", "sum(rate)"});
  return lists;
}

struct Programs {
  std::vector<std::shared_ptr<const RuleSet>> rules;
  std::vector<std::unique_ptr<FieldProgram>> programs;

  Programs() {
    for (const auto& list : function_lists()) {
      LoadedRules loaded = load_rules({{"r.toml", rule_text(list)}});
      if (!loaded.ok()) std::abort();
      rules.push_back(loaded.rules);
      programs.push_back(std::make_unique<FieldProgram>(loaded.rules->rules()[0], "v"));
    }
  }
};

[[noreturn]] void fail(const FunctionSpec& f, const std::string& got, const std::string& wanted) {
  fmt::print(stderr, "{}: {} instead of {}\n", f.text, got, wanted);
  std::abort();
}

void check(const FieldProgram& program, const Cells& cells, const Reference& reference) {
  FieldWindow window = cells.window(program, kMinuteNs);
  for (const FunctionSpec& f : program.functions) {
    if (f.kind == FunctionKind::kTotal) continue;
    if (f.kind == FunctionKind::kHistogram || f.kind == FunctionKind::kHistogramBounds) {
      for_each_bucket(f, program, window, [&](std::string_view le, uint64_t n) {
        uint64_t wanted = reference.at_or_below(le == "+Inf" ? INFINITY : std::stod(std::string(le)));
        if (n != wanted) fail(f, fmt::format("{} at {}", n, le), fmt::format("{}", wanted));
      });
      continue;
    }
    auto got = result_of(f, program, window), wanted = reference.result(f, kMinuteNs);
    if (!agrees(f, got, wanted)) fail(f, show(got), show(wanted));
  }
}

void round_trip(const FieldProgram& program, Cells& cells) {
  std::string bytes = cells.encoded(program);
  Cells back;
  if (!back.decode(program, bytes) || back.encoded(program) != bytes) std::abort();
  cells = std::move(back);
}

void run_operations(const FieldProgram& program, Input& in) {
  Cells cells[4];
  Reference references[4];
  for (uint64_t arrival = 1; !in.done(); arrival++) {
    uint8_t operation = in.byte();
    size_t a = operation & 3, b = operation >> 2 & 3;
    switch (operation >> 4) {
      case 0:
        if (a == b || references[a].size() + references[b].size() > kSamplesMax) break;
        cells[a].merge(program, cells[b]);
        references[a].merge(references[b]);
        break;
      case 1:
        round_trip(program, cells[a]);
        break;
      case 2:
        check(program, cells[a], references[a]);
        break;
      case 3:
        cells[a] = Cells(), references[a] = Reference();
        break;
      default: {
        if (references[a].size() >= kSamplesMax) break;
        Sample s = random_sample(in, arrival);
        cells[a].add(program, s);
        references[a].add(s);
      }
    }
  }
  for (size_t i = 0; i < 4; i++) check(program, cells[i], references[i]);
}

void decode_anything(const FieldProgram& program, std::string_view bytes) {
  Cells cells, again;
  if (!cells.decode(program, bytes)) return;
  std::string once = cells.encoded(program);
  if (!again.decode(program, once) || again.encoded(program) != once) std::abort();
  FieldWindow window = cells.window(program, kMinuteNs);
  for (const FunctionSpec& f : program.functions) {
    if (f.kind == FunctionKind::kHistogram || f.kind == FunctionKind::kHistogramBounds)
      for_each_bucket(f, program, window, [](std::string_view, uint64_t) {});
    else
      result_of(f, program, window);
  }
  again.merge(program, cells);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Programs all;
  Input in(data, size);
  uint8_t choice = in.byte();
  const FieldProgram& program = *all.programs[(choice & 0x7f) % all.programs.size()];
  if (choice & 0x80)
    decode_anything(program, in.rest());
  else
    run_operations(program, in);
  return 0;
}
