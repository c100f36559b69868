#include "rules/function_spec.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "base/suggest.h"

namespace limpet {
namespace {

constexpr std::pair<std::string_view, FunctionKind> kSimple[] = {
    {"count", FunctionKind::kCount},
    {"sum", FunctionKind::kSum},
    {"min", FunctionKind::kMin},
    {"max", FunctionKind::kMax},
    {"mean", FunctionKind::kMean},
    {"range", FunctionKind::kRange},
    {"stddev", FunctionKind::kStddev},
    {"stdev", FunctionKind::kStddev},
    {"variance", FunctionKind::kVariance},
    {"s2", FunctionKind::kVariance},
    {"first", FunctionKind::kFirst},
    {"last", FunctionKind::kLast},
    {"interval", FunctionKind::kInterval},
    {"diff", FunctionKind::kDiff},
    {"percent_change", FunctionKind::kPercentChange},
    {"derivative", FunctionKind::kDerivative},
    {"non_negative_diff", FunctionKind::kNonNegativeDiff},
    {"histogram", FunctionKind::kHistogram},
    {"distinct", FunctionKind::kDistinct},
    {"count_series", FunctionKind::kCountSeries},
    {"increase", FunctionKind::kIncrease},
    {"rate", FunctionKind::kRate},
    {"total", FunctionKind::kTotal},
};
constexpr FunctionKind kOuter[] = {FunctionKind::kCount,   FunctionKind::kSum,  FunctionKind::kMin,
                                   FunctionKind::kMax,     FunctionKind::kMean, FunctionKind::kStddev,
                                   FunctionKind::kQuantile};
constexpr FunctionKind kInner[] = {
    FunctionKind::kCount, FunctionKind::kSum,  FunctionKind::kMin,   FunctionKind::kMax,      FunctionKind::kMean,
    FunctionKind::kFirst, FunctionKind::kLast, FunctionKind::kRange, FunctionKind::kIncrease, FunctionKind::kRate};

std::optional<FunctionKind> simple(std::string_view name) {
  for (const auto& [known, kind] : kSimple)
    if (known == name) return kind;
  return std::nullopt;
}

// What other tools call it.
constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {{"avg", "mean"},
                                                                        {"average", "mean"},
                                                                        {"median", "p50"},
                                                                        {"std", "stddev"},
                                                                        {"std_dev", "stddev"},
                                                                        {"var", "variance"},
                                                                        {"unique", "distinct"},
                                                                        {"cardinality", "distinct"},
                                                                        {"delta", "increase"},
                                                                        {"count_unique", "distinct"},
                                                                        {"non_negative_rate", "rate"},
                                                                        {"percentile", "quantile"},
                                                                        {"non_negative_derivative", "rate"}};

std::string unknown(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const auto& [theirs, ours] : kElsewhere)
    if (lower == theirs) lower = ours;
  if (lower != name && (lower == "p50" || lower == "quantile" || simple(lower)))
    return "unknown function \"" + std::string(name) + "\" (did you mean \"" + lower + "\"?)";
  std::vector<std::string_view> known{"p50", "p99", "p99.9", "quantile"};
  for (const auto& [n, kind] : kSimple) known.push_back(n);
  return "unknown function \"" + std::string(name) + "\"" + did_you_mean(name, known);
}

constexpr int kQuantileDigitsMax = 18, kQuantileDigitsBehindMax = 16;  // a percentage is over 100 times as much

bool is_plain_decimal(std::string_view text) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return std::ranges::any_of(text, digit) && std::ranges::count(text, '.') <= 1 &&
         std::ranges::all_of(text, [&](char c) { return c == '.' || digit(c); });
}

