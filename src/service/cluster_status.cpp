#include "service/cluster_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <nlohmann/json.hpp>

#include "io/stderr_log.h"
#include "sharding/key.h"

namespace limpet {
namespace {

using nlohmann::ordered_json;

std::string date_text(int64_t unix_s) {
  std::time_t time = unix_s;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// What a reader lacks: how long the newest generation has been out without its having it.
double lag_s(const ClusterView& view, const PodLine& pod, WallTime now) {
  const auto& assignment = view.assignment;
  if (!assignment || pod.sight.report.generation >= assignment->generation) return 0;
  return std::max(0.0, static_cast<double>(now.ns) / kSecondNs - static_cast<double>(assignment->created_s));
}

ordered_json pod_json(const ClusterView& view, const PodLine& pod, WallTime now) {
  const PodReport& r = pod.sight.report;
  return {{"name", r.name},
          {"state", pod.state},
          {"alive", pod.sight.alive},
          {"reported", pod.sight.reported},
          {"report_age_s", pod.sight.report_age_s},
          {"incarnation", r.incarnation},
          {"address", r.address},
          {"zone", r.zone},
          {"host", r.host},
          {"revision", r.revision},
          {"rules", r.rules},
          {"weight", r.weight},
          {"started", r.started_s},
          {"generation", r.generation},
          {"generation_lag_s", lag_s(view, pod, now)},
          {"load", pod.load},
          {"cpu", r.cpu},
          {"capacity", r.capacity},
          {"utilisation", r.capacity > 0 ? r.cpu / r.capacity : 0},
          {"memory", r.memory},
          {"memory_limit", r.memory_limit},
          {"samples_per_s", pod.samples_per_s},
          {"groups", pod.groups},
          {"state_bytes", pod.state_bytes},
          {"slices", pod.slices},
          {"standby_slices", pod.standby_slices},
          {"share", pod.share}};
}

ordered_json move_json(const Move& move) {
  return {{"low", key_text(move.low)},
          {"high", end_text(move.high)},
          {"share", key_share(move.low, move.high)},
          {"at", move.at_s},
          {"cutover", move.cutover_s},
          {"cause", to_string(move.cause)},
          {"from", move.from},
          {"to", move.to}};
}

ordered_json handoff_json(const Handoff& handoff) {
  return {{"low", key_text(handoff.low)},
          {"high", end_text(handoff.high)},
          {"from", handoff.from_name},
          {"incarnation", handoff.from_incarnation},
          {"generation", handoff.generation}};
}

ordered_json head_json(const ClusterView& view, WallTime now) {
  const Assignment* assignment = view.assignment.get();
  ordered_json json;
  json["cluster"] = assignment ? assignment->cluster : "";
  json["generation"] = assignment ? assignment->generation : 0;
  json["created"] = assignment ? date_text(assignment->created_s) : "";
  json["created_s"] = assignment ? assignment->created_s : 0;
  json["cause"] = assignment ? assignment->cause : std::vector<std::string>{};
  json["now"] = static_cast<double>(now.ns) / kSecondNs;
  json["imbalance"] = {{"max_mean", view.imbalance.max_mean}, {"p95_mean", view.imbalance.p95_mean}};
  json["load_unit"] = view.load_is_cpu ? "cpu" : "samples/s";
  return json;
}

void add_sharder(ordered_json& json, const ClusterStatus& status) {
  const SharderProcess& p = status.process;
  json["sharder"] = {{"version", LIMPET_VERSION},      {"directory", p.directory},
                     {"directory_ok", p.directory_ok}, {"started", p.started.ns / kSecondNs},
                     {"listening_s", p.listening_s},   {"dead_after_s", p.dead_after_s}};
  ordered_json& alarms = json["alarms"] = ordered_json::array();
  for (const ActiveAlarm& each : status.alarms)
    alarms.push_back({{"name", each.alarm.name}, {"text", each.alarm.text}, {"since", each.since_s}});
  json["notes"] = status.notes;
}

void add_body(ordered_json& json, const ClusterView& view, WallTime now) {
  const Assignment* assignment = view.assignment.get();
  ordered_json& pods = json["pods"] = ordered_json::array();
  for (const PodLine& pod : view.pods) pods.push_back(pod_json(view, pod, now));
  // The slices' columns speak of owners by their place in this list.
  json["owners"] = json["moved"] = json["handoffs"] = ordered_json::array();
  json["slice_count"] = assignment ? assignment->slices.size() : 0;
  if (!assignment) return;
  for (const AssignedPod& pod : assignment->pods) json["owners"].push_back(pod.name);
  for (const Move& move : assignment->moved) json["moved"].push_back(move_json(move));
  for (const Handoff& handoff : assignment->handoffs) json["handoffs"].push_back(handoff_json(handoff));
}

template <class Render>
void append_column(std::string& out, std::string_view name, size_t n, Render render) {
  if (out.back() != '{') out += ',';
  fmt::format_to(std::back_inserter(out), "\"{}\":[", name);
  for (size_t i = 0; i < n; i++) {
    if (i > 0) out += ',';
    render(i, std::back_inserter(out));
  }
  out += ']';
}

// By hand: a hundred thousand of them are usual, and a JSON library takes its time.
std::string slices_json(const ClusterView& view) {
  std::string out = "{";
  if (!view.assignment) return "{}";
  const Slices& slices = view.assignment->slices;
  size_t n = slices.size();
  append_column(out, "low", n, [&](size_t i, auto to) { fmt::format_to(to, "\"{:016x}\"", slices.low[i]); });
  append_column(out, "owner", n, [&](size_t i, auto to) { fmt::format_to(to, "{}", slices.owner[i]); });
  append_column(out, "standby", n, [&](size_t i, auto to) { fmt::format_to(to, "{}", slices.standby[i]); });
  append_column(out, "since", n, [&](size_t i, auto to) { fmt::format_to(to, "{}", slices.since[i]); });
  append_column(out, "load", n, [&](size_t i, auto to) { fmt::format_to(to, "{:.6g}", view.load_of(view.slices[i])); });
  append_column(out, "samples_per_s", n,
                [&](size_t i, auto to) { fmt::format_to(to, "{:.6g}", view.slices[i].samples_per_s); });
  append_column(out, "groups", n, [&](size_t i, auto to) { fmt::format_to(to, "{}", view.slices[i].groups); });
  append_column(out, "state_bytes", n,
                [&](size_t i, auto to) { fmt::format_to(to, "{}", view.slices[i].state_bytes); });
  return out + "}";
}

std::string dump(const ordered_json& json) { return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

ordered_json generation_json(const GenerationNote& note) {
  return {{"generation", note.generation},
          {"created_s", note.created_s},
          {"cause", note.cause},
          {"moves", note.moves},
          {"share", note.share}};
}

}  // namespace

void Propagation::add(double seconds) {
  auto at = std::ranges::lower_bound(kBoundsS, seconds) - std::begin(kBoundsS);
  counts_[static_cast<size_t>(at)]++;
  sum_s_ += seconds;
  count_++;
}

GenerationNote note_of(const Assignment& assignment) {
  GenerationNote note{
      .generation = assignment.generation, .created_s = assignment.created_s, .cause = assignment.cause};
  for (const Move& move : assignment.moved) {
    if (move.at_s != assignment.created_s) continue;
    note.moves++;
    note.share += key_share(move.low, move.high);
  }
  return note;
}

void PhaseClock::begin(const char* phase) {
  int64_t at_ns = monotonic_now().ns;
  if (now_) totals_[now_] += static_cast<double>(at_ns - since_ns_) / kSecondNs;
  now_ = phase;
  since_ns_ = at_ns;
}

namespace {

ordered_json status_json(const ClusterStatus& status) {
  ordered_json json = head_json(status.view, status.process.now);
  add_sharder(json, status);
  add_body(json, status.view, status.process.now);
  ordered_json& generations = json["generations"] = ordered_json::array();
  for (const GenerationNote& note : status.generations) generations.push_back(generation_json(note));
  return json;
}

// The library's text with the slices' columns at its end.
std::string with_slices(const ordered_json& json, const ClusterView& view) {
  std::string out = dump(json);
  out.pop_back();
  return out + ",\"slices\":" + slices_json(view) + "}\n";
}

}  // namespace

std::string cluster_json(const ClusterStatus& status, bool slices) {
  ordered_json json = status_json(status);
  return slices ? with_slices(json, status.view) : dump(json) + "\n";
}

std::string view_json(const ClusterView& view, WallTime now) {
  ordered_json json = head_json(view, now);
  add_body(json, view, now);
  return with_slices(json, view);
}

std::string sharder_json(const ClusterStatus& status) {
  ordered_json json = status_json(status);
  const SharderStats& s = status.stats;
  json["counts"] = {{"steps", s.steps},
                    {"plans", s.plans},
                    {"published", s.published},
                    {"conflicts", s.conflicts},
                    {"publish_errors", s.publish_errors},
                    {"bugs", s.bugs},
                    {"held_up", s.held_up},
                    {"deaths", s.deaths},
                    {"restored", s.restored},
                    {"directory_errors", status.process.directory_errors},
                    {"assignments_rejected", status.process.assignments_rejected},
                    {"reports_rejected", status.process.reports_rejected}};
  json["decisions"] = s.decisions;
  return dump(json) + "\n";
}

}  // namespace limpet
