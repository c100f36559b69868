#include "sharding/assignment_codec.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <numeric>

#include "base/hash.h"
#include "sharding/json_reader.h"
#include "sharding/json_writer.h"

namespace limpet {
namespace {

constexpr std::string_view kFormat = "limpet-assignment";
constexpr int64_t kVersion = 1;
constexpr std::string_view kEndOfSpace = "10000000000000000";  // 2^64

std::string utc(int64_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<time_t>(seconds)));
}

void text_unless_empty(JsonWriter& w, std::string_view name, std::string_view text) {
  if (!text.empty()) w.key(name).value(text);
}

void border(JsonWriter& w, std::string_view name, uint64_t key, bool high) {
  w.key(name);
  if (high && key == 0)
    w.value(kEndOfSpace);
  else
    w.hex(key);
}

void write_pod(JsonWriter& w, const AssignedPod& pod) {
  w.begin_object();
  w.key("name").value(std::string_view(pod.name));
  w.key("incarnation").value(std::string_view(pod.incarnation));
  w.key("address").value(std::string_view(pod.address));
  w.key("zone").value(std::string_view(pod.zone));
  w.key("state").value(to_string(pod.state));
  text_unless_empty(w, "host", pod.host);
  text_unless_empty(w, "revision", pod.revision);
  if (pod.weight != 1) w.key("weight").value(pod.weight);
  if (pod.since_s != 0) w.key("since").value(pod.since_s);
  w.end_object();
}

template <typename Column, typename Write>
void write_column(JsonWriter& w, std::string_view name, const Column& column, Write write) {
  w.key(name).begin_array();
  for (auto each : column) write(each);
  w.end_array();
}

void write_handoffs(JsonWriter& w, const std::vector<Handoff>& handoffs) {
  w.key("handoffs").begin_array();
  for (const Handoff& handoff : handoffs) {
    w.begin_object();
    border(w, "low", handoff.low, false);
    border(w, "high", handoff.high, true);
    w.key("from").begin_object();
    w.key("name").value(std::string_view(handoff.from_name));
    w.key("incarnation").value(std::string_view(handoff.from_incarnation));
    w.end_object();
    w.key("generation").value(handoff.generation);
    w.end_object();
  }
  w.end_array();
}

void write_move(JsonWriter& w, const Move& move) {
  w.begin_object();
  border(w, "low", move.low, false);
  border(w, "high", move.high, true);
  w.key("at").value(move.at_s);
  w.key("cause").value(to_string(move.cause));
  w.key("cutover").value(move.cutover_s);
  text_unless_empty(w, "from", move.from);
  text_unless_empty(w, "to", move.to);
  w.end_object();
}

std::string body_of(const Assignment& a) {
  std::string out;
  out.reserve(64 * a.slices.size() + 160 * a.pods.size() + 160 * a.moved.size() + 1024);
  JsonWriter w(out);
  w.begin_object();
  w.key("cluster").value(std::string_view(a.cluster));
  w.key("generation").value(a.generation);
  w.key("created").value(std::string_view(utc(a.created_s)));
  w.key("cause").begin_array();
  for (const std::string& cause : a.cause) w.value(std::string_view(cause));
  w.end_array();
  w.key("pods").begin_array();
  for (const AssignedPod& pod : a.pods) write_pod(w, pod);
  w.end_array();
  w.key("slices").begin_object();
  auto number = [&](auto v) { w.value(v); };
  write_column(w, "low", a.slices.low, [&](uint64_t v) { w.hex(v); });
  write_column(w, "owner", a.slices.owner, number);
  write_column(w, "standby", a.slices.standby, number);
  write_column(w, "since", a.slices.since, number);
  write_column(w, "cutover", a.slices.cutover_s, number);
  w.end_object();
  write_handoffs(w, a.handoffs);
  w.key("moved").begin_array();
  for (const Move& move : a.moved) write_move(w, move);
  w.end_array();
  w.end_object();
  return out;
}

PodState pod_state(JsonReader& r, bool dead_too) {
  std::string_view text = r.text();
  for (int s = 0; s <= static_cast<int>(dead_too ? PodState::kDead : PodState::kDrained); s++)
    if (to_string(PodState(s)) == text) return PodState(s);
  r.fail(fmt::format("expected starting, ready, draining{} drained{}", dead_too ? "," : " or",
                     dead_too ? " or dead" : ""));
  return PodState::kDead;
}

uint64_t border(JsonReader& r, bool high) {
  std::string_view text = r.text();
  if (high && text == kEndOfSpace) return 0;
  uint64_t key = 0;
  if (!parse_hex(text, key)) r.fail("expected 16 lower-case hexadecimal digits");
  if (high && key == 0 && !r.failed()) r.fail("a range cannot end at 0");
  return key;
}

