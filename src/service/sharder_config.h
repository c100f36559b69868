// The configuration of `limpet shard`: a TOML file, and flags of the same names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "cluster/sharder.h"
#include "io/endpoint.h"
#include "service/config_keys.h"

namespace limpet {

struct ShardConfig {
  std::string directory;
  std::vector<Endpoint> http;
  SharderConfig sharder;
  LogLevel log_level = LogLevel::kInfo;
};

struct LoadedShardConfig {
  ShardConfig config;
  std::vector<Diagnostic> diagnostics;  // errors, by line
  bool ok() const { return diagnostics.empty(); }
};

std::span<const ConfigKey> shard_config_keys();
// `file` may have an empty path: no file. Flags win over the file. Every error is reported in one run.
LoadedShardConfig load_shard_config(const SourceFile& file, const std::vector<Flag>& flags);
// True if the text is one: has a key that only a sharder's configuration has, or nothing that an aggregator's must
// have.
bool looks_like_shard_config(const SourceFile& file);

}  // namespace limpet
