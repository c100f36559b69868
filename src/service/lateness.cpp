#include "service/lateness.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace limpet {

double grace_needed_s(const RuleLedger& rule, uint64_t per_mille) {
  uint64_t late = rule.lateness_s.count();
  uint64_t seen = std::max(rule.seen, late);
  if (late == 0) return 0;
  uint64_t rank = (seen * per_mille + 999) / 1000;
  uint64_t in_time = seen - late;
  if (rank <= in_time) return 0;
  return rule.lateness_s.quantile(rank - in_time, late);
}

std::string lateness_text(const RuleLedger& rule) {
  uint64_t late = rule.dropped[static_cast<size_t>(Drop::kLate)], missed = rule.windows_missed;
  double percent = 100 * static_cast<double>(late) / static_cast<double>(std::max<uint64_t>(rule.seen, 1));
  if (late == 0) return missed == 0 ? "" : fmt::format("samples came too late for {} of their windows", missed);
  std::string text = fmt::format("{:.3g} % of the samples came too late", percent);
  return missed == 0 ? text : fmt::format("{}, others for {} of their windows", text, missed);
}

std::string grace_text(double s) {
  if (s <= 0) return "0s";
  if (s < 1) return fmt::format("{}ms", static_cast<int64_t>(std::ceil(s * 1000)));
  if (s < 60) {
    auto tenths = static_cast<int64_t>(std::ceil(s * 10));
    return tenths % 10 ? fmt::format("{}.{}s", tenths / 10, tenths % 10) : fmt::format("{}s", tenths / 10);
  }
  auto whole = static_cast<int64_t>(std::ceil(std::min(s, 9e15)));
  if (whole < 3600) return whole % 60 ? fmt::format("{}m{}s", whole / 60, whole % 60) : fmt::format("{}m", whole / 60);
  int64_t minutes = (whole + 59) / 60;
  return minutes % 60 ? fmt::format("{}h{}m", minutes / 60, minutes % 60) : fmt::format("{}h", minutes / 60);
}

}  // namespace limpet