void read_pod(JsonReader& r, AssignedPod& pod) {
  r.object({{"name", [&] { pod.name = r.text(); }},
            {"incarnation", [&] { pod.incarnation = r.text(); }},
            {"address", [&] { pod.address = r.text(); }, false},
            {"zone", [&] { pod.zone = r.text(); }, false},
            {"state", [&] { pod.state = pod_state(r, true); }},
            {"host", [&] { pod.host = r.text(); }, false},
            {"revision", [&] { pod.revision = r.text(); }, false},
            {"weight", [&] { pod.weight = r.number(0, 1e9); }, false},
            {"since", [&] { pod.since_s = r.integer(0, kSecondsMax); }, false}});
}

void read_slices(JsonReader& r, Slices& slices) {
  r.object(
      {{"low", [&] { r.array([&] { slices.low.push_back(border(r, false)); }); }},
       {"owner", [&] { r.array([&] { slices.owner.push_back(static_cast<uint32_t>(r.integer(0, INT32_MAX))); }); }},
       {"standby", [&] { r.array([&] { slices.standby.push_back(static_cast<int32_t>(r.integer(-1, INT32_MAX))); }); }},
       {"since", [&] { r.array([&] { slices.since.push_back(r.natural()); }); }},
       {"cutover", [&] { r.array([&] { slices.cutover_s.push_back(r.integer(0, kSecondsMax)); }); }}});
}

void read_handoff(JsonReader& r, Handoff& handoff) {
  r.object({{"low", [&] { handoff.low = border(r, false); }},
            {"high", [&] { handoff.high = border(r, true); }},
            {"from",
             [&] {
               r.object({{"name", [&] { handoff.from_name = r.text(); }},
                         {"incarnation", [&] { handoff.from_incarnation = r.text(); }}});
             }},
            {"generation", [&] { handoff.generation = r.natural(); }}});
}

MoveCause move_cause(JsonReader& r) {
  std::string_view text = r.text();
  for (int c = 0; c <= static_cast<int>(MoveCause::kMerge); c++)
    if (to_string(MoveCause(c)) == text) return MoveCause(c);
  r.fail("expected death, drain, fill, balance or merge");
  return MoveCause::kBalance;
}

void read_move(JsonReader& r, Move& move) {
  bool cutover = false;
  r.object({{"low", [&] { move.low = border(r, false); }},
            {"high", [&] { move.high = border(r, true); }},
            {"at", [&] { move.at_s = r.integer(0, kSecondsMax); }},
            {"cause", [&] { move.cause = move_cause(r); }},
            {"cutover", [&] { move.cutover_s = r.integer(0, kSecondsMax), cutover = true; }, false},
            {"from", [&] { move.from = r.text(); }, false},
            {"to", [&] { move.to = r.text(); }, false}});
  if (!cutover) move.cutover_s = move.at_s;
}

// "2026-11-20T12:00:00Z" to Unix seconds.
int64_t created(JsonReader& r) {
  std::string text(r.text());
  tm t{};
  int read = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min,
                  &t.tm_sec, &read) != 6 ||
      static_cast<size_t>(read) != text.size()) {
    r.fail("expected a time such as 2026-11-20T12:00:00Z");
    return 0;
  }
  t.tm_year -= 1900, t.tm_mon -= 1;
  return ::timegm(&t);
}

Assignment read_body(JsonReader& r) {
  Assignment a;
  r.object({{"cluster", [&] { a.cluster = r.text(); }},
            {"generation", [&] { a.generation = r.natural(); }},
            {"created", [&] { a.created_s = created(r); }},
            {"cause", [&] { r.array([&] { a.cause.emplace_back(r.text()); }); }, false},
            {"pods", [&] { r.array([&] { read_pod(r, a.pods.emplace_back()); }); }},
            {"slices", [&] { read_slices(r, a.slices); }},
            {"handoffs", [&] { r.array([&] { read_handoff(r, a.handoffs.emplace_back()); }); }, false},
            {"moved", [&] { r.array([&] { read_move(r, a.moved.emplace_back()); }); }, false}});
  return a;
}

// Pods may stand in any order in a file; here they are sorted, and what points to them follows.
void sort_pods(Assignment& a) {
  if (std::is_sorted(a.pods.begin(), a.pods.end(), [](const auto& x, const auto& y) { return x.name < y.name; }))
    return;
  std::vector<uint32_t> order(a.pods.size()), place(a.pods.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t x, uint32_t y) { return a.pods[x].name < a.pods[y].name; });
  std::vector<AssignedPod> sorted;
  for (uint32_t i = 0; i < order.size(); i++) sorted.push_back(std::move(a.pods[order[i]])), place[order[i]] = i;
  a.pods = std::move(sorted);
  for (uint32_t& owner : a.slices.owner) owner = place[owner];
  for (int32_t& standby : a.slices.standby)
    if (standby != kNoPod) standby = static_cast<int32_t>(place[static_cast<size_t>(standby)]);
}

