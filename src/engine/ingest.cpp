// The hot path: bytes to lines, lines to series, fields to panes. Lines are taken in batches, with a prefetch between
// the stages, since with a million series each stage is a cache miss. What is unusual leaves the path at once (`odd`)
// and is read by the full parser.
#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "engine/impl.h"
#include "lineproto/format.h"

namespace limpet {
namespace {

constexpr size_t kBatch = 32;
constexpr size_t kSweptCountersPerBatch = 256;
constexpr size_t kErrorTextMax = 256;

bool begins_oddly(char c) { return static_cast<unsigned char>(c) <= ' ' || c == '#'; }

// The first blank that no backslash precedes, or what leaves in doubt where the head ends: a control character (tabs
// separate, too, in Telegraf's dialect) or a backslash that may be escaped itself. Of any other head the parser says
// the same, or that it is bad.
const char* find_head_end(const char* p, const char* end) {
  const char* q = find_blank(p, end);
  while (q < end && *q == ' ' && q > p && q[-1] == '\\' && (q - p <= 1 || q[-2] != '\\')) q = find_blank(q + 1, end);
  return q;
}

// The '\n' of a line as the parser sees it; null: the text ends before it.
const char* find_odd_end(const char* begin, const char* end, Dialect dialect) {
  LineEnd found = find_line_end({begin, static_cast<size_t>(end - begin)}, dialect);
  return found.complete ? begin + found.next - 1 : nullptr;
}

}  // namespace

IngestResult Engine::Impl::ingest(const Block& block) {
  IngestResult result;
  const char* p = block.text.data();
  // What stands behind the last newline is no whole line; up to it the newline bounds every scan.
  const char* text_end = p + block.text.size();
  const void* newline = memrchr(p, '\n', block.text.size());
  const char* end = newline ? static_cast<const char*>(newline) + 1 : p;
  Line lines[kBatch];
  while (size_t count = split(p, end, lines)) {
    find_series(lines, count);
    for (size_t i = 0; i < count; i++)
      if (lines[i].series) __builtin_prefetch(lines[i].series->first_group);
    for (size_t i = 0; i < count; i++) apply_line(lines[i], block, result);
    if (sweep_due) sweep(kSweptCountersPerBatch);
  }
  result.consumed = static_cast<size_t>(p - block.text.data());
  if (block.last && p < text_end) ingest_tail(block, {p, static_cast<size_t>(text_end - p)}, result);
  return result;
}

// The last line of a text that ends without a newline gets one. If even so it does not end, in a string that nobody
// closes, it is bad.
void Engine::Impl::ingest_tail(const Block& block, std::string_view text, IngestResult& result) {
  std::string tail(text);
  tail += '\n';
  size_t size = tail.size();
  tail.append(kBlockPadding, '\0');
  Block whole = block;
  whole.text = std::string_view(tail).substr(0, size);
  whole.last = false;
  IngestResult rest = ingest(whole);
  if (rest.consumed < size) {
    arrival++;
    const char* begin = tail.data() + rest.consumed;
    apply_odd_line({begin, nullptr, tail.data() + size - 1, {}, nullptr, true}, block, rest);
  }
  if (rest.bad && !result.bad) {
    result.first_bad_line += rest.first_bad_line;
    result.first_error = std::move(rest.first_error), result.first_bad_text = std::move(rest.first_bad_text);
  }
  result.lines += rest.lines, result.bad += rest.bad;
  result.consumed = block.text.size();
}

// The next lines, up to a batch. Where a head ends is known from its first plain blank, and where the line ends from
// the next newline, unless there is a quote in between.
size_t Engine::Impl::split(const char*& p, const char* end, Line* lines) {
  size_t count = 0;
  for (; count < kBatch && p < end; count++) {
    Line& line = lines[count];
    line.begin = p;
    line.series = nullptr;
    line.odd = begins_oddly(*p);
    line.head_end = line.odd ? end : find_head_end(p, end);
    if (!line.odd) {
      if (line.head_end >= end) break;
      line.odd = *line.head_end != ' ' || line.head_end[-1] == '\\';
    }
    line.end = line.odd ? find_odd_end(p, end, options.dialect) : find_end(line, end);
    if (!line.end) break;
    if (!line.odd) series.prefetch(line.hash);
    p = line.end + 1;
  }
  return count;
}

// The '\n' of a line whose head is found, and the hash of the head. A quote may hide newlines.
const char* Engine::Impl::find_end(Line& line, const char* end) {
  line.hash = series.hash_raw(line.begin, static_cast<size_t>(line.head_end - line.begin));
  const char* q = find_either(line.head_end, end, '\n', '"');
  if (q >= end) return nullptr;
  if (*q == '\n') return q;
  const char* quoted = series.find(line.hash) ? find_quoted_line_end(line.head_end + 1, end) : nullptr;
  return quoted ? quoted : find_odd_end(line.begin, end, options.dialect);
}

void Engine::Impl::find_series(Line* lines, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (lines[i].odd) continue;
    lines[i].series = series.find(lines[i].hash);
    if (lines[i].series) __builtin_prefetch(lines[i].series);
  }
}

