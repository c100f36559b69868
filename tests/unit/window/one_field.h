// One field of one group, with the functions a rule gives it: samples in, values out as text. For tests that show a
// definition by example.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "rules/rule_set.h"
#include "tests/unit/window/cells.h"
#include "window/result.h"

namespace limpet {

// Where and when a sample came from, and what its counter made of it.
struct At {
  int64_t time_ns = 0;
  uint64_t series = 1;
  std::optional<double> increase = std::nullopt;  // none: not counted
};

// `value` keeps the text that the sample points into.
inline Sample sample_of(const Value& value, const At& at, uint64_t arrival) {
  Sample s;
  s.kind = kind_of(value);
  if (const auto* f = std::get_if<double>(&value)) s.number = Number::of(*f);
  if (const auto* i = std::get_if<int64_t>(&value)) s.number = Number::of(*i);
  if (const auto* u = std::get_if<uint64_t>(&value)) s.number = Number::of(*u);
  if (const auto* b = std::get_if<bool>(&value)) s.boolean = *b;
  if (const auto* t = std::get_if<std::string>(&value)) s.text = *t;
  s.time_ns = at.time_ns, s.arrival = arrival, s.series_hash = at.series;
  if (at.increase) s.step = {true, Number::of(*at.increase)};
  return s;
}

inline std::shared_ptr<const RuleSet> rule_with(const std::string& functions) {
  LoadedRules loaded =
      load_rules({{"r.toml", "[[rule]]\nname = \"r\"\nperiod = \"1m\"\n[rule.fields]\nv = [" + functions + "]\n"}});
  for (const Diagnostic& d : loaded.diagnostics) MESSAGE(to_string(d));
  REQUIRE(loaded.ok());
  return loaded.rules;
}

class OneField {
 public:
  // `functions` as in a rules file: `"sum", "p99"`.
  explicit OneField(const std::string& functions, int64_t period_ns = kMinuteNs)
      : rules_(rule_with(functions)), program_(rules_->rules()[0], "v"), period_ns_(period_ns) {}

  // True if a function took it.
  bool add(const Value& value, const At& at = {}) { return cells_.add(program_, sample_of(value, at, ++arrival_)); }
  OneField& with(std::initializer_list<Value> values) {
    for (const Value& v : values) add(v, {static_cast<int64_t>(arrival_), 1, std::nullopt});
    return *this;
  }
  void total(double v) { total_ = {v, 0}; }

  std::string value(size_t function = 0) const {
    return show(result_of(program_.functions.at(function), program_, cells_.window(program_, period_ns_, total_)));
  }
  double real(size_t function = 0) const {
    return std::get<double>(
        *result_of(program_.functions.at(function), program_, cells_.window(program_, period_ns_, total_)));
  }
  // "le=0.1 2, le=+Inf 3"
  std::string buckets(size_t function = 0) const {
    std::string out;
    for_each_bucket(
        program_.functions.at(function), program_, cells_.window(program_, period_ns_),
        [&](std::string_view le, uint64_t n) { out += fmt::format("{}le={} {}", out.empty() ? "" : ", ", le, n); });
    return out;
  }
  const FieldProgram& program() const { return program_; }
  Cells& cells() { return cells_; }

 private:
  std::shared_ptr<const RuleSet> rules_;
  FieldProgram program_;
  int64_t period_ns_;
  Cells cells_;
  DoubleDouble total_;
  uint64_t arrival_ = 0;
};

}  // namespace limpet
