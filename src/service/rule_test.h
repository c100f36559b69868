// Unit tests of rules, written in TOML: lines and a clock in, expected lines out (`limpet test`). The same files are
// this project's golden tests.
//
//   rules = ["http.toml"]              seen from the test file; or rules_text = """...""" in place
//   [[test]]
//   name = "a late sample is dropped"
//   input = """lines"""
//   expect = """lines"""               results, in any order; all windows are emitted at the end, as in replay
//   written_back = """lines"""         optional: lines that pass through, in order
//   dropped = { RULE = { late = 1 } }  optional: samples of a rule by reason, exactly these
//
//   [[test.step]]                      instead of input: one after another, each with
//   input, clock, reload, end, expect, written_back
//
// Without `expect` and `written_back` a step expects no results; with silent = true it does not look yet. `end` ends
// the input. `clock` moves time on (ns since 1970, or a TOML date-time); `reload` is the text of the rules from then
// on. A bad line of the input fails the test, and so does an error in it or in its rules.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "rules/rule_set.h"

namespace limpet {

struct RuleTestFailure {
  std::string test;
  std::string difference;  // errors and bad lines; lines with `-` (expected, missing) and `+` (not expected)
};

struct RuleTestReport {
  std::vector<Diagnostic> diagnostics;  // of the test file or its rules
  std::vector<RuleTestFailure> failures;
  size_t tests = 0;
  bool ok() const { return diagnostics.empty() && failures.empty(); }
};

bool looks_like_rule_test(const SourceFile& file);
RuleTestReport run_rule_tests(const std::string& path, Log& log);

}  // namespace limpet