bool Engine::Impl::scan_fields(const Line& line, Decision& decision, int64_t& time, bool& has_time,
                               const char*& fields_end) {
  items.clear();
  unused_fields = 0;
  const char* p = line.head_end + 1;
  const char* end = line.end + 1;  // the '\n' bounds every scan
  for (;;) {
    const char* eq = find_either(p, end, '=', '=');
    if (eq >= end) return false;
    auto size = static_cast<size_t>(eq - p);
    FieldEntry* entry = decision.find_raw(p, size);
    if (!entry) {
      constexpr std::string_view kNotPlain(" ,\\\"\n\r\t\v\f", 9);
      std::string_view name(p, size);
      if (size == 0 || name.find_first_of(kNotPlain) != name.npos) return false;
      decision.entry(name);
      entry = decision.find_raw(p, size);
      if (!entry) return false;
    }
    if (entry->line == arrival) return false;  // twice: the last counts
    entry->line = arrival;
    p = eq + 1;
    if (entry->targets > 0) {
      Item& item = items.emplace_back();
      item.first_target = entry->first_target, item.targets = entry->targets;
      if (!scan_value(p, end, item.value)) return false;
    } else {
      ScannedValue ignored;
      if (!scan_value(p, end, ignored)) return false;
      unused_fields++;
    }
    if (*p != ',') break;
    if (items.size() + unused_fields >= limits::kFieldsMax) return false;
    p++;
  }
  fields_end = p;
  has_time = *p == ' ';
  if (has_time && (!scan_timestamp(++p, time))) return false;
  return p == line.end;
}

void Engine::Impl::apply_line(const Line& line, const Block& block, IngestResult& result) {
  arrival++;
  if (line.odd || options.dialect == Dialect::kStrict ||
      static_cast<size_t>(line.end - line.begin) > limits::kLineBytesMax)
    return apply_odd_line(line, block, result);
  Series* found = line.series ? line.series : series.find(line.hash);
  if (!found || found->decision == &undecided) found = see(line);
  if (!found) return apply_odd_line(line, block, result);
  int64_t scanned = 0, time_ns = 0;
  bool has_time = false;
  const char* fields_end = nullptr;
  if (!scan_fields(line, *found->decision, scanned, has_time, fields_end)) return apply_odd_line(line, block, result);
  if (!line_time(scanned, has_time, block.precision, time_ns)) return apply_odd_line(line, block, result);
  if (found->resolved < found->decision->takes().size()) resolve(*found, line);
  result.lines++;
  result.first_bad_line += result.bad == 0;
  ledger.lines.read++;
  LineFate fate;
  apply_samples(*found, time_ns, fate);
  finish_line(*found, fate, line, block, fields_end, time_ns, has_time);
}