// What is wrong with the structure, with the path of it; empty: nothing.
std::string fault_of(const Assignment& a) {
  const Slices& s = a.slices;
  if (s.low.empty()) return "slices.low: expected at least one slice";
  if (s.low[0] != 0) return "slices.low[0]: expected 0000000000000000";
  for (auto [name, size] : {std::pair("owner", s.owner.size()),
                            {"standby", s.standby.size()},
                            {"since", s.since.size()},
                            {"cutover", s.cutover_s.size()}})
    if (size != s.low.size())
      return fmt::format("slices.{}: expected {} elements as in slices.low, not {}", name, s.low.size(), size);
  for (size_t i = 0; i < s.size(); i++) {
    if (i > 0 && s.low[i] <= s.low[i - 1])
      return fmt::format("slices.low[{}]: expected more than slices.low[{}]", i, i - 1);
    if (s.owner[i] >= a.pods.size()) return fmt::format("slices.owner[{}]: there is no pod {}", i, s.owner[i]);
    if (s.standby[i] != kNoPod && static_cast<size_t>(s.standby[i]) >= a.pods.size())
      return fmt::format("slices.standby[{}]: there is no pod {}", i, s.standby[i]);
    if (s.standby[i] == static_cast<int32_t>(s.owner[i])) return fmt::format("slices.standby[{}]: is the owner", i);
    if (s.since[i] > a.generation) return fmt::format("slices.since[{}]: is above the generation", i);
  }
  std::vector<std::string_view> names;
  for (const AssignedPod& pod : a.pods) names.push_back(pod.name);
  std::sort(names.begin(), names.end());
  if (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    return fmt::format("pods: \"{}\" stands there twice", *twice);
  return {};
}

struct Header {
  std::string format;
  int64_t version = 0;
  uint64_t generation = 0, bytes = 0, xxh3 = 0;
};

std::expected<Header, std::string> read_header(std::string_view line) {
  Header h;
  JsonReader r(line);
  r.object({{"format", [&] { h.format = r.text(); }},
            {"version", [&] { h.version = r.integer(0, INT32_MAX); }, false},
            {"generation", [&] { h.generation = r.natural(); }, false},
            {"bytes", [&] { h.bytes = r.natural(); }, false},
            {"xxh3", [&] { h.xxh3 = border(r, false); }, false}});
  if (r.failed()) return std::unexpected("line 1: " + r.error());
  if (h.format != kFormat)
    return std::unexpected(fmt::format("line 1: expected format \"{}\", not \"{}\"", kFormat, h.format));
  if (h.version != kVersion)
    return std::unexpected(fmt::format("line 1: version {} is not known here, only {}", h.version, kVersion));
  return h;
}

}  // namespace

std::string encode(const Assignment& a) {
  std::string body = body_of(a);
  std::string out =
      fmt::format("{{\"format\":\"{}\",\"version\":{},\"generation\":{},\"bytes\":{},\"xxh3\":\"{:016x}\"}}\n", kFormat,
                  kVersion, a.generation, body.size(), hash64(body));
  out.reserve(out.size() + body.size() + 1);
  return out.append(body).append("\n");
}

std::expected<Assignment, std::string> decode_assignment(std::string_view file) {
  if (file.size() > kAssignmentBytesMax)
    return std::unexpected(fmt::format("longer than {} bytes", kAssignmentBytesMax));
  size_t newline = file.find('\n');
  if (newline == file.npos) return std::unexpected("line 1: is not whole");
  auto header = read_header(file.substr(0, newline));
  if (!header) return std::unexpected(header.error());
  std::string_view body = file.substr(newline + 1);
  if (body.size() != header->bytes + 1 || body.back() != '\n')
    return std::unexpected(
        fmt::format("line 2: expected {} bytes and a newline, not {} bytes", header->bytes, body.size()));
  body.remove_suffix(1);
  if (hash64(body) != header->xxh3) return std::unexpected("line 2: does not match the checksum of line 1");
  JsonReader r(body);
  Assignment a = read_body(r);
  if (r.failed()) return std::unexpected("line 2: " + r.error());
  if (a.generation != header->generation)
    return std::unexpected(fmt::format("line 2: generation {}, but {} in line 1", a.generation, header->generation));
  if (std::string fault = fault_of(a); !fault.empty()) return std::unexpected("line 2: " + fault);
  sort_pods(a);
  return a;
}

