// Values of a TOML table by their keys, each fault reported where it stands. Internal to this folder.
#pragma once

#include <toml++/toml.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/suggest.h"
#include "rules/build.h"
#include "rules/duration.h"

namespace limpet {

inline std::string quoted(std::string_view s) { return "\"" + std::string(s) + "\""; }

// One file while it is read.
class FileReader {
 public:
  FileReader(const SourceFile& file, std::vector<Diagnostic>& diagnostics) : file_(file), diagnostics_(diagnostics) {}

  void error(const toml::source_region& at, std::string message) {
    report(at, std::move(message), Diagnostic::Severity::kError);
  }
  // Once: what stands in [defaults] is read again by every rule.
  void report(const toml::source_region& at, std::string message, Diagnostic::Severity severity) {
    faults_++;
    if (!reported_.insert({at.begin.line, at.begin.column, message}).second) return;
    diagnostics_.push_back(
        {file_.path, static_cast<int>(at.begin.line), static_cast<int>(at.begin.column), std::move(message), severity});
  }
  const SourceFile& file() const { return file_; }
  size_t faults() const { return faults_; }  // errors met, each time anew

 private:
  const SourceFile& file_;
  size_t faults_ = 0;
  std::vector<Diagnostic>& diagnostics_;
  std::set<std::tuple<toml::source_index, toml::source_index, std::string>> reported_;
};

// A table of a rule with the defaults behind it: a key is looked up in the first, then in the second.
class Keys {
 public:
  Keys(FileReader& reader, const toml::table& rule, const toml::table* defaults)
      : reader_(reader), rule_(rule), defaults_(defaults) {}

  const toml::node* find(std::string_view key) const {
    if (const toml::node* node = rule_.get(key)) return node;
    return defaults_ ? defaults_->get(key) : nullptr;
  }
  bool own(std::string_view key) const { return rule_.get(key) != nullptr; }
  void error(const toml::node& at, std::string message) { reader_.error(at.source(), std::move(message)); }

  void text(std::string_view key, std::string& out) {
    const toml::node* node = find(key);
    if (!node) return;
    if (auto v = node->value_exact<std::string>())
      out = *v;
    else
      error(*node, quoted(key) + " must be a string, as in " + std::string(key) + " = \"...\"");
  }
  void boolean(std::string_view key, bool& out) {
    const toml::node* node = find(key);
    if (!node) return;
    if (auto v = node->value_exact<bool>())
      out = *v;
    else
      error(*node, quoted(key) + " must be true or false, without quotes");
  }
  void duration(std::string_view key, int64_t& out, int64_t at_least_ns = 0, int64_t at_most_ns = kDurationMaxNs) {
    const toml::node* node = find(key);
    if (!node) return;
    auto v = node->value_exact<std::string>();
    if (!v)
      return error(*node, quoted(key) + " must be a duration in quotes, as in " + std::string(key) + " = \"10s\"");
    auto ns = parse_duration(*v);
    if (!ns && ns.error() == DurationFault::kMalformed)
      return error(
          *node,
          quoted(*v) + " is no duration: numbers with the units ns, us, ms, s, m, h, d are expected, as in \"1m30s\"");
    if (!ns || *ns > at_most_ns)
      return error(*node, quoted(key) + " is too long: at most " + format_duration(at_most_ns) + " are possible, not " +
                              quoted(*v));
    if (*ns < at_least_ns)
      return error(*node, quoted(key) + " must be at least " + format_duration(at_least_ns) + ", not " + quoted(*v));
    out = *ns;
  }
  // One of some words; `f` gets its index.
  void word(std::string_view key, std::initializer_list<std::string_view> words, const std::function<void(size_t)>& f) {
    const toml::node* node = find(key);
    if (!node) return;
    auto v = node->value_exact<std::string>();
    auto it = v ? std::find(words.begin(), words.end(), *v) : words.end();
    if (it != words.end()) return f(static_cast<size_t>(it - words.begin()));
    std::string all;
    for (std::string_view w : words) (all.empty() ? all : all += ", ") += quoted(w);
    error(*node, quoted(key) + " must be one of " + all +
                     (v ? ", not " + quoted(*v) + did_you_mean(*v, {words.begin(), words.size()}) : ""));
  }
  std::vector<std::string> strings(const toml::node& node, std::string_view key) {
    std::vector<std::string> out;
    const toml::array* array = node.as_array();
    if (!array) {
      error(node, quoted(key) + " must be a list of strings, as in " + std::string(key) + " = [\"...\"]");
      return out;
    }
    for (const toml::node& element : *array) {
      if (auto v = element.value_exact<std::string>())
        out.push_back(*v);
      else
        error(element, quoted(key) + " must hold strings only");
    }
    return out;
  }
  void filter(std::string_view key, Filter& out, std::string_view separator_key = {}) {
    const toml::node* node = find(key);
    if (!node) return;
    std::string separators;
    if (!separator_key.empty()) text(separator_key, separators);
    compile(*node, strings(*node, key), separators, out);
  }
  void compile(const toml::node& at, const std::vector<std::string>& patterns, std::string_view separators,
               Filter& out) {
    auto compiled = Filter::compile(patterns, separators);
    if (compiled)
      out = std::move(*compiled);
    else
      error(at, compiled.error());
  }
  void tag_filters(std::string_view key, std::vector<std::pair<std::string, Filter>>& out) {
    const toml::node* node = find(key);
    if (!node) return;
    const toml::table* table = node->as_table();
    if (!table)
      return error(*node,
                   quoted(key) + " must be a table of lists, as in " + std::string(key) + " = { env = [\"prod-*\"] }");
    for (const auto& [tag, values] : *table) {
      Filter filter;
      if (values.is_string())
        compile(values, {*values.value_exact<std::string>()}, {}, filter);
      else
        compile(values, strings(values, tag.str()), {}, filter);
      // An empty list is a condition too, which nothing meets.
      out.emplace_back(std::string(tag.str()), std::move(filter));
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  }

 private:
  FileReader& reader_;
  const toml::table& rule_;
  const toml::table* defaults_;
};

}  // namespace limpet
