#include <algorithm>

#include "sharding/assignment_codec.h"
#include "sharding/codec_parts.h"

namespace limpet {
namespace {

constexpr std::string_view kFormat = "limpet-report";
constexpr uint64_t kVersion = 1;
constexpr double kRateMax = 1e15;
constexpr double kSharesMin = 1e-6, kSharesMax = 1e6;  // of weight and capacity

void write_loads(JsonWriter& w, const PodReport& p) {
  w.key("slices").begin_array();
  for (const SliceLoad& s : p.slices) {
    w.begin_object();
    write_key(w, "low", s.low);
    w.key("samples_per_s").value(s.samples_per_s), w.key("cpu").value(s.cpu);
    w.key("state_bytes").value(s.state_bytes), w.key("groups").value(s.groups);
    w.end_object();
  }
  w.end_array();
  w.key("hot_keys").begin_array();
  for (const HotKey& h : p.hot_keys) {
    w.begin_object();
    write_key(w, "key", h.key);
    w.key("samples_per_s").value(h.samples_per_s), w.key("cpu").value(h.cpu);
    w.end_object();
  }
  w.end_array();
}

void read_slice(JsonReader& r, SliceLoad& s) {
  r.object({{"low", [&] { s.low = read_key(r); }},
            {"samples_per_s", [&] { s.samples_per_s = r.number(0, kRateMax); }, false},
            {"cpu", [&] { s.cpu = r.number(0, kRateMax); }, false},
            {"state_bytes", [&] { s.state_bytes = r.natural(); }, false},
            {"groups", [&] { s.groups = r.natural(); }, false}});
}

void read_hot_key(JsonReader& r, HotKey& h) {
  r.object({{"key", [&] { h.key = read_key(r); }},
            {"samples_per_s", [&] { h.samples_per_s = r.number(0, kRateMax); }, false},
            {"cpu", [&] { h.cpu = r.number(0, kRateMax); }, false}});
}

// The first thing to be wrong with a foreign file is that it is one.
void read_format(JsonReader& r) {
  std::string_view format = r.text();
  if (!r.failed() && format != kFormat) r.fail(fmt::format("expected \"{}\", not \"{}\"", kFormat, format));
}

void read_version(JsonReader& r) {
  uint64_t version = r.natural();
  if (!r.failed() && version != kVersion) r.fail(fmt::format("{} is not known here, only {}", version, kVersion));
}

void read_report(JsonReader& r, PodReport& p) {
  r.object({{"format", [&] { read_format(r); }},
            {"version", [&] { read_version(r); }},
            {"name", [&] { p.name = read_pod_name(r); }},
            {"incarnation", [&] { p.incarnation = r.text(); }},
            {"sequence", [&] { p.sequence = r.natural(); }},
            {"address", [&] { p.address = r.text(); }, false},
            {"zone", [&] { p.zone = r.text(); }, false},
            {"host", [&] { p.host = r.text(); }, false},
            {"revision", [&] { p.revision = r.text(); }, false},
            {"weight", [&] { p.weight = r.number(kSharesMin, kSharesMax); }, false},
            {"rules", [&] { p.rules = r.text(); }, false},
            {"started", [&] { p.started_s = r.integer(0, kSecondsMax); }, false},
            {"capacity", [&] { p.capacity = r.number(kSharesMin, kSharesMax); }, false},
            {"cpu", [&] { p.cpu = r.number(0, kRateMax); }, false},
            {"memory", [&] { p.memory = r.natural(); }, false},
            {"memory_limit", [&] { p.memory_limit = r.natural(); }, false},
            {"state", [&] { p.state = read_pod_state(r, PodState::kDrained); }},
            {"generation", [&] { p.generation = read_generation(r, 0); }, false},
            {"slices", [&] { r.array([&] { read_slice(r, p.slices.emplace_back()); }); }, false},
            {"hot_keys", [&] { r.array([&] { read_hot_key(r, p.hot_keys.emplace_back()); }); }, false},
            {"handoffs", [&] { r.array([&] { read_handoff(r, p.handoffs.emplace_back()); }); }, false}});
}

}  // namespace

std::string encode(const PodReport& p) {
  std::string out;
  JsonWriter w(out);
  auto text = [&](std::string_view name, std::string_view value) { w.key(name).value(value); };
  w.begin_object();
  text("format", kFormat);
  w.key("version").value(kVersion);
  text("name", p.name), text("incarnation", p.incarnation);
  w.key("sequence").value(p.sequence);
  text("address", p.address), text("zone", p.zone), text("host", p.host), text("revision", p.revision);
  w.key("weight").value(p.weight);
  text("rules", p.rules);
  w.key("started").value(p.started_s);
  w.key("capacity").value(p.capacity), w.key("cpu").value(p.cpu);
  w.key("memory").value(p.memory), w.key("memory_limit").value(p.memory_limit);
  text("state", to_string(p.state));
  w.key("generation").value(p.generation);
  write_loads(w, p);
  write_handoffs(w, p.handoffs);
  w.end_object();
  return out + "\n";
}

std::expected<PodReport, std::string> decode_report(std::string_view file) {
  if (file.size() > kReportBytesMax) return std::unexpected(fmt::format("longer than {} bytes", kReportBytesMax));
  if (!file.ends_with('\n')) return std::unexpected("is not whole: it does not end with a newline");
  PodReport p;
  JsonReader r(file.substr(0, file.size() - 1));
  read_report(r, p);
  if (r.failed()) return std::unexpected(r.error());
  std::sort(p.slices.begin(), p.slices.end(), [](const SliceLoad& a, const SliceLoad& b) { return a.low < b.low; });
  auto twice = std::adjacent_find(p.slices.begin(), p.slices.end(),
                                  [](const SliceLoad& a, const SliceLoad& b) { return a.low == b.low; });
  if (twice != p.slices.end()) return std::unexpected(fmt::format("slices: {:016x} stands there twice", twice->low));
  return p;
}

bool looks_like_report(std::string_view file) { return names_format(file.substr(0, kHeaderBytesMax), kFormat); }

}  // namespace limpet
