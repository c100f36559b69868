// What section "Functions" of the rule documentation defines, computed the slow way: keeps every sample, knows no
// panes, no sketches, no partial states. The oracle for everything in src/window.
//
// Exact for numbers that are multiples of 1/8 below 2^40, which sums and squares of some hundred of them keep inside
// 128 bits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/int128.h"
#include "rules/function_spec.h"
#include "window/sample.h"

namespace limpet {

class Reference {
 public:
  void add(const Sample& s) { samples_.push_back({s, std::string(s.text)}); }
  void merge(const Reference& other) { samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end()); }
  size_t size() const { return samples_.size(); }

  std::optional<Value> result(const FunctionSpec& f, int64_t period_ns) const {
    std::vector<Kept> all = taken_by(f);
    if (all.empty()) return std::nullopt;
    switch (f.kind) {
      case FunctionKind::kCount:
        return static_cast<int64_t>(all.size());
      case FunctionKind::kFirst:
        return value_of(earliest(all));
      case FunctionKind::kLast:
        return value_of(latest(all));
      case FunctionKind::kDistinct:
        return distinct(all);
      case FunctionKind::kCountSeries:
        return static_cast<int64_t>(by_series(all).size());
      case FunctionKind::kStddev:
      case FunctionKind::kVariance:
        return spread(f.kind, reals(all));
      case FunctionKind::kQuantile:
        return rank(reals(all), f.quantile);
      case FunctionKind::kNested:
        return nested(f, all, period_ns);
      case FunctionKind::kInterval:
      case FunctionKind::kDiff:
      case FunctionKind::kPercentChange:
      case FunctionKind::kDerivative:
      case FunctionKind::kNonNegativeDiff:
        return between(f.kind, all);
      default:
        return simple(f.kind, all, period_ns);
    }
  }

  // How many numbers are at or below `bound`.
  uint64_t at_or_below(double bound) const {
    return static_cast<uint64_t>(std::count_if(samples_.begin(), samples_.end(), [&](const Kept& k) {
      return k.sample.is_number() && k.sample.number.as_double() <= bound;
    }));
  }
  uint64_t numbers() const { return at_or_below(INFINITY); }

 private:
  struct Kept {
    Sample sample;  // its text is in `text`
    std::string text;
  };
  using Reals = std::vector<double>;

  static bool counts(FunctionKind k) {
    return k == FunctionKind::kIncrease || k == FunctionKind::kRate || k == FunctionKind::kTotal;
  }

  std::vector<Kept> taken_by(const FunctionSpec& f) const {
    bool counter = counts(f.kind) || (f.kind == FunctionKind::kNested && counts(f.inner));
    bool any =
        f.kind == FunctionKind::kCount || f.kind == FunctionKind::kFirst || f.kind == FunctionKind::kLast ||
        f.kind == FunctionKind::kDistinct || f.kind == FunctionKind::kCountSeries ||
        (f.kind == FunctionKind::kNested &&
         (f.inner == FunctionKind::kCount ||
          (f.outer == FunctionKind::kCount && (f.inner == FunctionKind::kFirst || f.inner == FunctionKind::kLast))));
    std::vector<Kept> out;
    for (const Kept& k : samples_) {
      if (!any && !k.sample.is_number()) continue;
      if (counter && !k.sample.step.counted) continue;
      out.push_back(k);
    }
    return out;
  }

  static Value value_of(const Kept& k) {
    return k.sample.kind == ValueKind::kString ? Value(k.text) : k.sample.value();
  }
  static bool before(const Kept& a, const Kept& b) {
    return std::tie(a.sample.time_ns, a.sample.arrival) < std::tie(b.sample.time_ns, b.sample.arrival);
  }
  static const Kept& earliest(const std::vector<Kept>& all) {
    return *std::min_element(all.begin(), all.end(), before);
  }
  static const Kept& latest(const std::vector<Kept>& all) { return *std::max_element(all.begin(), all.end(), before); }

  static Reals reals(const std::vector<Kept>& all) {
    Reals out;
    for (const Kept& k : all) out.push_back(k.sample.number.as_double());
    return out;
  }
  static Reals increases(const std::vector<Kept>& all) {
    Reals out;
    for (const Kept& k : all) out.push_back(k.sample.step.increase.as_double());
    return out;
  }
  static std::map<uint64_t, std::vector<Kept>> by_series(const std::vector<Kept>& all) {
    std::map<uint64_t, std::vector<Kept>> out;
    for (const Kept& k : all) out[k.sample.series_hash].push_back(k);
    return out;
  }

