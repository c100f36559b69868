// What the process tells about itself, in four forms: lines, Prometheus text, JSON for /api/status, JSON for the stats
// file. One table names each number once; docs/metrics.md explains them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "engine/engine.h"

namespace limpet {

// The numbers of the process around the engine.
struct ProcessStatus {
  std::string pod;
  std::string incarnation;
  std::string phase;  // "running", "draining", "stopping"
  WallTime started;
  WallTime now;
  std::vector<std::string> listening;
  uint64_t rules = 0;
  uint64_t rules_fingerprint = 0;
  std::string rules_error;  // of the last load; empty: none
  uint64_t reloads = 0, reload_errors = 0;
  uint64_t output_bytes = 0;  // waiting for stdout
  uint64_t results_waiting_bytes = 0;
  uint64_t results_dropped = 0;  // result lines given up since stdout was stuck for too long
  uint64_t connections = 0, connections_refused = 0, requests = 0;
  uint64_t log_dropped = 0;
  double emit_rate_lines_per_s = 0;  // in force
  // Where keys are shared with other pods.
  bool shared = false;
  std::string pod_state;  // as the reports say: "starting", "ready", "draining", "drained"
  uint64_t generation = 0;
  int64_t adopted_age_ns = 0;  // from the assignment's creation to its adoption here
  uint64_t slices = 0, slices_owned = 0;
  uint64_t assignments_rejected = 0;
  bool twin = false;
  double slice_samples_per_s = 0, slice_cpu = 0;  // moving averages over all slices
};

struct Status {
  const ProcessStatus& process;
  const Ledger& ledger;
  EngineGauges gauges;
};

// `limpet,pod=... ... TIME` and one line `limpet_rule,pod=...,rule=...` for each rule.
std::string status_lines(const Status& status);
// The text format 0.0.4.
std::string status_prometheus(const Status& status);
// /api/status: {"pod":...,"gauges":{...},"ledger":{...},...}, ended by a newline.
std::string status_json(const Status& status);
// The stats file: the ledger's `lines` and `rules`, and the same beside them; ended by a newline.
std::string status_stats(const Status& status);

}  // namespace limpet