// Whatever the fast path would not judge: the full parser does.
void Engine::Impl::apply_odd_line(const Line& line, const Block& block, IngestResult& result) {
  result.first_bad_line += result.bad == 0;
  std::string_view text(line.begin, static_cast<size_t>(line.end - line.begin));
  if (text.size() > limits::kLineBytesMax)
    return note_bad(result, line, {BadLine::kTooLong, 0, "the line is longer than 1 MiB"});
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  if (is_blank(text, options.dialect)) return;
  auto point = parse_line(text, options.dialect, block.precision);
  if (!point) return note_bad(result, line, point.error());
  if (point->tags.size() > limits::kTagsMax || point->fields.size() > limits::kFieldsMax)
    return note_bad(result, line, {BadLine::kTooMany, 0, "the line has more tags or fields than the limit"});
  int64_t time_ns = 0;
  if (!line_time(point->time_ns.value_or(0), point->time_ns.has_value(), Precision::kNs, time_ns))
    return note_bad(result, line, {BadLine::kTimestamp, text.size(), "expected a timestamp: no line before has one"});
  Head head{std::move(point->name), std::move(point->tags), 0};
  Series* found = see(nullptr, head, {});
  items.clear();
  unused_fields = 0;
  for (const auto& [name, value] : point->fields) {
    const FieldEntry& entry = found->decision->entry(name);
    if (entry.targets == 0) {
      unused_fields++;
      continue;
    }
    Item& item = items.emplace_back();
    item.first_target = entry.first_target, item.targets = entry.targets;
    item.value.kind = kind_of(value);
    switch (item.value.kind) {
      case ValueKind::kFloat:
        item.value.number = std::get<double>(value);
        break;
      case ValueKind::kInt:
        item.value.integer = std::get<int64_t>(value);
        break;
      case ValueKind::kUint:
        item.value.natural = std::get<uint64_t>(value);
        break;
      case ValueKind::kBool:
        item.value.boolean = std::get<bool>(value);
        break;
      case ValueKind::kString: {
        const auto& s = std::get<std::string>(value);
        item.value.text = s.data(), item.value.text_size = static_cast<uint32_t>(s.size());
        break;
      }
    }
  }
  resolve(*found, head);
  result.lines++;
  ledger.lines.read++;
  LineFate fate;
  apply_samples(*found, time_ns, fate);
  bool has_time = point->time_ns.has_value();
  const char* fields_end = line.begin + text.size();
  while (fields_end > line.begin && (fields_end[-1] == ' ' || fields_end[-1] == '\t')) fields_end--;
  if (has_time)
    while (fields_end > line.begin && (is_digit(fields_end[-1]) || fields_end[-1] == '-')) fields_end--;
  while (fields_end > line.begin && (fields_end[-1] == ' ' || fields_end[-1] == '\t')) fields_end--;
  finish_line(*found, fate, line, block, fields_end, time_ns, has_time);
}

void Engine::Impl::note_bad(IngestResult& result, const Line& line, ParseError error) {
  ledger.lines.read++;
  ledger.lines.bad[static_cast<size_t>(error.bad)]++;
  result.lines++;
  if (result.bad++ == 0) {
    result.first_error = std::move(error);
    result.first_bad_text.assign(line.begin,
                                 std::min<size_t>(static_cast<size_t>(line.end - line.begin), kErrorTextMax));
  }
}

// Scales the time of a line, or takes the clock where it has none, and moves the data's clock on.
bool Engine::Impl::line_time(int64_t scanned, bool has_time, Precision precision, int64_t& time_ns) {
  if (!has_time) {
    if (!has_clock) return false;
    time_ns = clock_ns;
    return true;
  }
  if (precision == Precision::kNs)
    time_ns = scanned;
  else if (__builtin_mul_overflow(scanned, unit_ns(precision), &time_ns))
    return false;
  if (options.clock == ClockSource::kData && (time_ns > clock_ns || !has_clock)) set_clock(time_ns);
  return true;
}

