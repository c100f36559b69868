#include "sharding/assignment_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <numeric>

#include "base/hash.h"
#include "sharding/codec_parts.h"
#include "sharding/invariants.h"

namespace limpet {
namespace {

constexpr std::string_view kFormat = "limpet-assignment";
constexpr int64_t kVersion = 1;
constexpr size_t kHeaderRoom = 160;  // at least as long as any header
// What the parts of a body take at most beside their texts; of a slice also beside owner, standby and since.
constexpr size_t kBodyBytes = 256, kPodBytes = 160, kHandoffBytes = 128, kMoveBytes = 128;
constexpr size_t kSliceBytes = 19 + 3 + 1 + 13;  // low, commas, a standby of -1, cutover

// With escapes. A quotation mark or backslash takes two bytes, a control character six.
size_t quoted_bytes_max(std::string_view text) {
  bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c != '"' && c != '\\'; });
  return 2 + (plain ? 1 : 6) * text.size();
}

void text_unless_empty(JsonWriter& w, std::string_view name, std::string_view text) {
  if (!text.empty()) w.key(name).value(text);
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

void write_move(JsonWriter& w, const Move& move) {
  w.begin_object();
  write_key(w, "low", move.low);
  write_end(w, "high", move.high);
  w.key("at").value(move.at_s);
  w.key("cause").value(to_string(move.cause));
  w.key("cutover").value(move.cutover_s);
  text_unless_empty(w, "from", move.from);
  text_unless_empty(w, "to", move.to);
  w.end_object();
}

void write_body(const Assignment& a, std::string& out) {
  JsonWriter w(out);
  w.begin_object();
  w.key("cluster").value(std::string_view(a.cluster));
  w.key("generation").value(a.generation);
  w.key("created").value(std::string_view(utc_text(a.created_s)));
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
}

void read_pod(JsonReader& r, AssignedPod& pod) {
  r.object({{"name", [&] { pod.name = read_pod_name(r); }},
            {"incarnation", [&] { pod.incarnation = r.text(); }},
            {"address", [&] { pod.address = r.text(); }, false},
            {"zone", [&] { pod.zone = r.text(); }, false},
            {"state", [&] { pod.state = read_pod_state(r, PodState::kDead); }},
            {"host", [&] { pod.host = r.text(); }, false},
            {"revision", [&] { pod.revision = r.text(); }, false},
            {"weight", [&] { pod.weight = r.number(0, 1e9); }, false},
            {"since", [&] { pod.since_s = r.integer(0, kSecondsMax); }, false}});
}

void read_slices(JsonReader& r, Slices& slices) {
  r.object(
      {{"low", [&] { r.array([&] { slices.low.push_back(read_key(r)); }); }},
       {"owner", [&] { r.array([&] { slices.owner.push_back(static_cast<uint32_t>(r.integer(0, INT32_MAX))); }); }},
       {"standby", [&] { r.array([&] { slices.standby.push_back(static_cast<int32_t>(r.integer(-1, INT32_MAX))); }); }},
       {"since", [&] { r.array([&] { slices.since.push_back(read_generation(r, 0)); }); }},
       {"cutover", [&] { r.array([&] { slices.cutover_s.push_back(r.integer(0, kSecondsMax)); }); }}});
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
  r.object({{"low", [&] { move.low = read_key(r); }},
            {"high", [&] { move.high = read_end(r); }},
            {"at", [&] { move.at_s = r.integer(0, kSecondsMax); }},
            {"cause", [&] { move.cause = move_cause(r); }},
            {"cutover", [&] { move.cutover_s = r.integer(0, kSecondsMax), cutover = true; }, false},
            {"from", [&] { move.from = r.text(); }, false},
            {"to", [&] { move.to = r.text(); }, false}});
  if (!cutover) move.cutover_s = move.at_s;
  check_range(r, move.low, move.high);
}

// "2026-11-20T12:00:00Z" to Unix seconds. Exactly what utc_text() writes: a month 13 or a 30th of February is an error.
int64_t read_created(JsonReader& r) {
  std::string_view text = r.text();
  if (r.failed()) return 0;
  constexpr std::string_view kShape = "0000-00-00T00:00:00Z";
  constexpr size_t kPlaces[][2] = {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}};
  int n[6] = {};
  for (size_t i = 0; i < 6 && text.size() == kShape.size(); i++)
    std::from_chars(text.data() + kPlaces[i][0], text.data() + kPlaces[i][0] + kPlaces[i][1], n[i]);
  tm t{};
  t.tm_year = n[0] - 1900, t.tm_mon = n[1] - 1, t.tm_mday = n[2], t.tm_hour = n[3], t.tm_min = n[4], t.tm_sec = n[5];
  int64_t seconds = ::timegm(&t);
  if (seconds >= 0 && seconds <= kSecondsMax && utc_text(seconds) == text) return seconds;
  r.fail("expected a time such as 2026-11-20T12:00:00Z");
  return 0;
}

