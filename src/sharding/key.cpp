#include "sharding/key.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"

namespace limpet {

std::string key_bytes(const Rule& rule, std::string_view input_measurement, const std::vector<Tag>& tags) {
  std::string bytes = rule.shard_name ? *rule.shard_name : rule.result_measurement(input_measurement);
  for (const auto& [name, value] : rule.kept_tags(tags)) {
    if (rule.shard_by && std::find(rule.shard_by->begin(), rule.shard_by->end(), name) == rule.shard_by->end())
      continue;
    bytes += '\0';
    bytes.append(name).append("=").append(value);
  }
  return bytes;
}

uint64_t key_of(const Rule& rule, std::string_view input_measurement, const std::vector<Tag>& tags) {
  return hash64(key_bytes(rule, input_measurement, tags));
}

uint64_t line_key(std::string_view measurement, const std::vector<Tag>& tags) {
  std::string bytes(measurement);
  for (const auto& [name, value] : tags) {
    bytes += '\0';
    bytes.append(name).append("=").append(value);
  }
  return hash64(bytes);
}

std::string end_text(uint64_t high) { return high == 0 ? std::string(kEndOfSpace) : key_text(high); }

std::string key_text(uint64_t key) { return fmt::format("{:016x}", key); }

}  // namespace limpet
