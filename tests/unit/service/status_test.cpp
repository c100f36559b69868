#include "service/status.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "io/files.h"
#include "lineproto/parse.h"

using namespace limpet;

namespace {

struct Sample {
  ProcessStatus process;
  Ledger ledger;
  Status status() const {
    return {process,
            ledger,
            {.series = 3, .groups = 2, .state_bytes = 100, .frozen_groups = 1, .emission_lag_ns = 1'500'000'000}};
  }
};

Sample sample() {
  Sample s;
  s.process.pod = "a b";
  s.process.now = {17};
  s.ledger.lines.read = 10;
  s.ledger.lines.bad[static_cast<size_t>(BadLine::kField)] = 2;
  RuleLedger& rule = s.ledger.rules["quote\" and, comma"];
  rule.seen = 5, rule.aggregated = 4;
  rule.dropped[static_cast<size_t>(Drop::kLate)] = 1;
  rule.lateness_s.add(8, 1);
  return s;
}

const Value* field(const Point& point, std::string_view name) {
  for (const auto& [key, value] : point.fields)
    if (key == name) return &value;
  return nullptr;
}

}  // namespace

TEST_CASE("the lines about itself are line protocol and hold the numbers") {
  std::string text = status_lines(sample().status());
  size_t newline = text.find('\n');
  auto process = parse_line(text.substr(0, newline), Dialect::kTelegraf);
  auto rule = parse_line(text.substr(newline + 1, text.size() - newline - 2), Dialect::kTelegraf);
  REQUIRE(process);
  REQUIRE(rule);
  CHECK(process->name == "limpet");
  CHECK(process->tags == std::vector<Tag>{{"pod", "a b"}});
  CHECK(*field(*process, "lines_bad") == Value(int64_t{2}));
  CHECK(*field(*process, "emission_lag_s") == Value(1.5));
  CHECK(process->time_ns == 17);
  CHECK(rule->name == "limpet_rule");
  CHECK(rule->tags[1].second == "quote\" and, comma");
  CHECK(*field(*rule, "dropped") == Value(int64_t{1}));
  CHECK(*field(*rule, "dropped_late") == Value(int64_t{1}));
  CHECK(std::get<double>(*field(*rule, "grace_p99_s")) == doctest::Approx(8).epsilon(0.01));
}

TEST_CASE("the Prometheus text is well formed: each family once, typed, with its samples behind it") {
  std::string text = status_prometheus(sample().status());
  std::istringstream in(text);
  std::set<std::string> families;
  std::string line, family;
  while (std::getline(in, line)) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK_MESSAGE(families.insert(family).second, family);
      std::getline(in, line);
      CHECK(line == "# TYPE " + family + (family.ends_with("_total") ? " counter" : " gauge"));
      continue;
    }
    CHECK_MESSAGE((line.starts_with(family + " ") || line.starts_with(family + "{")), line);
  }
  CHECK(text.find("limpet_lines_read_total 10\n") != text.npos);
  CHECK(text.find("limpet_lines_bad_total{reason=\"field\"} 2\n") != text.npos);
  CHECK(text.find("limpet_rule_samples_dropped_total{rule=\"quote\\\" and, comma\",reason=\"late\"} 1\n") != text.npos);
}

TEST_CASE("the JSON forms hold the ledger") {
  Sample s = sample();
  auto status = nlohmann::json::parse(status_json(s.status()));
  CHECK(status["pod"] == "a b");
  CHECK(status["gauges"]["series"] == 3);
  CHECK(status["ledger"]["lines"]["read"] == 10);
  auto stats = nlohmann::json::parse(status_stats(s.status()));
  CHECK(stats["lines"]["read"] == 10);
  CHECK(stats["rules"].size() == 1);
  CHECK(stats["gauges"]["groups"] == 2);
}

TEST_CASE("text that is no UTF-8 does not break the JSON") {
  Sample s = sample();
  s.process.pod = "\xff";
  CHECK(nlohmann::json::accept(status_json(s.status())));
}

TEST_CASE("every metric is documented") {
  std::string documented = *read_file(LIMPET_TEST_DATA "/../../docs/metrics.md");
  std::istringstream in(status_prometheus(sample().status()));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("# TYPE ")) {
      std::string name = line.substr(7, line.find(' ', 7) - 7);
      CHECK_MESSAGE(documented.find('`' + name) != documented.npos, name);
    }
  auto process = parse_line(status_lines(sample().status()).substr(0, status_lines(sample().status()).find('\n')),
                            Dialect::kTelegraf);
  REQUIRE(process);
  for (const auto& [name, value] : process->fields)
    CHECK_MESSAGE(documented.find("| `" + name + "` |") != documented.npos, name);
}
