// Encodings of sketches and cells: no bytes crash a decoder; what decodes encodes to something that decodes to the same
// bytes again.
#include <cstdlib>
#include <string>

#include "rules/rule_set.h"
#include "window/cell.h"
#include "window/counter.h"

using namespace limpet;

namespace {

template <typename T, typename Decode>
void round_trip(T value, std::string_view bytes, Decode decode) {
  Reader in(bytes);
  if (!decode(value, in)) return;
  std::string once, twice;
  Writer first(once), second(twice);
  value.encode(first);
  T again = value;
  Reader back(once);
  if (!decode(again, back) || !back.done()) std::abort();
  again.encode(second);
  if (once != twice) std::abort();
}

const Rule& everything() {
  static const LoadedRules loaded =
      load_rules({{"r.toml",
                   "[[rule]]\nname = \"r\"\nperiod = \"1s\"\n[rule.fields]\nv = [\"stddev\", \"last\", \"diff\", "
                   "\"p99\", \"distinct\", "
                   "\"increase\", \"count_series\", \"histogram(1,2)\", \"sum(last)\", \"mean(increase)\"]\n"}});
  return loaded.rules->rules()[0];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto plain = [](auto& v, Reader& in) { return v.decode(in); };
  switch (data[0] % 6) {
    case 0:
      round_trip(ExponentialHistogram(), bytes, plain);
      break;
    case 1:
      round_trip(PowerHistogram(), bytes, plain);
      break;
    case 2:
      round_trip(BoundsHistogram(), bytes, [](BoundsHistogram& v, Reader& in) { return v.decode(in, 3); });
      break;
    case 3:
      round_trip(HyperLogLog(), bytes, plain);
      break;
    case 4:
      round_trip(CounterSeries(), bytes, plain);
      break;
    default: {
      static const FieldProgram program(everything(), "v");
      CoreCell core, core2;
      WideCell wide, wide2;
      Reader in(bytes);
      if (!decode_cell(program, core, &wide, in)) break;
      std::string once, twice;
      Writer first(once), second(twice);
      encode_cell(program, core, &wide, first);
      Reader back(once);
      if (!decode_cell(program, core2, &wide2, back)) std::abort();
      encode_cell(program, core2, &wide2, second);
      if (once != twice) std::abort();
    }
  }
  return 0;
}
