#include "sharding/codec_parts.h"

#include <fmt/chrono.h>

#include <ctime>

#include "sharding/assignment_codec.h"
#include "sharding/key.h"
#include "sharding/pod_name.h"

namespace limpet {
void write_key(JsonWriter& w, std::string_view name, uint64_t key) { w.key(name).hex(key); }

void write_end(JsonWriter& w, std::string_view name, uint64_t key) {
  if (key == 0)
    w.key(name).value(kEndOfSpace);
  else
    w.key(name).hex(key);
}

void write_handoffs(JsonWriter& w, const std::vector<Handoff>& handoffs) {
  w.key("handoffs").begin_array();
  for (const Handoff& handoff : handoffs) {
    w.begin_object();
    write_key(w, "low", handoff.low);
    write_end(w, "high", handoff.high);
    w.key("from").begin_object();
    w.key("name").value(std::string_view(handoff.from_name));
    w.key("incarnation").value(std::string_view(handoff.from_incarnation));
    w.end_object();
    w.key("generation").value(handoff.generation);
    w.end_object();
  }
  w.end_array();
}

std::string utc_text(int64_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<time_t>(seconds)));
}

uint64_t read_key(JsonReader& r) {
  uint64_t key = 0;
  std::string_view text = r.text();
  if (!r.failed() && !parse_hex(text, key)) r.fail("expected 16 lower-case hexadecimal digits");
  return key;
}

uint64_t read_end(JsonReader& r) {
  uint64_t key = 0;
  std::string_view text = r.text();
  if (r.failed() || text == kEndOfSpace) return 0;
  if (!parse_hex(text, key) || key == 0)
    r.fail(fmt::format("expected 16 lower-case hexadecimal digits, not all 0, or {}", kEndOfSpace));
  return key;
}

void check_range(JsonReader& r, uint64_t low, uint64_t high) {
  if (high != 0 && high <= low) r.fail("the range ends before it begins");
}

uint64_t read_generation(JsonReader& r, uint64_t from) {
  return static_cast<uint64_t>(r.integer(static_cast<int64_t>(from), static_cast<int64_t>(kGenerationMax)));
}

std::string_view read_pod_name(JsonReader& r) {
  std::string_view name = r.text();
  if (r.failed()) return name;
  if (std::string error = pod_name_error(name); !error.empty()) r.fail(error);
  return name;
}

PodState read_pod_state(JsonReader& r, PodState last) {
  std::string_view text = r.text();
  std::string known;
  for (int s = 0; s <= static_cast<int>(last); s++) {
    if (to_string(PodState(s)) == text) return PodState(s);
    known.append(known.empty() ? "" : ", ").append(to_string(PodState(s)));
  }
  r.fail("expected one of " + known);
  return PodState::kDead;
}

void read_handoff(JsonReader& r, Handoff& handoff) {
  r.object({{"low", [&] { handoff.low = read_key(r); }},
            {"high", [&] { handoff.high = read_end(r); }},
            {"from",
             [&] {
               r.object({{"name", [&] { handoff.from_name = read_pod_name(r); }},
                         {"incarnation", [&] { handoff.from_incarnation = r.text(); }}});
             }},
            {"generation", [&] { handoff.generation = read_generation(r, 1); }}});
  check_range(r, handoff.low, handoff.high);
}

bool names_format(std::string_view text, std::string_view format) {
  size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != text.npos && text[begin] == '{' && text.find(fmt::format("\"{}\"", format)) != text.npos;
}

}  // namespace limpet
