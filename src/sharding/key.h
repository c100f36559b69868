// The key of a group: 64 bits that decide who owns it (design: "Ownership and the assignment file"). Any language can
// agree:
//
//   key = XXH3-64, seed 0, of: shard_name, then for each tag of shard_by that the line has, in order of name: NUL
//   name=value
//
// in unescaped bytes, measurement and tags as Rule::result_measurement and Rule::kept_tags give them: what is one
// series in the results has one key. The rule's name and its constant tags are no part of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lineproto/point.h"
#include "rules/rule.h"

namespace limpet {

// The bytes that are hashed. `tags`: of the line, sorted by name.
std::string key_bytes(const Rule& rule, std::string_view input_measurement, const std::vector<Tag>& tags);
uint64_t key_of(const Rule& rule, std::string_view input_measurement, const std::vector<Tag>& tags);
// The key of a line as such, which decides who writes it back: of its measurement and all its tags (sorted by name).
uint64_t line_key(std::string_view measurement, const std::vector<Tag>& tags);
// 16 lower-case hexadecimal digits, as files and messages write keys.
std::string key_text(uint64_t key);
inline constexpr std::string_view kEndOfSpace = "10000000000000000";  // 2^64
// Of the end of a range; 0 stands for 2^64.
std::string end_text(uint64_t high);

}  // namespace limpet
