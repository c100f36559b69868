#include "service/cluster_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>
#include <vector>

#include "base/counted.h"
#include "base/printable.h"
#include "sharding/key.h"

namespace limpet {
namespace {

constexpr size_t kMovesShown = 10;
constexpr int kBarWidth = 10;

std::string bytes_text(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) value /= 1024, unit++;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string age_text(double seconds) {
  if (seconds < 0) return "-";
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  if (seconds < 6000) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string bar_of(double share) {
  auto full = static_cast<size_t>(std::lround(std::clamp(share, 0.0, 1.0) * kBarWidth));
  return std::string(full, '#') + std::string(kBarWidth - full, '.');
}

// A table whose columns are as wide as they must be; the first one is aligned left. What others wrote may stand in it.
class Table {
 public:
  void row(std::vector<std::string> cells) {
    for (std::string& cell : cells) cell = printable(cell);
    rows_.push_back(std::move(cells));
  }
  std::string take() const {
    std::vector<size_t> widths;
    for (const auto& row : rows_)
      for (size_t i = 0; i < row.size(); i++) {
        widths.resize(std::max(widths.size(), i + 1));
        widths[i] = std::max(widths[i], row[i].size());
      }
    std::string out;
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); i++) {
        std::string padding(widths[i] - row[i].size(), ' ');
        out += i == 0 ? row[i] + padding : "  " + padding + row[i];
      }
      out += '\n';
    }
    return out;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string head_text(const ClusterView& view, int64_t now_s) {
  if (!view.assignment) return "no assignment yet\n";
  const Assignment& a = *view.assignment;
  std::string cause;
  for (const std::string& each : a.cause) cause += (cause.empty() ? "" : ", ") + each;
  std::string out = fmt::format("cluster {}  generation {}  {} ago: {}\n", printable(a.cluster), a.generation,
                                age_text(static_cast<double>(now_s - a.created_s)), printable(cause));
  auto ready = std::ranges::count(view.pods, "ready", [](const PodLine& pod) { return std::string_view(pod.state); });
  out += fmt::format("{} of {} pods ready, {}", ready, view.pods.size(), counted(a.slices.size(), "slice"));
  if (view.imbalance.max_mean > 0) out += fmt::format(", hottest pod {:.2f} of the mean", view.imbalance.max_mean);
  return out + "\n";
}

std::string pods_text(const ClusterView& view) {
  double top = 0;
  for (const PodLine& pod : view.pods) top = std::max(top, pod.load);
  Table table;
  table.row({"POD", "STATE", "LOAD", "", "KEYS", "SLICES", "CPU", "MEMORY", "GROUPS", "GENERATION", "REPORT"});
  for (const PodLine& pod : view.pods) {
    const PodReport& r = pod.sight.report;
    bool newest = view.assignment && r.generation == view.assignment->generation;
    table.row({r.name, pod.state, bar_of(top > 0 ? pod.load / top : 0),
               view.load_is_cpu ? fmt::format("{:.2f} cpu", pod.load) : fmt::format("{:.0f}/s", pod.load),
               fmt::format("{:.1f} %", pod.share * 100), fmt::format("{}", pod.slices),
               pod.sight.reported ? fmt::format("{:.2f}/{:.1f}", r.cpu, r.capacity) : "-",
               pod.sight.reported ? bytes_text(r.memory) : "-", fmt::format("{}", pod.groups),
               !pod.sight.reported ? "-"
               : newest            ? "newest"
                                   : fmt::format("{}", r.generation),
               pod.sight.reported ? age_text(pod.sight.report_age_s) : "never"});
  }
  return table.take();
}

// Moves of one moment, cause, source and target are one line, newest first.
std::string moves_text(const ClusterView& view, int64_t now_s) {
  struct Group {
    const Move* move;
    size_t count;
    double share;
  };
  std::vector<Group> groups;
  auto same = [](const Move& a, const Move& b) {
    return std::tie(a.at_s, a.cause, a.from, a.to) == std::tie(b.at_s, b.cause, b.from, b.to);
  };
  const std::vector<Move>& moved = view.assignment->moved;
  for (auto move = moved.rbegin(); move != moved.rend(); ++move) {
    auto known = std::ranges::find_if(groups, [&](const Group& group) { return same(*group.move, *move); });
    if (known == groups.end()) {
      groups.push_back({&*move, 1, key_share(move->low, move->high)});
      if (groups.size() > kMovesShown) break;
    } else {
      known->count++;
      known->share += key_share(move->low, move->high);
    }
  }
  bool more = groups.size() > kMovesShown;
  if (more) groups.pop_back();
  Table table;
  table.row({"MOVES", "CAUSE", "FROM", "TO", "SLICES", "KEYS"});
  for (const Group& group : groups)
    table.row({age_text(static_cast<double>(now_s - group.move->at_s)) + " ago",
               std::string(to_string(group.move->cause)), group.move->from.empty() ? "-" : group.move->from,
               group.move->to, fmt::format("{}", group.count), fmt::format("{:.1f} %", group.share * 100)});
  if (groups.empty()) return "no moves in the last hour\n";
  return table.take() + (more ? "...\n" : "");
}

// Empty if there are none.
std::string handoffs_text(const Assignment& assignment) {
  if (assignment.handoffs.empty()) return "";
  Table table;
  table.row({"HANDOFFS", "FROM", "KEYS", "SINCE GENERATION"});
  for (const Handoff& handoff : assignment.handoffs)
    table.row({key_text(handoff.low), handoff.from_name,
               fmt::format("{:.1f} %", key_share(handoff.low, handoff.high) * 100),
               fmt::format("{}", handoff.generation)});
  return "\n" + table.take();
}

}  // namespace

std::string cluster_text(const ClusterView& view, int64_t now_s) {
  std::string out = head_text(view, now_s);
  if (!view.pods.empty()) out += "\n" + pods_text(view);
  if (view.assignment) out += "\n" + moves_text(view, now_s) + handoffs_text(*view.assignment);
  return out;
}

}  // namespace limpet
