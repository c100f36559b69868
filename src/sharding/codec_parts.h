// What assignments and reports have in common as JSON (ASSIGNMENT_FORMAT.md): keys, names, states, handoffs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sharding/json_reader.h"
#include "sharding/json_writer.h"
#include "sharding/report.h"

namespace limpet {

// A member that is a key; with `end`, one that ends a range: 0 in memory is 2^64, written with 17 digits.
void write_key(JsonWriter& w, std::string_view name, uint64_t key);
void write_end(JsonWriter& w, std::string_view name, uint64_t key);
void write_handoffs(JsonWriter& w, const std::vector<Handoff>& handoffs);

// "2026-11-20T12:00:00Z". REQUIRES: 1970 to 9999.
std::string utc_text(int64_t seconds);

uint64_t read_key(JsonReader& r);
uint64_t read_end(JsonReader& r);
// A range whose end is not above its beginning fails.
void check_range(JsonReader& r, uint64_t low, uint64_t high);
uint64_t read_generation(JsonReader& r, uint64_t from);
std::string_view read_pod_name(JsonReader& r);
PodState read_pod_state(JsonReader& r, PodState last);  // up to `last`
void read_handoff(JsonReader& r, Handoff& handoff);
// The text begins with '{', white space aside, and names the format.
bool names_format(std::string_view text, std::string_view format);

}  // namespace limpet
