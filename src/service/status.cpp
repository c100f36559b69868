#include "service/status.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "io/process_usage.h"
#include "lineproto/format.h"
#include "service/lateness.h"

namespace limpet {
namespace {

using nlohmann::ordered_json;

struct ProcessMetric {
  const char* field;       // of the line
  const char* prometheus;  // counters end in _total
  const char* help;
  double (*value)(const Status&);
};

double seconds(int64_t ns) { return static_cast<double>(ns) * 1e-9; }

#define OF_PROCESS(expression) [](const Status& s) { return static_cast<double>(expression); }

constexpr ProcessMetric kProcessMetrics[] = {
    {"lines_read", "limpet_lines_read_total", "Lines taken in.", OF_PROCESS(s.ledger.lines.read)},
    {"lines_bad", nullptr, nullptr, OF_PROCESS(s.ledger.lines.bad_total())},
    {"lines_written_back", "limpet_lines_written_back_total",
     "Lines that no rule dropped, written to stdout as they came.", OF_PROCESS(s.ledger.lines.written_back)},
    {"lines_original_dropped", "limpet_lines_original_dropped_total", "Lines dropped by rules with drop_original.",
     OF_PROCESS(s.ledger.lines.original_dropped)},
    {"lines_unowned", "limpet_lines_unowned_total", "Lines that another pod aggregates.",
     OF_PROCESS(s.ledger.lines.unowned)},
    {"lines_shed", "limpet_lines_shed_total", "Lines given up since stdout was stuck.",
     OF_PROCESS(s.ledger.lines.shed)},
    {"series", "limpet_series", "Input series remembered.", OF_PROCESS(s.gauges.series)},
    {"groups", "limpet_groups", "Groups with state.", OF_PROCESS(s.gauges.groups)},
    {"state_bytes", "limpet_state_bytes", "Memory held for series and groups, estimated.",
     OF_PROCESS(s.gauges.state_bytes)},
    {"frozen_groups", "limpet_frozen_groups", "Groups that wait for their results to be written, at most.",
     OF_PROCESS(s.gauges.frozen_groups)},
    {"emission_lag_s", "limpet_emission_lag_seconds",
     "How long the oldest window that is not written out has been due.", OF_PROCESS(seconds(s.gauges.emission_lag_ns))},
    {"emit_rate", "limpet_emit_rate_lines_per_second", "The pace of results in force; 0: none.",
     OF_PROCESS(s.process.emit_rate_lines_per_s)},
    {"output_bytes", "limpet_output_bytes", "Bytes that wait for stdout.", OF_PROCESS(s.process.output_bytes)},
    {"results_waiting_bytes", "limpet_results_waiting_bytes", "Bytes of results that wait for their turn.",
     OF_PROCESS(s.process.results_waiting_bytes)},
    {"results_dropped", "limpet_results_dropped_total", "Result lines given up since stdout was stuck for too long.",
     OF_PROCESS(s.process.results_dropped)},
    {"rules", "limpet_rules", "Rules in force.", OF_PROCESS(s.process.rules)},
    {"rules_ok", "limpet_rules_ok", "1: the rules files were valid when last read; 0: they have errors.",
     OF_PROCESS(s.process.rules_error.empty())},
    {"reloads", "limpet_rules_reloads_total", "Changes of the rules that were put in force.",
     OF_PROCESS(s.process.reloads)},
    {"reload_errors", "limpet_rules_reload_errors_total", "Changes of the rules that were refused.",
     OF_PROCESS(s.process.reload_errors)},
    {"connections", "limpet_connections", "Open connections of the listeners.", OF_PROCESS(s.process.connections)},
    {"connections_refused", "limpet_connections_refused_total", "Connections closed at once since there were too many.",
     OF_PROCESS(s.process.connections_refused)},
    {"requests", "limpet_http_requests_total", "HTTP requests.", OF_PROCESS(s.process.requests)},
    {"generation", "limpet_assignment_generation", "Generation of the assignment in force; 0: none.",
     OF_PROCESS(s.process.generation)},
    {"slices_owned", "limpet_slices_owned", "Slices of the assignment that are this pod's.",
     OF_PROCESS(s.process.slices_owned)},
    {"assignments_rejected", "limpet_assignments_rejected_total",
     "Assignment files that were refused: the last good one stayed in force.",
     OF_PROCESS(s.process.assignments_rejected)},
    {"assignment_twin", "limpet_assignment_twin",
     "1: another process works under this pod's name, so this one owns nothing.", OF_PROCESS(s.process.twin)},
    {"log_dropped", "limpet_log_dropped_total", "Log lines that stderr did not take.",
     OF_PROCESS(s.process.log_dropped)},
    {"uptime_s", nullptr, nullptr, OF_PROCESS(seconds(s.process.now.ns - s.process.started.ns))},
    {nullptr, "limpet_start_time_seconds", "When the process started, in Unix time.",
     OF_PROCESS(seconds(s.process.started.ns))},
    {"resident_bytes", "process_resident_memory_bytes", "Resident memory.",
     OF_PROCESS((void(s), memory_use().resident_bytes))},
};

struct RuleMetric {
  const char* field;
  const char* prometheus;
  const char* help;
  uint64_t (*value)(const RuleLedger&);
};

#define OF_RULE(expression) [](const RuleLedger& r) { return uint64_t{expression}; }

constexpr RuleMetric kRuleMetrics[] = {
    {"seen", "limpet_rule_samples_seen_total", "Samples that the rule takes.", OF_RULE(r.seen)},
    {"aggregated", "limpet_rule_samples_aggregated_total", "Samples that count in a window.", OF_RULE(r.aggregated)},
    {"forwarded", "limpet_rule_samples_forwarded_total", "Samples sent on to their owner.", OF_RULE(r.forwarded)},
    {"dropped", nullptr, nullptr, OF_RULE(r.dropped_total())},
    {"results", "limpet_rule_results_total", "Result lines.", OF_RULE(r.results)},
    {"windows_emitted", "limpet_rule_windows_emitted_total", "Windows closed and emitted.", OF_RULE(r.windows_emitted)},
    {"windows_missed", "limpet_rule_windows_missed_total",
     "Windows that samples came too late for, while they counted in others.", OF_RULE(r.windows_missed)},
    {"incomplete", "limpet_rule_windows_incomplete_total", "Group windows that were open at start or stop.",
     OF_RULE(r.incomplete)},
    {"corrected", "limpet_rule_windows_corrected_total", "Group windows emitted again with late samples.",
     OF_RULE(r.corrected)},
    {"uncorrectable", "limpet_rule_windows_uncorrectable_total", "Windows that could not be emitted again.",
     OF_RULE(r.uncorrectable)},
    {"counter_samples", "limpet_rule_counter_samples_total", "Samples of counters.", OF_RULE(r.counter_samples)},
    {"counter_resets", "limpet_rule_counter_resets_total", "Counters that began anew.", OF_RULE(r.counter_resets)},
    {"counter_falls", "limpet_rule_counter_falls_total", "Falls of counters by at most 1 %.", OF_RULE(r.counter_falls)},
    {"first_from_zero", "limpet_rule_counter_first_from_zero_total", "First samples of counters, counted from zero.",
     OF_RULE(r.first_from_zero)},
    {"not_finite", "limpet_rule_not_finite_total", "Result fields left out since they were not finite.",
     OF_RULE(r.not_finite)},
    {"too_long", "limpet_rule_too_long_total", "Result fields left out since they do not fit into a line of 60 KiB.",
     OF_RULE(r.too_long)},
    {"collisions", "limpet_rule_collisions_total", "Result fields left out since an earlier rule wrote the same.",
     OF_RULE(r.collisions)},
    {"unused_fields", "limpet_rule_unused_fields_total", "Fields of dropped lines that no rule takes.",
     OF_RULE(r.unused_fields)},
    {"folded", "limpet_rule_samples_folded_total", "Samples that went to the overflow group.", OF_RULE(r.folded)},
    {"groups", "limpet_rule_groups", "Groups with state.", OF_RULE(r.groups)},
    {"state_bytes", "limpet_rule_state_bytes", "Memory held for the rule's groups, estimated.", OF_RULE(r.state_bytes)},
};

struct GraceMetric {
  const char* field;
  const char* quantile;
  uint64_t per_mille;
};
constexpr GraceMetric kGraceMetrics[] = {{"grace_p99_s", "0.99", 990}, {"grace_p999_s", "0.999", 999}};

std::string_view type_of(std::string_view prometheus) { return prometheus.ends_with("_total") ? "counter" : "gauge"; }

// A label's value: backslash, quote and newline escaped.
std::string label(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"')
      out += '\\', out += c;
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string head(const char* measurement, std::string_view pod, const std::string* rule) {
  std::string out = measurement, text;
  auto tag = [&](std::string_view key, std::string_view value) {
    text.clear();
    append_tag_text(text, value);
    if (!text.empty()) out.append(",").append(key).append("=").append(text);
  };
  tag("pod", pod);
  if (rule) tag("rule", *rule);
  return out;
}

// Whole numbers as integers, so that a field never changes its type: only those that end in _s and the rate are floats.
void append_number(std::string& out, std::string_view field, double value) {
  if (field.ends_with("_s") || field == "emit_rate")
    append_float(out, value);
  else
    fmt::format_to(std::back_inserter(out), "{}i", static_cast<int64_t>(value));
}

class Text {
 public:
  void family(std::string_view name, std::string_view help) {
    fmt::format_to(std::back_inserter(out_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type_of(name));
  }
  template <typename V>
  void sample(std::string_view name, const std::string& labels, V value) {
    fmt::format_to(std::back_inserter(out_), "{}{}{}{} {}\n", name, labels.empty() ? "" : "{", labels,
                   labels.empty() ? "" : "}", value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void bad_lines(const Status& status, Text& text) {
  text.family("limpet_lines_bad_total", "Lines that are no line protocol, by reason.");
  for (size_t i = 0; i < kBadReasons; i++)
    text.sample("limpet_lines_bad_total", fmt::format("reason=\"{}\"", reason(BadLine(i))), status.ledger.lines.bad[i]);
}

void rules(const Status& status, Text& text) {
  for (const RuleMetric& metric : kRuleMetrics) {
    if (!metric.prometheus) continue;
    text.family(metric.prometheus, metric.help);
    for (const auto& [name, rule] : status.ledger.rules)
      text.sample(metric.prometheus, fmt::format("rule=\"{}\"", label(name)), metric.value(rule));
  }
  text.family("limpet_rule_samples_dropped_total", "Samples that count in no window, by reason.");
  for (const auto& [name, rule] : status.ledger.rules)
    for (size_t i = 0; i < kDropReasons; i++)
      text.sample("limpet_rule_samples_dropped_total",
                  fmt::format("rule=\"{}\",reason=\"{}\"", label(name), reason(Drop(i))), rule.dropped[i]);
  text.family("limpet_rule_grace_needed_seconds",
              "The grace with which this share of the samples would have come in time.");
  for (const auto& [name, rule] : status.ledger.rules)
    for (const GraceMetric& grace : kGraceMetrics)
      text.sample("limpet_rule_grace_needed_seconds",
                  fmt::format("rule=\"{}\",quantile=\"{}\"", label(name), grace.quantile),
                  grace_needed_s(rule, grace.per_mille));
}

void add_process(const Status& status, ordered_json& json) {
  const ProcessStatus& p = status.process;
  json["pod"] = p.pod;
  json["incarnation"] = p.incarnation;
  json["version"] = LIMPET_VERSION;
  json["phase"] = p.phase;
  json["started_ns"] = p.started.ns;
  json["now_ns"] = p.now.ns;
  json["listening"] = p.listening;
  json["rule_set"] = {
      {"count", p.rules}, {"fingerprint", fmt::format("{:016x}", p.rules_fingerprint)}, {"error", p.rules_error}};
  if (p.shared)
    json["assignment"] = {
        {"state", p.pod_state}, {"generation", p.generation},         {"adopted_after_s", seconds(p.adopted_age_ns)},
        {"slices", p.slices},   {"slices_owned", p.slices_owned},     {"samples_per_s", p.slice_samples_per_s},
        {"cpu", p.slice_cpu},   {"rejected", p.assignments_rejected}, {"twin", p.twin}};
  ordered_json& gauges = json["gauges"];
  for (const ProcessMetric& metric : kProcessMetrics) {
    if (!metric.field) continue;
    std::string_view field = metric.field;
    if (field.starts_with("lines_")) continue;  // the ledger has them
    double value = metric.value(status);
    if (field.ends_with("_s") || field == "emit_rate")
      gauges[metric.field] = value;
    else
      gauges[metric.field] = static_cast<int64_t>(value);
  }
  ordered_json& grace = json["grace_needed_s"];
  grace = ordered_json::object();
  for (const auto& [name, rule] : status.ledger.rules)
    grace[name] = {{"0.99", grace_needed_s(rule, 990)}, {"0.999", grace_needed_s(rule, 999)}};
}

std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string status_lines(const Status& status) {
  std::string out = head("limpet", status.process.pod, nullptr);
  char separator = ' ';
  for (const ProcessMetric& metric : kProcessMetrics) {
    if (!metric.field) continue;
    out += separator;
    out.append(metric.field).append("=");
    append_number(out, metric.field, metric.value(status));
    separator = ',';
  }
  std::string stamp = fmt::format(" {}\n", status.process.now.ns);
  out += stamp;
  for (const auto& [name, rule] : status.ledger.rules) {
    out += head("limpet_rule", status.process.pod, &name);
    separator = ' ';
    for (const RuleMetric& metric : kRuleMetrics) {
      fmt::format_to(std::back_inserter(out), "{}{}={}i", separator, metric.field, metric.value(rule));
      separator = ',';
    }
    for (size_t i = 0; i < kDropReasons; i++)
      if (rule.dropped[i]) fmt::format_to(std::back_inserter(out), ",dropped_{}={}i", reason(Drop(i)), rule.dropped[i]);
    for (const GraceMetric& grace : kGraceMetrics) {
      out.append(",").append(grace.field).append("=");
      append_float(out, grace_needed_s(rule, grace.per_mille));
    }
    out += stamp;
  }
  return out;
}

std::string status_prometheus(const Status& status) {
  Text text;
  text.family("limpet_build_info", "The version, always 1.");
  text.sample("limpet_build_info", "version=\"" LIMPET_VERSION "\",pod=\"" + label(status.process.pod) + "\"", 1);
  for (const ProcessMetric& metric : kProcessMetrics) {
    if (!metric.prometheus) continue;
    text.family(metric.prometheus, metric.help);
    text.sample(metric.prometheus, "", metric.value(status));
  }
  bad_lines(status, text);
  rules(status, text);
  return text.take();
}

std::string status_json(const Status& status) {
  ordered_json json;
  add_process(status, json);
  json["ledger"] = ordered_json::parse(status.ledger.to_json(), nullptr, false);
  return dump(json);
}

std::string status_stats(const Status& status) {
  ordered_json json = ordered_json::parse(status.ledger.to_json(), nullptr, false);
  add_process(status, json);
  return dump(json);
}

}  // namespace limpet
