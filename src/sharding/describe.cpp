#include "sharding/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/printable.h"
#include "sharding/codec_parts.h"
#include "sharding/key.h"

namespace limpet {
namespace {

using Row = std::vector<std::string>;

// Columns side by side, two spaces before each; the first row is the heading.
std::string table(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const Row& row : rows)
    for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], row[i].size());
  std::string out;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); i++) fmt::format_to(std::back_inserter(out), "  {:<{}}", row[i], widths[i]);
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

std::string section(std::string_view title, const std::vector<Row>& rows) {
  return rows.size() < 2 ? fmt::format("{}: none\n", title)
                         : fmt::format("{}: {}\n", title, rows.size() - 1) + table(rows);
}

std::string percent(double share) { return fmt::format("{:.3f} %", share * 100); }
std::string end_word(uint64_t high) { return high == 0 ? "end" : key_text(high); }
std::string time_text(int64_t seconds) { return seconds == 0 ? "-" : utc_text(seconds); }

std::string or_dash(const std::string& text) { return text.empty() ? "-" : printable(text); }

std::vector<Row> pod_rows(const Assignment& a) {
  std::vector<uint64_t> slices(a.pods.size()), standbys(a.pods.size());
  std::vector<double> shares(a.pods.size());
  for (size_t i = 0; i < a.slices.size(); i++) {
    slices[a.slices.owner[i]]++, shares[a.slices.owner[i]] += a.slices.share(i);
    if (a.slices.standby[i] != kNoPod) standbys[static_cast<size_t>(a.slices.standby[i])]++;
  }
  std::vector<Row> rows{{"name", "state", "slices", "keys", "standby of", "address", "zone", "host", "revision",
                         "weight", "incarnation", "since"}};
  for (size_t p = 0; p < a.pods.size(); p++) {
    const AssignedPod& pod = a.pods[p];
    rows.push_back({pod.name, std::string(to_string(pod.state)), std::to_string(slices[p]), percent(shares[p]),
                    std::to_string(standbys[p]), or_dash(pod.address), or_dash(pod.zone), or_dash(pod.host),
                    or_dash(pod.revision), fmt::to_string(pod.weight), or_dash(pod.incarnation),
                    time_text(pod.since_s)});
  }
  return rows;
}

std::vector<Row> slice_rows(const Assignment& a) {
  const Slices& s = a.slices;
  std::vector<Row> rows{{"low", "high", "keys", "owner", "standby", "since", "cutover"}};
  for (size_t i = 0; i < s.size(); i++)
    rows.push_back({key_text(s.low[i]), end_word(s.high(i)), percent(s.share(i)), a.pods[s.owner[i]].name,
                    s.standby[i] == kNoPod ? "-" : a.pods[static_cast<size_t>(s.standby[i])].name,
                    std::to_string(s.since[i]), time_text(s.cutover_s[i])});
  return rows;
}

std::vector<Row> handoff_rows(const std::vector<Handoff>& handoffs) {
  std::vector<Row> rows{{"low", "high", "from", "incarnation", "generation"}};
  for (const Handoff& h : handoffs)
    rows.push_back(
        {key_text(h.low), end_word(h.high), h.from_name, or_dash(h.from_incarnation), std::to_string(h.generation)});
  return rows;
}

std::vector<Row> move_rows(const std::vector<Move>& moves) {
  std::vector<Row> rows{{"low", "high", "keys", "cause", "from", "to", "at", "cutover"}};
  for (const Move& m : moves)
    rows.push_back({key_text(m.low), end_word(m.high), percent(key_share(m.low, m.high)),
                    std::string(to_string(m.cause)), or_dash(m.from), or_dash(m.to), time_text(m.at_s),
                    time_text(m.cutover_s)});
  return rows;
}

}  // namespace

std::string describe(const Assignment& a) {
  std::string out = fmt::format("assignment of cluster {}, generation {}, {}\n", printable(a.cluster), a.generation,
                                utc_text(a.created_s));
  for (const std::string& cause : a.cause) out += "cause: " + printable(cause) + "\n";
  return out + section("pods", pod_rows(a)) + section("slices", slice_rows(a)) +
         section("handoffs", handoff_rows(a.handoffs)) + section("moves of the last hour", move_rows(a.moved));
}

std::string describe(const PodReport& p) {
  std::string out = fmt::format("report of pod {}, {}, generation {}\n", p.name, to_string(p.state),
                                p.generation == 0 ? "none yet" : std::to_string(p.generation));
  out += table({{"incarnation", or_dash(p.incarnation)},
                {"sequence", std::to_string(p.sequence)},
                {"started", time_text(p.started_s)},
                {"address", or_dash(p.address)},
                {"zone", or_dash(p.zone)},
                {"host", or_dash(p.host)},
                {"revision", or_dash(p.revision)},
                {"rules", or_dash(p.rules)},
                {"weight", fmt::to_string(p.weight)},
                {"cpu", fmt::format("{} of {} s/s", p.cpu, p.capacity)},
                {"memory", fmt::format("{} of {} bytes", p.memory,
                                       p.memory_limit == 0 ? "unknown" : std::to_string(p.memory_limit))}});
  std::vector<Row> slices{{"low", "samples/s", "cpu s/s", "state bytes", "groups"}};
  for (const SliceLoad& s : p.slices)
    slices.push_back({key_text(s.low), fmt::to_string(s.samples_per_s), fmt::to_string(s.cpu),
                      std::to_string(s.state_bytes), std::to_string(s.groups)});
  std::vector<Row> keys{{"key", "samples/s", "cpu s/s"}};
  for (const HotKey& h : p.hot_keys)
    keys.push_back({key_text(h.key), fmt::to_string(h.samples_per_s), fmt::to_string(h.cpu)});
  return out + section("slices", slices) + section("hot keys", keys) + section("handoffs", handoff_rows(p.handoffs));
}

}  // namespace limpet
