// An engine with rules in place, fed with text.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace limpet {

class NoLog : public Log {
 public:
  void write(LogLevel, std::string_view text) override { texts.emplace_back(text); }
  std::vector<std::string> texts;
};

inline std::shared_ptr<const RuleSet> rules_of(const std::string& text) {
  LoadedRules loaded = load_rules({{"rules.toml", text}});
  for (const Diagnostic& d : loaded.diagnostics)
    if (d.severity == Diagnostic::Severity::kError) FAIL(to_string(d));
  return loaded.rules;
}

class TestEngine {
 public:
  explicit TestEngine(const std::string& rules, EngineOptions options = replay(), int64_t now_ns = 0)
      : engine(options, log) {
    engine.set_rules(rules_of(rules), {now_ns});
  }
  static EngineOptions replay() {
    EngineOptions options;
    options.clock = ClockSource::kData;
    return options;
  }
  static EngineOptions live(int64_t started_ns) {
    EngineOptions options;
    options.started = {started_ns};
    options.incarnation = "abc";
    return options;
  }

  IngestResult feed(std::string text, int64_t now_ns = 0, bool last = false) {
    size_t size = text.size();
    text.append(kBlockPadding, '\xff');
    Block block;
    block.text = std::string_view(text).substr(0, size);
    block.last = last;
    return engine.ingest(block, {now_ns});
  }
  // All results so far, sorted; takes them.
  std::string results(size_t step = SIZE_MAX) {
    while (engine.emission_pending()) engine.emit(step);
    std::vector<std::string> lines;
    std::string& all = engine.results();
    for (size_t at = 0; at < all.size();) {
      size_t end = all.find('\n', at);
      lines.push_back(all.substr(at, end - at + 1));
      at = end + 1;
    }
    all.clear();
    std::sort(lines.begin(), lines.end());
    std::string out;
    for (const std::string& line : lines) out += line;
    return out;
  }
  std::string finish(int64_t now_ns = 0, StopMode mode = StopMode::kAll) {
    engine.stop(mode, {now_ns});
    return results();
  }

  NoLog log;
  Engine engine;
};

}  // namespace limpet