// The digits of a plain decimal and the power of ten they are over; zeros before the first digit are none. False: too
// many digits.
bool parse_decimal(std::string_view text, Quantile& out) {
  uint64_t numerator = 0, denominator = 1;
  int digits = 0, behind = 0;
  bool point = false;
  for (char c : text) {
    if (c == '.') {
      point = true;
      continue;
    }
    if (numerator > 0 || c != '0') digits++;
    if (point) behind++;
    if (digits > kQuantileDigitsMax || behind > kQuantileDigitsBehindMax) return false;
    numerator = numerator * 10 + static_cast<uint64_t>(c - '0');
    denominator *= point ? 10 : 1;
  }
  out.numerator = numerator, out.denominator = denominator;
  return true;
}

// 0.999 as "99_9": the digits of the percentage.
std::string percent_suffix(Quantile q) {
  uint64_t denominator = q.denominator;
  uint64_t n = q.numerator;
  uint64_t hundreds = denominator >= 100 ? denominator / 100 : 1;
  uint64_t scaled = denominator >= 100 ? n : n * (100 / denominator);
  std::string out = "p" + std::to_string(scaled / hundreds);
  std::string digits;
  for (uint64_t left = scaled % hundreds; left != 0 && hundreds > 1; left %= hundreds) {
    hundreds /= 10;
    digits += static_cast<char>('0' + left / hundreds);
  }
  return digits.empty() ? out : out + "_" + digits;
}

std::expected<FunctionSpec, std::string> quantile(std::string_view text, std::string_view digits, uint64_t scale) {
  FunctionSpec spec;
  spec.kind = FunctionKind::kQuantile;
  spec.text = text;
  if (!is_plain_decimal(digits))
    return std::unexpected("\"" + std::string(text) +
                           "\" is no quantile: a plain decimal is expected, as in p99.9 or quantile(0.999)");
  if (!parse_decimal(digits, spec.quantile))
    return std::unexpected("\"" + std::string(text) + "\" has too many digits: a quantile has at most " +
                           std::to_string(kQuantileDigitsMax) + ", and " + std::to_string(kQuantileDigitsBehindMax) +
                           " behind the point");
  spec.quantile.denominator *= scale;
  if (spec.quantile.numerator > spec.quantile.denominator)
    return std::unexpected("\"" + std::string(text) + "\" is out of range: p0 to p100, quantile(0) to quantile(1)");
  if (scale == 1) {
    spec.suffix = percent_suffix(spec.quantile);
  } else {
    spec.suffix = text;
    std::replace(spec.suffix.begin(), spec.suffix.end(), '.', '_');
  }
  return spec;
}

bool is_percentile(std::string_view name) {
  return name.size() > 1 && name[0] == 'p' && (std::isdigit(static_cast<unsigned char>(name[1])) || name[1] == '.');
}

std::expected<FunctionSpec, std::string> histogram(std::string_view text, std::string_view arguments) {
  FunctionSpec spec;
  spec.kind = FunctionKind::kHistogramBounds;
  spec.text = text;
  spec.suffix = "bucket";
  for (size_t at = 0; at <= arguments.size();) {
    size_t comma = std::min(arguments.find(',', at), arguments.size());
    std::string_view word = arguments.substr(at, comma - at);
    double bound = 0;
    auto r = std::from_chars(word.data(), word.data() + word.size(), bound);
    if (r.ec != std::errc() || r.ptr != word.data() + word.size() || !std::isfinite(bound))
      return std::unexpected("\"" + std::string(word) +
                             "\" is no bound: numbers are expected, as in histogram(0.1, 0.5, 1); +Inf is added");
    if (!spec.bounds.empty() && bound <= spec.bounds.back())
      return std::unexpected("the bounds of \"" + std::string(text) + "\" must rise: " + std::string(word) +
                             " does not");
    spec.bounds.push_back(bound == 0 ? 0 : bound);
    at = comma + 1;
  }
  return spec;
}

std::string name_of(FunctionKind kind) {
  if (kind == FunctionKind::kQuantile) return "quantiles";
  for (const auto& [name, k] : kSimple)
    if (k == kind) return std::string(name);
  return {};
}

template <size_t N>
std::string list_of(const FunctionKind (&kinds)[N]) {
  std::string out;
  for (FunctionKind k : kinds) (out.empty() ? out : out += ", ") += name_of(k);
  return out;
}