  static int128 eighths(double v) { return static_cast<int128>(v * 8); }
  static double sum(const Reals& values) {
    int128 s = 0;
    for (double v : values) s += eighths(v);
    return static_cast<double>(s) / 8;
  }
  static double mean(const Reals& values) {
    int128 s = 0;
    for (double v : values) s += eighths(v);
    return static_cast<double>(static_cast<long double>(s) / 8 / static_cast<long double>(values.size()));
  }
  static std::optional<Value> spread(FunctionKind kind, const Reals& values) {
    if (values.size() < 2) return std::nullopt;
    int128 s = 0, q = 0;
    auto n = static_cast<int128>(values.size());
    for (double v : values) s += eighths(v), q += eighths(v) * eighths(v);
    long double variance = static_cast<long double>(n * q - s * s) / 64 / static_cast<long double>(n * (n - 1));
    return static_cast<double>(kind == FunctionKind::kStddev ? std::sqrt(variance) : variance);
  }
  static double rank(Reals values, Quantile q) {
    std::sort(values.begin(), values.end());
    auto scaled = static_cast<uint128>(q.numerator) * values.size();
    size_t at = 1;
    while (at < values.size() && static_cast<uint128>(at) * q.denominator < scaled) at++;
    return values[at - 1];
  }
  static double least(const Reals& v) { return *std::min_element(v.begin(), v.end()); }
  static double greatest(const Reals& v) { return *std::max_element(v.begin(), v.end()); }

  static int64_t distinct(const std::vector<Kept>& all) {
    std::set<double> numbers;  // exact: integers of tests are below 2^53
    std::set<std::string> texts;
    std::set<bool> bools;
    for (const Kept& k : all) {
      if (k.sample.is_number()) numbers.insert(k.sample.number.as_double());
      if (k.sample.kind == ValueKind::kString) texts.insert(k.text);
      if (k.sample.kind == ValueKind::kBool) bools.insert(k.sample.boolean);
    }
    return static_cast<int64_t>(numbers.size() + texts.size() + bools.size());
  }

  static std::optional<Value> between(FunctionKind kind, const std::vector<Kept>& all) {
    if (all.size() < 2) return std::nullopt;
    const Sample &first = earliest(all).sample, &last = latest(all).sample;
    int64_t ns = last.time_ns - first.time_ns;
    double from = first.number.as_double(), diff = last.number.as_double() - from;
    if (kind == FunctionKind::kInterval) return ns;
    if (kind == FunctionKind::kDiff) return diff;
    if (kind == FunctionKind::kNonNegativeDiff) return diff < 0 ? std::optional<Value>() : diff;
    if (kind == FunctionKind::kPercentChange) return from == 0 ? std::optional<Value>() : diff / from * 100;
    return ns == 0 ? std::optional<Value>() : diff / (static_cast<double>(ns) / 1e9);
  }

  // Of what is not empty; of INNER too.
  static double simple(FunctionKind kind, const std::vector<Kept>& all, int64_t period_ns) {
    Reals values = reals(all);
    switch (kind) {
      case FunctionKind::kCount:
        return static_cast<double>(all.size());
      case FunctionKind::kSum:
        return sum(values);
      case FunctionKind::kMean:
        return mean(values);
      case FunctionKind::kMin:
        return least(values);
      case FunctionKind::kMax:
        return greatest(values);
      case FunctionKind::kRange:
        return greatest(values) - least(values);
      case FunctionKind::kIncrease:
        return sum(increases(all));
      case FunctionKind::kRate:
        return sum(increases(all)) / (static_cast<double>(period_ns) / 1e9);
      case FunctionKind::kFirst:
        return earliest(all).sample.number.as_double();
      default:  // kLast
        return latest(all).sample.number.as_double();
    }
  }

  static std::optional<Value> nested(const FunctionSpec& f, const std::vector<Kept>& all, int64_t period_ns) {
    Reals values;
    for (const auto& [series, of_series] : by_series(all)) values.push_back(simple(f.inner, of_series, period_ns));
    switch (f.outer) {
      case FunctionKind::kCount:
        return static_cast<int64_t>(values.size());
      case FunctionKind::kStddev:
        return two_pass_stddev(values);
      case FunctionKind::kQuantile:
        return rank(values, f.quantile);
      case FunctionKind::kMin:
        return least(values);
      case FunctionKind::kMax:
        return greatest(values);
      default:
        break;
    }
    long double s = 0;  // INNER values need not be eighths
    for (double v : values) s += v;
    return static_cast<double>(f.outer == FunctionKind::kMean ? s / static_cast<long double>(values.size()) : s);
  }
  static std::optional<Value> two_pass_stddev(const Reals& values) {
    if (values.size() < 2) return std::nullopt;
    long double s = 0, q = 0;
    for (double v : values) s += v;
    long double centre = s / static_cast<long double>(values.size());
    for (double v : values) q += (v - centre) * (v - centre);
    return static_cast<double>(std::sqrt(q / static_cast<long double>(values.size() - 1)));
  }

  std::vector<Kept> samples_;
};

}  // namespace limpet