Assignment read_body(JsonReader& r) {
  Assignment a;
  r.object({{"cluster", [&] { a.cluster = r.text(); }},
            {"generation", [&] { a.generation = read_generation(r, 1); }},
            {"created", [&] { a.created_s = read_created(r); }},
            {"cause", [&] { r.array([&] { a.cause.emplace_back(r.text()); }); }, false},
            {"pods", [&] { r.array([&] { read_pod(r, a.pods.emplace_back()); }); }},
            {"slices", [&] { read_slices(r, a.slices); }},
            {"handoffs", [&] { r.array([&] { read_handoff(r, a.handoffs.emplace_back()); }); }, false},
            {"moved", [&] { r.array([&] { read_move(r, a.moved.emplace_back()); }); }, false}});
  return a;
}

std::string columns_fault(const Slices& s) {
  if (s.low.empty()) return "slices.low: expected at least one slice";
  for (auto [name, size] : {std::pair("owner", s.owner.size()),
                            {"standby", s.standby.size()},
                            {"since", s.since.size()},
                            {"cutover", s.cutover_s.size()}})
    if (size != s.low.size())
      return fmt::format("slices.{}: expected {} elements as in slices.low, not {}", name, s.low.size(), size);
  return {};
}

std::string slice_fault(const Assignment& a, size_t i) {
  const Slices& s = a.slices;
  if (i == 0 && s.low[0] != 0) return "slices.low[0]: expected 0000000000000000";
  if (i > 0 && s.low[i] <= s.low[i - 1])
    return fmt::format("slices.low[{}]: expected more than {:016x} before it", i, s.low[i - 1]);
  if (s.owner[i] >= a.pods.size())
    return fmt::format("slices.owner[{}]: there is no pod {}, only {}", i, s.owner[i], a.pods.size());
  if (s.standby[i] != kNoPod && static_cast<size_t>(s.standby[i]) >= a.pods.size())
    return fmt::format("slices.standby[{}]: there is no pod {}, only {}", i, s.standby[i], a.pods.size());
  if (s.standby[i] == static_cast<int32_t>(s.owner[i])) return fmt::format("slices.standby[{}]: is the owner", i);
  if (s.since[i] > a.generation)
    return fmt::format("slices.since[{}]: {} is above the generation {}", i, s.since[i], a.generation);
  return {};
}

// What is wrong with the structure, with the path of it; empty: nothing. check_structure sees the same, but knows the
// assignment in memory only, not where it stands in a file.
std::string structure_fault(const Assignment& a) {
  if (std::string fault = columns_fault(a.slices); !fault.empty()) return fault;
  for (size_t i = 0; i < a.slices.size(); i++)
    if (std::string fault = slice_fault(a, i); !fault.empty()) return fault;
  return {};
}

// Pods may stand in any order in a file; here they are sorted, and what points to them follows. What is wrong: two of
// the same name.
std::string sort_pods(Assignment& a) {
  std::vector<uint32_t> order(a.pods.size()), place(a.pods.size());
  std::iota(order.begin(), order.end(), 0u);
  auto name = [&](uint32_t i) -> const std::string& { return a.pods[i].name; };
  std::stable_sort(order.begin(), order.end(), [&](uint32_t x, uint32_t y) { return name(x) < name(y); });
  auto twice =
      std::adjacent_find(order.begin(), order.end(), [&](uint32_t x, uint32_t y) { return name(x) == name(y); });
  if (twice != order.end()) return fmt::format("pods[{}].name: \"{}\" stands there twice", twice[1], name(*twice));
  if (std::is_sorted(order.begin(), order.end())) return {};
  std::vector<AssignedPod> sorted;
  for (uint32_t i = 0; i < order.size(); i++) sorted.push_back(std::move(a.pods[order[i]])), place[order[i]] = i;
  a.pods = std::move(sorted);
  for (uint32_t& owner : a.slices.owner) owner = place[owner];
  for (int32_t& standby : a.slices.standby)
    if (standby != kNoPod) standby = static_cast<int32_t>(place[static_cast<size_t>(standby)]);
  return {};
}

std::expected<Assignment, std::string> decode_body(std::string_view body, uint64_t generation) {
  JsonReader r(body);
  Assignment a = read_body(r);
  if (r.failed()) return std::unexpected(r.error());
  if (a.generation != generation)
    return std::unexpected(fmt::format("generation: {}, but {} in line 1", a.generation, generation));
  if (std::string fault = structure_fault(a); !fault.empty()) return std::unexpected(fault);
  if (std::string fault = sort_pods(a); !fault.empty()) return std::unexpected(fault);
  if (auto broken = check_structure(a); !broken.empty()) return std::unexpected(broken.front());
  return a;
}