std::expected<FunctionSpec, std::string> nested(std::string_view text, std::string_view outer, std::string_view inner) {
  auto outside = parse_function(outer);
  if (!outside) return std::unexpected(outside.error());
  if (std::find(std::begin(kOuter), std::end(kOuter), outside->kind) == std::end(kOuter))
    return std::unexpected("\"" + std::string(outer) + "\" cannot stand outside another function: one of " +
                           list_of(kOuter) + " can");
  auto inside = simple(inner);
  if (!inside || std::find(std::begin(kInner), std::end(kInner), *inside) == std::end(kInner)) {
    if (!inside && !is_percentile(inner) && inner.find('(') == inner.npos) return std::unexpected(unknown(inner));
    return std::unexpected("\"" + std::string(inner) + "\" cannot stand inside another function: one of " +
                           list_of(kInner) + " can");
  }
  FunctionSpec spec;
  spec.kind = FunctionKind::kNested;
  spec.text = text;
  spec.outer = outside->kind;
  spec.inner = *inside;
  spec.quantile = outside->quantile;
  spec.suffix = outside->suffix + "_" + std::string(inner);
  return spec;
}

// The parenthesis of the arguments: the last one that stands in no other, as in quantile(0.9)(max).
//                                                                                            ^
size_t arguments_of(std::string_view text) {
  size_t open = text.npos;
  int depth = 0;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '(' && depth++ == 0) open = i;
    if (text[i] == ')') depth--;
  }
  return open;
}

}  // namespace

std::expected<FunctionSpec, std::string> parse_function(std::string_view written) {
  std::string text;
  std::copy_if(written.begin(), written.end(), std::back_inserter(text), [](char c) { return c != ' ' && c != '\t'; });
  if (text.empty()) return std::unexpected("an empty function: a name is expected, as in \"mean\"");
  size_t open = arguments_of(text);
  if (open == text.npos) {
    if (is_percentile(text)) return quantile(text, std::string_view(text).substr(1), 100);
    auto kind = simple(text);
    if (!kind)
      return std::unexpected(text == "quantile" ? "quantile needs its argument, as in quantile(0.99)" : unknown(text));
    FunctionSpec spec;
    spec.kind = *kind;
    spec.suffix = *kind == FunctionKind::kHistogram ? "bucket" : text;
    spec.text = std::move(text);
    return spec;
  }
  if (text.back() != ')') return std::unexpected("\"" + text + "\" lacks its closing ')'");
  std::string_view whole = text;
  std::string_view name = whole.substr(0, open), arguments = whole.substr(open + 1, whole.size() - open - 2);
  if (arguments.empty()) return std::unexpected("\"" + text + "\" has nothing between its parentheses");
  if (name == "quantile" && arguments.find('(') == arguments.npos) return quantile(text, arguments, 1);
  if (name == "histogram") return histogram(text, arguments);
  return nested(text, name, arguments);
}

bool is_counter(const FunctionSpec& spec) {
  auto counts = [](FunctionKind k) {
    return k == FunctionKind::kIncrease || k == FunctionKind::kRate || k == FunctionKind::kTotal;
  };
  return counts(spec.kind == FunctionKind::kNested ? spec.inner : spec.kind);
}

bool is_per_series(const FunctionSpec& spec) { return spec.kind == FunctionKind::kNested || is_counter(spec); }

bool takes_any_type(const FunctionSpec& spec) {
  switch (spec.kind) {
    case FunctionKind::kCount:
    case FunctionKind::kFirst:
    case FunctionKind::kLast:
    case FunctionKind::kDistinct:
    case FunctionKind::kCountSeries:
      return true;
    case FunctionKind::kNested:
      if (spec.inner == FunctionKind::kCount) return true;
      return spec.outer == FunctionKind::kCount &&
             (spec.inner == FunctionKind::kFirst || spec.inner == FunctionKind::kLast);
    default:
      return false;
  }
}

}  // namespace limpet
