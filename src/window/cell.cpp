#include "window/cell.h"

#include "sketch/value_hash.h"

namespace limpet {
namespace {

constexpr uint8_t kVersion = 1;

uint64_t hash_of(const Sample& s) {
  switch (s.kind) {
    case ValueKind::kFloat:
      return limpet::hash_of(s.number.f);
    case ValueKind::kInt:
      return limpet::hash_of(s.number.i);
    case ValueKind::kUint:
      return limpet::hash_of(s.number.u);
    case ValueKind::kBool:
      return limpet::hash_of(s.boolean);
    case ValueKind::kString:
      return limpet::hash_of(s.text);
  }
  return 0;
}

template <typename T>
T& made(std::unique_ptr<T>& part) {
  if (!part) part = std::make_unique<T>();
  return *part;
}

RareParts& rare_of(const FieldProgram& program, WideCell& wide) {
  if (!wide.rare) {
    wide.rare = std::make_unique<RareParts>();
    wide.rare->bounds.resize(program.bounds.size());
    for (const FunctionSpec* f : program.nested) wide.rare->nested.emplace_back(f->inner, f->outer);
  }
  return *wide.rare;
}

// OUTER(INNER); true if one of them took the sample.
bool add_nested(const FieldProgram& program, WideCell& wide, const Sample& s) {
  bool taken = false;
  RareParts& rare = rare_of(program, wide);
  for (SeriesParts& parts : rare.nested) taken |= parts.add(s);
  return taken;
}

// Exact beyond 2^53, as the sum is: else their difference, the variance, would be noise.
void add_square(DoubleDouble& squares, const Number& n) {
  DoubleDouble exact;
  n.add_to(exact);
  squares.add_product(exact.hi, exact.hi);
  if (exact.lo == 0) return;
  squares.add_product(2 * exact.hi, exact.lo);
  squares.add_product(exact.lo, exact.lo);
}

void add_number(const FieldProgram& program, WideCell& wide, const Sample& s) {
  uint32_t needs = program.needs;
  double v = s.number.as_double();
  if (needs & kNeedQuantiles) made(wide.quantiles).add(v);
  if (needs & kNeedNumberFirstLast) made(wide.number_first_last).add({s.number, s.time_ns, s.arrival});
  if ((needs & kNeedIncrease) && s.step.counted) {
    s.step.increase.add_to(wide.increase);
    wide.counter_samples++;
  }
  if (needs & kNeedPowers) rare_of(program, wide).powers.add(v);
  if (needs & kNeedBounds)
    for (size_t i = 0; i < program.bounds.size(); i++)
      rare_of(program, wide).bounds[i].add(program.bounds[i]->bounds, v);
}

void add_any(const FieldProgram& program, WideCell& wide, const Sample& s) {
  uint32_t needs = program.needs;
  if (needs & kNeedFirstLast)
    if (auto& part = made(wide.first_last); part.wants(s.time_ns, s.arrival))
      part.add({s.value(), s.time_ns, s.arrival});
  if (needs & kNeedDistinct) made(wide.distinct).add(hash_of(s));
  if (needs & kNeedSeries) rare_of(program, wide).series.add(s.series_hash);
}

void encode(const Number& n, Writer& out) {
  out.u8(static_cast<uint8_t>(n.kind));
  out.u64(n.u);
}

bool decode(Number& n, Reader& in) {
  uint8_t kind = in.u8();
  n.u = in.u64();
  n.kind = static_cast<ValueKind>(kind);
  return in.ok() && kind <= static_cast<uint8_t>(ValueKind::kUint);
}

void encode(const Value& v, Writer& out) {
  out.u8(static_cast<uint8_t>(kind_of(v)));
  switch (kind_of(v)) {
    case ValueKind::kFloat:
      return out.f64(std::get<double>(v));
    case ValueKind::kInt:
      return out.zigzag(std::get<int64_t>(v));
    case ValueKind::kUint:
      return out.varint(std::get<uint64_t>(v));
    case ValueKind::kBool:
      return out.u8(std::get<bool>(v));
    case ValueKind::kString:
      return out.bytes(std::get<std::string>(v));
  }
}

bool decode(Value& v, Reader& in) {
  switch (static_cast<ValueKind>(in.u8())) {
    case ValueKind::kFloat:
      v = in.f64();
      return in.ok();
    case ValueKind::kInt:
      v = in.zigzag();
      return in.ok();
    case ValueKind::kUint:
      v = in.varint();
      return in.ok();
    case ValueKind::kBool:
      v = in.u8() != 0;
      return in.ok();
    case ValueKind::kString:
      v = std::string(in.bytes());
      return in.ok();
  }
  return false;
}

template <typename T>
void encode(const std::unique_ptr<FirstLast<T>>& part, Writer& out) {
  bool there = part && !part->empty;
  out.u8(there);
  if (!there) return;
  for (const Stamped<T>* s : {&part->first, &part->last})
    encode(s->value, out), out.zigzag(s->time_ns), out.varint(s->arrival);
}

template <typename T>
bool decode(std::unique_ptr<FirstLast<T>>& part, Reader& in) {
  uint8_t there = in.u8();
  if (there == 0) return in.ok();
  FirstLast<T>& made_part = made(part);
  for (Stamped<T>* s : {&made_part.first, &made_part.last}) {
    if (!decode(s->value, in)) return false;
    s->time_ns = in.zigzag(), s->arrival = in.varint();
  }
  made_part.empty = false;
  return there == 1 && in.ok() && !(made_part.last.when() < made_part.first.when());
}

template <typename T>
void encode_part(const std::unique_ptr<T>& part, Writer& out) {
  part ? part->encode(out) : T().encode(out);
}

size_t heap_of(const Value& v) {
  const auto* text = std::get_if<std::string>(&v);
  return text && text->capacity() > std::string().capacity() ? text->capacity() + 1 : 0;
}

}  // namespace

void CoreCell::merge(const CoreCell& other) {
  numbers += other.numbers;
  others += other.others;
  sum.add(other.sum);
  squares.add(other.squares);
  min = other.min < min ? other.min : min;
  max = other.max > max ? other.max : max;
}

bool add_sample(const FieldProgram& program, CoreCell& core, WideCell* wide, const Sample& sample) {
  bool number = sample.is_number();
  if (!program.takes(number)) return false;
  bool nested = (program.needs & kNeedNested) && add_nested(program, *wide, sample);
  if (!number) {
    core.others++;
    if (wide) add_any(program, *wide, sample);
    return true;
  }
  bool taken = program.counts_numbers || nested || (program.has_counter && sample.step.counted);
  if (!taken) return false;
  core.add(sample.number);
  if (program.needs & kNeedSquares) add_square(core.squares, sample.number);
  if (!wide) return true;
  add_number(program, *wide, sample);
  add_any(program, *wide, sample);
  return true;
}

void merge_wide(const FieldProgram& program, WideCell& into, const WideCell& from) {
  into.increase.add(from.increase);
  into.counter_samples += from.counter_samples;
  if (from.first_last) made(into.first_last).merge(*from.first_last);
  if (from.number_first_last) made(into.number_first_last).merge(*from.number_first_last);
  if (from.quantiles) made(into.quantiles).merge(*from.quantiles);
  if (from.distinct) made(into.distinct).merge(*from.distinct);
  if (!from.rare) return;
  RareParts& rare = rare_of(program, into);
  rare.series.merge(from.rare->series);
  rare.powers.merge(from.rare->powers);
  for (size_t i = 0; i < rare.bounds.size(); i++) rare.bounds[i].merge(from.rare->bounds[i]);
  for (size_t i = 0; i < rare.nested.size(); i++) rare.nested[i].merge(from.rare->nested[i]);
}

size_t bytes_of(const WideCell& wide) {
  size_t n = 0;
  if (wide.first_last)
    n += sizeof(*wide.first_last) + heap_of(wide.first_last->first.value) + heap_of(wide.first_last->last.value);
  if (wide.number_first_last) n += sizeof(*wide.number_first_last);
  if (wide.quantiles) n += sizeof(*wide.quantiles) + wide.quantiles->bytes();
  if (wide.distinct) n += sizeof(*wide.distinct) + wide.distinct->bytes();
  if (!wide.rare) return n;
  n += sizeof(*wide.rare) + wide.rare->series.bytes() + wide.rare->powers.bytes();
  for (const auto& b : wide.rare->bounds) n += sizeof(b) + b.bytes();
  for (const auto& s : wide.rare->nested) n += sizeof(s) + s.bytes();
  return n;
}

void encode_cell(const FieldProgram& program, const CoreCell& core, const WideCell* wide, Writer& out) {
  out.u8(kVersion);
  out.varint(core.numbers), out.varint(core.others);
  core.sum.encode(out);
  out.f64(core.min), out.f64(core.max);
  if (program.needs & kNeedSquares) core.squares.encode(out);
  if (!wide) return;
  if (program.needs & kNeedFirstLast) encode(wide->first_last, out);
  if (program.needs & kNeedNumberFirstLast) encode(wide->number_first_last, out);
  if (program.needs & kNeedQuantiles) encode_part(wide->quantiles, out);
  if (program.needs & kNeedDistinct) encode_part(wide->distinct, out);
  if (program.needs & kNeedIncrease) wide->increase.encode(out), out.varint(wide->counter_samples);
  if (!(program.needs & (kNeedSeries | kNeedPowers | kNeedBounds | kNeedNested))) return;
  out.u8(wide->rare != nullptr);
  if (!wide->rare) return;
  if (program.needs & kNeedSeries) wide->rare->series.encode(out);
  if (program.needs & kNeedPowers) wide->rare->powers.encode(out);
  for (const auto& b : wide->rare->bounds) b.encode(out);
  for (const auto& s : wide->rare->nested) s.encode(out);
}

bool decode_cell(const FieldProgram& program, CoreCell& core, WideCell* wide, Reader& in) {
  if (in.u8() != kVersion) return false;
  core.numbers = in.varint(), core.others = in.varint();
  if (!core.sum.decode(in)) return false;
  core.min = in.f64(), core.max = in.f64();
  if ((program.needs & kNeedSquares) && !core.squares.decode(in)) return false;
  if (!in.ok() || !wide) return in.ok();
  if ((program.needs & kNeedFirstLast) && !decode(wide->first_last, in)) return false;
  if ((program.needs & kNeedNumberFirstLast) && !decode(wide->number_first_last, in)) return false;
  if ((program.needs & kNeedQuantiles) && !made(wide->quantiles).decode(in)) return false;
  if ((program.needs & kNeedDistinct) && !made(wide->distinct).decode(in)) return false;
  if (program.needs & kNeedIncrease) {
    if (!wide->increase.decode(in)) return false;
    wide->counter_samples = in.varint();
  }
  if (!(program.needs & (kNeedSeries | kNeedPowers | kNeedBounds | kNeedNested))) return in.ok();
  uint8_t there = in.u8();
  if (there > 1 || !in.ok()) return false;
  if (there == 0) return true;
  RareParts& rare = rare_of(program, *wide);
  if ((program.needs & kNeedSeries) && !rare.series.decode(in)) return false;
  if ((program.needs & kNeedPowers) && !rare.powers.decode(in)) return false;
  for (size_t i = 0; i < rare.bounds.size(); i++)
    if (!rare.bounds[i].decode(in, program.bounds[i]->bounds.size())) return false;
  for (auto& s : rare.nested)
    if (!s.decode(in)) return false;
  return in.ok();
}

}  // namespace limpet
