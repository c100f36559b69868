#include "service/rule_test.h"

#include <doctest/doctest.h>

#include "io/files.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/service/quiet_log.h"

using namespace limpet;

namespace {

RuleTestReport run(const std::string& tests) {
  constexpr const char* kRules =
      "rules_text = \"\"\"[[rule]]\nname = 'r'\nperiod = '10s'\n[rule.fields]\nv = ['count']\n\"\"\"\n";
  TemporaryDirectory directory;
  REQUIRE(write_file(directory.path("t.toml"), kRules + tests));
  QuietLog log;
  return run_rule_tests(directory.path("t.toml"), log);
}

}  // namespace

TEST_CASE("a reload within one test leaves the next one its rules") {
  for (const char* text : {"[[rule]]\nname = 'r'\nperiod = '10s'\n[rule.fields]\nv = ['sum']\n", ""}) {
    RuleTestReport report =
        run(std::string("[[test]]\nname = 'reloads'\n[[test.step]]\nreload = \"\"\"") + text +
            "\"\"\"\n[[test]]\nname = 'next'\ninput = 'm v=5 1'\nexpect = 'm v_count=1i 10000000000'\n");
    CHECK(report.diagnostics.empty());
    CHECK(report.tests == 2);
    CHECK(report.failures.empty());
  }
}

TEST_CASE("a reload with errors fails its test, and the tests behind it run") {
  RuleTestReport report =
      run("[[test]]\nname = 'reloads'\n[[test.step]]\nreload = '[[rule]]'\n"
          "[[test]]\nname = 'next'\ninput = 'm v=5 1'\nexpect = ''\n");
  CHECK(!report.diagnostics.empty());
  CHECK(report.tests == 2);
  REQUIRE(report.failures.size() == 2);
  CHECK(report.failures[0].test == "reloads");
  CHECK(report.failures[1].test == "next");
}

TEST_CASE("a value of the wrong kind is an error, not a test that expects nothing") {
  for (const char* text : {"expect = ['m v_count=1i 1']", "input = 5", "written_back = true", "dropped = 'late'",
                           "dropped = { r = 5 }", "dropped = { r = { late = 'one' } }", "step = 'x'",
                           "[[test.step]]\nend = 'yes'", "[[test.step]]\nreload = 1"}) {
    RuleTestReport report = run("[[test]]\nname = 't'\n" + std::string(text) + "\n");
    CAPTURE(text);
    REQUIRE(report.diagnostics.size() == 1);
    CHECK(report.diagnostics[0].message.find(" must be ") != std::string::npos);
    CHECK(report.failures.size() == 1);
  }
}

TEST_CASE("a misspelt reason is an error at its place, not a count of nothing") {
  RuleTestReport report = run("[[test]]\nname = 't'\ndropped = { r = { lat = 5 } }\n");
  REQUIRE(report.diagnostics.size() == 1);
  CHECK(report.diagnostics[0].line == 9);
  CHECK(report.diagnostics[0].column == 19);
  CHECK(report.diagnostics[0].message == "unknown key \"lat\" in \"dropped\" (did you mean \"late\"?)");
}

TEST_CASE("each bad line of the input fails the test, in its step, with its number and why") {
  RuleTestReport report = run(
      "[[test]]\nname = 't'\ninput = 'm v='\nexpect = ''\n"
      "[[test]]\nname = 'steps'\n[[test.step]]\ninput = 'm v=1 1'\nsilent = true\n"
      "[[test.step]]\ninput = \"\"\"\nm v=1\nm\n\n# x\nm s=\"a\nb\",v=1 2\nm v=1 x\n\"\"\"\nsilent = true\n"
      "[[test]]\nname = 'no time'\ninput = \"m v=1\\nm v=2\\nm v=3 1\\nm v=4\"\nexpect = 'm v_count=2i 10000000000'\n");
  CHECK(report.diagnostics.empty());
  REQUIRE(report.failures.size() == 3);
  CHECK(report.failures[0].difference ==
        "  line 1 of the input, column 5: expected a field value, but the line ends\n");
  CHECK(report.failures[1].difference ==
        "  step 2:\n"
        "  line 2 of the input, column 2: expected a blank and a field, but the line ends\n"
        "  line 7 of the input, column 7: expected a timestamp, got \"x\"\n");
  CHECK(report.failures[2].difference ==
        "  line 1 of the input, column 6: expected a timestamp: no line before has one\n"
        "  line 2 of the input, column 6: expected a timestamp: no line before has one\n");
}