std::string encode(const PodReport& p) {
  std::string out;
  JsonWriter w(out);
  auto text = [&](std::string_view name, const std::string& value) { w.key(name).value(std::string_view(value)); };
  w.begin_object();
  text("format", "limpet-report");
  w.key("version").value(1);
  text("name", p.name), text("incarnation", p.incarnation);
  w.key("sequence").value(p.sequence);
  text("address", p.address), text("zone", p.zone), text("host", p.host), text("revision", p.revision);
  w.key("weight").value(p.weight);
  text("rules", p.rules);
  w.key("started").value(p.started_s);
  w.key("capacity").value(p.capacity), w.key("cpu").value(p.cpu);
  w.key("memory").value(p.memory), w.key("memory_limit").value(p.memory_limit);
  w.key("state").value(to_string(p.state));
  w.key("generation").value(p.generation);
  w.key("slices").begin_array();
  for (const SliceLoad& s : p.slices) {
    w.begin_object();
    border(w, "low", s.low, false);
    w.key("samples_per_s").value(s.samples_per_s), w.key("cpu").value(s.cpu);
    w.key("state_bytes").value(s.state_bytes), w.key("groups").value(s.groups);
    w.end_object();
  }
  w.end_array();
  w.key("hot_keys").begin_array();
  for (const HotKey& h : p.hot_keys) {
    w.begin_object();
    border(w, "key", h.key, false);
    w.key("samples_per_s").value(h.samples_per_s), w.key("cpu").value(h.cpu);
    w.end_object();
  }
  w.end_array();
  write_handoffs(w, p.handoffs);
  w.end_object();
  return out + "\n";
}

std::expected<PodReport, std::string> decode_report(std::string_view file) {
  constexpr double kMany = 1e15;
  if (file.size() > kReportBytesMax) return std::unexpected(fmt::format("longer than {} bytes", kReportBytesMax));
  if (!file.ends_with('\n')) return std::unexpected("is not whole: it does not end with a newline");
  PodReport p;
  std::string format;
  JsonReader r(file.substr(0, file.size() - 1));
  auto slice = [&](SliceLoad& s) {
    r.object({{"low", [&] { s.low = border(r, false); }},
              {"samples_per_s", [&] { s.samples_per_s = r.number(0, kMany); }, false},
              {"cpu", [&] { s.cpu = r.number(0, kMany); }, false},
              {"state_bytes", [&] { s.state_bytes = r.natural(); }, false},
              {"groups", [&] { s.groups = r.natural(); }, false}});
  };
  auto hot_key = [&](HotKey& h) {
    r.object({{"key", [&] { h.key = border(r, false); }},
              {"samples_per_s", [&] { h.samples_per_s = r.number(0, kMany); }, false},
              {"cpu", [&] { h.cpu = r.number(0, kMany); }, false}});
  };
  r.object({{"format", [&] { format = r.text(); }},
            {"version", [&] { r.integer(1, 1); }},
            {"name", [&] { p.name = r.text(); }},
            {"incarnation", [&] { p.incarnation = r.text(); }},
            {"sequence", [&] { p.sequence = r.natural(); }},
            {"address", [&] { p.address = r.text(); }, false},
            {"zone", [&] { p.zone = r.text(); }, false},
            {"host", [&] { p.host = r.text(); }, false},
            {"revision", [&] { p.revision = r.text(); }, false},
            {"weight", [&] { p.weight = r.number(1e-6, 1e6); }, false},
            {"rules", [&] { p.rules = r.text(); }, false},
            {"started", [&] { p.started_s = r.integer(0, kSecondsMax); }, false},
            {"capacity", [&] { p.capacity = r.number(1e-6, 1e6); }, false},
            {"cpu", [&] { p.cpu = r.number(0, kMany); }, false},
            {"memory", [&] { p.memory = r.natural(); }, false},
            {"memory_limit", [&] { p.memory_limit = r.natural(); }, false},
            {"state", [&] { p.state = pod_state(r, false); }},
            {"generation", [&] { p.generation = r.natural(); }, false},
            {"slices", [&] { r.array([&] { slice(p.slices.emplace_back()); }); }, false},
            {"hot_keys", [&] { r.array([&] { hot_key(p.hot_keys.emplace_back()); }); }, false},
            {"handoffs", [&] { r.array([&] { read_handoff(r, p.handoffs.emplace_back()); }); }, false}});
  if (r.failed()) return std::unexpected(r.error());
  if (format != "limpet-report") return std::unexpected("expected format \"limpet-report\", not \"" + format + "\"");
  std::sort(p.slices.begin(), p.slices.end(), [](const SliceLoad& a, const SliceLoad& b) { return a.low < b.low; });
  return p;
}

}  // namespace limpet
