// What a replay says at its end.
#include <fmt/format.h>

#include <ctime>

#include "service/lateness.h"
#include "service/replay.h"

namespace limpet {
namespace {

std::string grouped(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ' ');
  return digits;
}

std::string date(int64_t time_ns) {
  time_t seconds = static_cast<time_t>(floor_div(time_ns, kSecondNs));
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

double ratio(uint64_t a, uint64_t b) { return b ? static_cast<double>(a) / static_cast<double>(b) : 0; }

std::string rule_lateness(const std::string& name, const RuleLedger& rule) {
  std::string late = lateness_text(rule);
  return fmt::format("  {}: {}; grace = \"{}\" would keep 99 % whole, \"{}\" 99.9 %\n", name,
                     late.empty() ? "none too late" : late, grace_text(grace_needed_s(rule, 990)),
                     grace_text(grace_needed_s(rule, 999)));
}

}  // namespace

uint64_t ReplaySummary::samples() const {
  uint64_t sum = 0;
  for (const auto& [name, rule] : ledger.rules) sum += rule.seen;
  return sum;
}

std::string ReplaySummary::to_json() const {
  return fmt::format(
      "{{\"lines\":{},\"bytes\":{},\"series\":{},{}\"samples\":{},\"results\":{},\"seconds\":{:.6f},\"ledger\":{}}}\n",
      ledger.lines.read, bytes_in, seen.series, seen.exact ? "" : "\"series_estimated\":true,", samples(), results,
      seconds, ledger.to_json());
}

std::string ReplaySummary::to_text() const {
  const LineLedger& lines = ledger.lines;
  const std::string about = seen.exact ? "" : "about ";
  std::string out = fmt::format("{:>12} {:>20} {:>20}\n", "", "in", "out");
  out += fmt::format("{:>12} {:>20} {:>20}\n", "lines", grouped(lines.read), grouped(lines_out));
  out += fmt::format("{:>12} {:>20} {:>20}\n", "bytes", grouped(bytes_in), grouped(bytes_out));
  out += fmt::format("{:>12} {:>20} {:>20}\n", "series", about + grouped(seen.series),
                     about + grouped(seen.groups) + (all ? " of results" : ""));
  out += fmt::format("{} samples; {:.3g} lines in for one result; {} lines written back, {} dropped by rules, {} bad\n",
                     grouped(samples()), ratio(lines.read, results), grouped(lines.written_back),
                     grouped(lines.original_dropped), grouped(lines.bad_total()));
  out += fmt::format("{:.3f} s", seconds);
  if (seconds > 0)
    out += fmt::format(", {:.0f} MB/s, {:.2f} million lines/s", static_cast<double>(bytes_in) / seconds / 1e6,
                       static_cast<double>(lines.read) / seconds / 1e6);
  out += '\n';
  bool any_late = false;
  for (const auto& [name, rule] : ledger.rules) {
    if (rule.lateness_s.count() == 0) continue;
    if (!any_late) out += "samples that came after their time:\n";
    any_late = true;
    out += rule_lateness(name, rule);
  }
  if (!any_late && samples() > 0) out += "no sample came after its time\n";
  for (const ClockJump& jump : jumps)
    out += fmt::format("{}:{}: the clock jumps from {} to {}, more than an hour\n", jump.file, jump.line,
                       date(jump.from_ns), date(jump.to_ns));
  if (jump_count > jumps.size()) out += fmt::format("and {} more such jumps\n", jump_count - jumps.size());
  return out;
}

}  // namespace limpet