struct Header {
  uint64_t generation = 0, bytes = 0, xxh3 = 0;
};

// Another format or version is named as such, whatever else such a header may hold.
std::string foreign(std::string_view line) {
  std::string format;
  uint64_t version = 0;
  JsonReader r(line);
  r.object({{"format", [&] { format = r.text(); }}, {"version", [&] { version = r.natural(); }}});
  if (r.failed()) return r.error();
  if (format != kFormat) return fmt::format("format: expected \"{}\", not \"{}\"", kFormat, format);
  if (version != kVersion) return fmt::format("version: {} is not known here, only {}", version, kVersion);
  return {};
}

std::expected<Header, std::string> decode_header(std::string_view line) {
  if (std::string fault = foreign(line); !fault.empty()) return std::unexpected(fault);
  Header h;
  JsonReader r(line);
  r.object({{"generation", [&] { h.generation = read_generation(r, 1); }},
            {"bytes", [&] { h.bytes = r.natural(); }},
            {"xxh3", [&] { h.xxh3 = read_key(r); }}});
  if (r.failed()) return std::unexpected(r.error());
  return h;
}

}  // namespace

// The body is written behind room for the header, whose length is known last.
std::string encode(const Assignment& a) {
  std::string out(kHeaderRoom, '\0');
  out.reserve(kHeaderRoom + 64 * a.slices.size() + 160 * (a.pods.size() + a.moved.size() + a.handoffs.size()) + 1024);
  write_body(a, out);
  std::string_view body = std::string_view(out).substr(kHeaderRoom);
  std::string header =
      fmt::format("{{\"format\":\"{}\",\"version\":{},\"generation\":{},\"bytes\":{},\"xxh3\":\"{:016x}\"}}\n", kFormat,
                  kVersion, a.generation, body.size(), hash64(body));
  out += '\n';
  out.replace(0, kHeaderRoom, header);
  return out;
}

size_t encoded_bytes_max(const Move& move) {
  return kMoveBytes + quoted_bytes_max(move.from) + quoted_bytes_max(move.to);
}

size_t encoded_bytes_max(const Assignment& a) {
  size_t slice = kSliceBytes + 2 * fmt::formatted_size("{}", a.pods.size()) + fmt::formatted_size("{}", a.generation);
  size_t bytes = kHeaderRoom + kBodyBytes + quoted_bytes_max(a.cluster) + slice * a.slices.size();
  for (const std::string& cause : a.cause) bytes += 1 + quoted_bytes_max(cause);
  for (const AssignedPod& pod : a.pods)
    bytes += kPodBytes + quoted_bytes_max(pod.name) + quoted_bytes_max(pod.incarnation) +
             quoted_bytes_max(pod.address) + quoted_bytes_max(pod.zone) + quoted_bytes_max(pod.host) +
             quoted_bytes_max(pod.revision);
  for (const Handoff& handoff : a.handoffs)
    bytes += kHandoffBytes + quoted_bytes_max(handoff.from_name) + quoted_bytes_max(handoff.from_incarnation);
  for (const Move& move : a.moved) bytes += encoded_bytes_max(move);
  return bytes;
}

std::expected<Assignment, std::string> decode_assignment(std::string_view file) {
  if (file.size() > kAssignmentBytesMax)
    return std::unexpected(fmt::format("longer than {} bytes", kAssignmentBytesMax));
  size_t newline = file.find('\n');
  if (newline > kHeaderBytesMax)  // also if there is none
    return std::unexpected(fmt::format("line 1: is not a whole header of at most {} bytes", kHeaderBytesMax));
  auto header = decode_header(file.substr(0, newline));
  if (!header) return std::unexpected("line 1: " + header.error());
  std::string_view body = file.substr(newline + 1);
  if (body.empty() || body.size() - 1 != header->bytes || body.back() != '\n')
    return std::unexpected(
        fmt::format("line 2: expected {} bytes and a newline, not {} bytes", header->bytes, body.size()));
  body.remove_suffix(1);
  if (hash64(body) != header->xxh3)
    return std::unexpected(
        fmt::format("line 2: its checksum is {:016x}, not {:016x} as in line 1", hash64(body), header->xxh3));
  auto decoded = decode_body(body, header->generation);
  if (!decoded) return std::unexpected("line 2: " + decoded.error());
  return decoded;
}

bool looks_like_assignment(std::string_view file) {
  std::string_view start = file.substr(0, kHeaderBytesMax);
  return names_format(start.substr(0, start.find('\n')), kFormat);
}

}  // namespace limpet
