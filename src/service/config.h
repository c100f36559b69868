// The configuration of `limpet aggregate`: a TOML file, flags on top of it, one table of keys for both.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "io/endpoint.h"
#include "lineproto/parse.h"
#include "rules/rule_set.h"
#include "service/config_keys.h"

namespace limpet {

// Shared work: which part of the keys is this pod's stands in the assignment file.
struct AssignmentConfig {
  bool configured = false;  // one of its keys was set
  std::string directory;
  std::string zone, host, revision;  // what the report says of the pod
  double weight = 1;
  bool may_own = false;  // `unowned` says what becomes of other pods' lines; without that nothing is owned
};

struct AggregateConfig {
  std::vector<std::string> rules;  // shell patterns
  std::string rules_directory;     // relative patterns are seen from here
  std::vector<Endpoint> http;
  std::vector<Endpoint> sockets;
  bool insecure = false;                    // listening on other addresses than loopback is allowed
  uint64_t emit_rate_lines_per_s = 20'000;  // 0: no pace
  bool read_lines = true;                   // stdin = "lines"
  Dialect dialect = Dialect::kTelegraf;
  std::string pod;                  // empty: the host's name
  int64_t metrics_interval_ns = 0;  // 0: off
  LogLevel log_level = LogLevel::kInfo;
  std::string stats_file;  // empty: none
  AssignmentConfig assignment;
};

struct LoadedConfig {
  AggregateConfig config;               // with the defaults where a key was wrong
  std::vector<Diagnostic> diagnostics;  // errors and warnings, by line
  // Something was asked for that this version does not do and that running without would falsify: rules must not be
  // applied.
  bool pass_everything = false;
  bool ok() const { return diagnostics.empty(); }
};

std::span<const ConfigKey> aggregate_config_keys();

// `file` may have an empty path: no file. Flags win over the file. Every error is reported in one run.
LoadedConfig load_config(const SourceFile& file, const std::vector<Flag>& flags);

// All errors of a configuration file, for `limpet check`.
std::vector<Diagnostic> check_config(const SourceFile& file);
// True if the text is one rather than a rules file: has a key that only a configuration has, or `rules`.
bool looks_like_config(const SourceFile& file);

}  // namespace limpet
