// Any bytes as lines: the ledger balances, every result can be read, and the fast path agrees with the full parser, to
// which a blank in front of a line leads.
#include <cstdlib>
#include <set>
#include <string>

#include "engine/engine.h"

using namespace limpet;

namespace {

class NoLog : public Log {
  void write(LogLevel, std::string_view) override {}
};

const std::shared_ptr<const RuleSet>& rules() {
  static const LoadedRules loaded = load_rules(
      {{"r.toml",
        "[[rule]]\nname = \"r\"\nperiod = \"4s\"\nevery = \"2s\"\ngrace = \"1s\"\nnamepass = [\"*\"]\nwithout = "
        "[\"a\"]\nlate = \"correct\"\ntags = { own = \"x y\" }\n"
        "max_groups = 3\n[rule.fields]\n\"*\" = [\"count\", \"last\", \"distinct\", \"increase\", \"sum(last)\"]\n"}});
  return loaded.rules;
}

// With a name, and no tag or field twice.
bool is_readable(std::string_view result) {
  auto point = parse_line(result, Dialect::kTelegraf);
  if (!point || point->name.empty()) return false;
  std::set<std::string> names;
  for (const auto& [name, value] : point->tags)
    if (!names.insert("tag " + name).second) return false;
  for (const auto& [name, value] : point->fields)
    if (!names.insert("field " + name).second) return false;
  return true;
}

std::string run(const std::string& lines) {
  NoLog log;
  EngineOptions options;
  options.clock = ClockSource::kData;
  Engine engine(options, log);
  engine.set_rules(rules(), {});
  std::string text = lines;
  text.append(kBlockPadding, '1');
  Block block;
  block.text = std::string_view(text).substr(0, lines.size());
  block.last = true;
  engine.ingest(block, {});
  engine.stop(StopMode::kAll, {});
  engine.emit(SIZE_MAX);
  if (!engine.ledger().balances()) std::abort();
  // Which groups come first is no promise: a bad line may have made its series known, or not.
  std::multiset<std::string> sorted;
  for (std::string_view all = engine.results(); !all.empty();) {
    LineEnd end = find_line_end(all, Dialect::kTelegraf);  // strings may hold newlines
    sorted.emplace(all.substr(0, end.size));
    all.remove_prefix(end.next);
  }
  std::string out;
  for (const std::string& line : sorted) {
    if (!is_readable(line)) std::abort();
    out += line + "\n";
  }
  return out + engine.ledger().to_json();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size), indented;
  for (std::string_view rest = text; !rest.empty();) {
    LineEnd end = find_line_end(rest, Dialect::kTelegraf);
    indented += ' ';
    indented += rest.substr(0, end.next);
    rest.remove_prefix(end.next);
  }
  if (run(text) != run(indented)) std::abort();
  return 0;
}
