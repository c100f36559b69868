// Writes metrics in Prometheus's text format 0.0.4.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>

namespace limpet {

// A label's value: backslash, quote and newline escaped.
inline std::string prometheus_label(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"')
      out += '\\', out += c;
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

class PrometheusText {
 public:
  // The head of a metric; its samples follow. Counters end in _total.
  void family(std::string_view name, std::string_view help) {
    family(name, help, name.ends_with("_total") ? "counter" : "gauge");
  }
  void family(std::string_view name, std::string_view help, std::string_view type) {
    fmt::format_to(std::back_inserter(out_), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  }
  void sample(std::string_view name, std::string_view labels, double value) {
    out_ += name;
    if (!labels.empty()) out_.append("{").append(labels).append("}");
    fmt::format_to(std::back_inserter(out_), " {}\n", value);
  }
  void single(std::string_view name, std::string_view help, double value) {
    family(name, help);
    sample(name, "", value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace limpet