void Engine::Impl::to_sample(const ScannedValue& value, Sample& sample) {
  sample.kind = value.kind;
  switch (value.kind) {
    case ValueKind::kFloat:
      sample.number = Number::of(value.number);
      break;
    case ValueKind::kInt:
      sample.number = Number::of(value.integer);
      break;
    case ValueKind::kUint:
      sample.number = Number::of(value.natural);
      break;
    case ValueKind::kBool:
      sample.boolean = value.boolean;
      break;
    case ValueKind::kString:
      sample.text = {value.text, value.text_size};
      if (value.escaped) {
        scratch.clear();
        for (size_t i = 0; i < sample.text.size(); i++) {
          if (sample.text[i] == '\\') i++;
          scratch += sample.text[i];
        }
        sample.text = scratch;
      }
      break;
  }
}

void Engine::Impl::apply_samples(Series& from, int64_t time_ns, LineFate& fate) {
  Decision& decision = *from.decision;
  from.last_seen_s = static_cast<uint32_t>(clock_ns / kSecondNs);
  if (items.empty()) return;
  size_t n = decision.takes().size();
  if (takes.size() < n) takes.resize(n);
  std::fill_n(takes.begin(), n, TakeLine());
  Sample sample;
  sample.time_ns = time_ns;
  sample.arrival = arrival;
  sample.series_hash = from.hash;
  for (const Item& item : items) {
    to_sample(item.value, sample);
    const Target* targets = decision.targets(item.first_target);
    bool seen = false, aggregated = false;
    Drop why = Drop::kType;
    for (uint16_t i = 0; i < item.targets; i++) {
      const Target& target = targets[i];
      TakeLine& take = takes[target.take];
      RuleEpoch& epoch = *decision.takes()[target.take].epoch;
      if (take.status == TakeLine::Status::kUnknown) {
        place(epoch, from.group(target.take), time_ns, take);
        if (take.status != TakeLine::Status::kOutside && !epoch.preview()) {
          fate.taken = true;
          if (!take.all_late) fate.all_late = false;
          fate.pass_late |= epoch.rule->late == LatePolicy::kPass;
          if (epoch.rule->drop_original && !fate.dropped) fate.dropped = true, fate.dropper = &epoch;
        }
      }
      if (take.part == TakeLine::Part::kStart && target.program->has_counter && sample.is_number())
        count_step(from, target, take, sample);
      if (take.status != TakeLine::Status::kOutside) {
        seen = true;
        take.samples++;
        if (take.part != TakeLine::Part::kOwned) {
          if (!aggregated) why = Drop::kUnowned;
        } else if (take.status == TakeLine::Status::kOpen) {
          if (apply_target(from, target, take, sample))
            aggregated = true;
          else if (!aggregated)
            why = take.full ? Drop::kLimit : sample.is_number() ? Drop::kOutOfOrder : Drop::kType;
        } else if (!aggregated) {
          why = take.status == TakeLine::Status::kLate ? Drop::kLate : Drop::kFuture;
        }
      }
      if (!target.same_state_as_next) {
        RuleLedger& counts = epoch.state.ledger;
        counts.seen += seen;
        if (aggregated)
          counts.aggregated++, count_work(take, *target.program);
        else if (seen)
          counts.dropped[static_cast<size_t>(why)]++;
        seen = aggregated = false;
      }
    }
  }
  for (size_t t = 0; t < n; t++) {
    const TakeLine& take = takes[t];
    if (take.missed == 0 && take.lateness_s == 0 && !take.folded) continue;
    RuleLedger& counts = decision.takes()[t].epoch->state.ledger;
    if (take.status == TakeLine::Status::kOpen)
      counts.windows_missed += take.samples * static_cast<uint64_t>(take.missed);
    if (take.lateness_s > 0) counts.lateness_s.add(take.lateness_s, take.samples);
    if (take.folded) counts.folded += take.samples;
  }
}

