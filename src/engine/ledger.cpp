#include "engine/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

namespace limpet {
namespace {

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  out += '"';
}

template <typename Reason, size_t N>
void append_reasons(std::string& out, const std::array<uint64_t, N>& counts) {
  out += '{';
  for (size_t i = 0; i < N; i++) {
    if (counts[i] == 0) continue;
    if (out.back() != '{') out += ',';
    fmt::format_to(std::back_inserter(out), "\"{}\":{}", reason(static_cast<Reason>(i)), counts[i]);
  }
  out += '}';
}

}  // namespace

std::string_view reason(Drop drop) {
  constexpr std::string_view kNames[kDropReasons] = {"late", "future", "type", "out_of_order", "limit", "unowned"};
  return kNames[static_cast<size_t>(drop)];
}

uint64_t LineLedger::bad_total() const { return std::accumulate(bad.begin(), bad.end(), uint64_t{0}); }
uint64_t RuleLedger::dropped_total() const { return std::accumulate(dropped.begin(), dropped.end(), uint64_t{0}); }

bool Ledger::balances() const {
  return lines.balances() &&
         std::all_of(rules.begin(), rules.end(), [](const auto& rule) { return rule.second.balances(); });
}

std::string Ledger::to_json() const {
  std::string out = fmt::format("{{\"lines\":{{\"read\":{},\"bad\":", lines.read);
  append_reasons<BadLine>(out, lines.bad);
  fmt::format_to(std::back_inserter(out),
                 ",\"written_back\":{},\"original_dropped\":{},\"unowned\":{},\"shed\":{}}},\"rules\":{{",
                 lines.written_back, lines.original_dropped, lines.unowned, lines.shed);
  for (const auto& [name, rule] : rules) {
    if (out.back() != '{') out += ',';
    append_json_string(out, name);
    fmt::format_to(std::back_inserter(out), ":{{\"seen\":{},\"aggregated\":{},\"forwarded\":{},\"dropped\":", rule.seen,
                   rule.aggregated, rule.forwarded);
    append_reasons<Drop>(out, rule.dropped);
    out += '}';
  }
  return out += "}}";
}

}  // namespace limpet