void Engine::Impl::count_step(Series& from, const Target& target, TakeLine& take, Sample& sample) {
  RuleEpoch& epoch = take.group->epoch;
  uint64_t key = 0;
  CounterEntry& entry = counter_for(from, target, epoch.state, key);
  uint64_t resets_before = epoch.state.ledger.counter_resets;
  sample.step = step_counter(epoch.state, *epoch.rule, entry, key, sample.number, sample.time_ns, clock_ns, arrival,
                             take.group->counted_since_ns);
  if (epoch.state.ledger.counter_resets != resets_before) note_resets(epoch.state);
}

void Engine::Impl::add_to_total(const Group& group, const Group::Slot& slot, const Sample& sample) {
  RunningTotal& total = *slot.total;
  RuleState& state = group.epoch.state;
  if (total.last_arrival != 0 && between_ns(total.last_clock_ns, clock_ns) >= group.epoch.rule->expire_ns)
    state.begin_total_anew(group, *slot.program, total, sample.time_ns);
  total.last_clock_ns = total.last_arrival == 0 ? clock_ns : std::max(total.last_clock_ns, clock_ns);
  total.last_arrival = arrival;
  if (!sample.step.counted) return;
  sample.step.increase.add_to(total.sum);
  if (state.epochs.size() == 1) return;
  for (auto& epoch : state.epochs)
    if (sample.time_ns >= epoch->windows.end_ns(epoch->windows.last_window()))
      sample.step.increase.add_to(epoch->totals_behind[RuleState::total_key(group, *slot.program)]);
}

// True if a function took it.
bool Engine::Impl::apply_target(Series& from, const Target& target, TakeLine& take, Sample& sample) {
  const FieldProgram& program = *target.program;
  take.full = false;
  if (!program.takes(sample.is_number())) return false;
  Group& group = *take.group;
  uint16_t index = group.slot_of(target.id);
  if (index == Group::kNoSlot) {
    index = slot_for(group, target.id);
    take.full = index == Group::kNoSlot;
    if (take.full) return false;
    take.pane = group.find_pane(take.pane_number);
  }
  const Group::Slot& slot = group.slot(index);
  CoreCell& core = take.pane->core(slot.line);
  if (program.needs == 0 && sample.is_number()) {
    core.add(sample.number);
    return true;
  }
  if (program.has_counter && sample.is_number()) {
    count_step(from, target, take, sample);
    if (slot.total && slot.total->last_arrival != arrival) add_to_total(group, slot, sample);
  }
  return add_sample(program, core, program.wide() ? &take.pane->wide(slot.line + 1) : nullptr, sample);
}

void Engine::Impl::finish_line(const Series& from, const LineFate& fate, const Line& line, const Block& block,
                               const char* fields_end, int64_t time_ns, bool has_time) {
  if (ownership && !owns_line(from, time_ns)) return void(ledger.lines.unowned++);
  if (fate.dropped && !(fate.all_late && fate.pass_late)) {
    ledger.lines.original_dropped++;
    fate.dropper->state.ledger.unused_fields += unused_fields;
    return;
  }
  ledger.lines.written_back++;
  write_back(line, block, fields_end, time_ns, has_time);
}

void Engine::Impl::write_back(const Line& line, const Block& block, const char* fields_end, int64_t time_ns,
                              bool has_time) {
  std::string& out = options.interleave ? results : written_back;
  if (block.rewrite_time && (!has_time || block.precision != Precision::kNs)) {
    out.append(line.begin, fields_end);
    out += ' ';
    out += std::to_string(time_ns);
    out += '\n';
    return;
  }
  out.append(line.begin, line.end + 1);
}

}  // namespace limpet
