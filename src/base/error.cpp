#include "base/error.h"

#include <fmt/format.h>

namespace limpet {

std::string to_string(const Diagnostic& d) {
  const char* severity = d.severity == Diagnostic::Severity::kError ? "error" : "warning";
  if (d.file.empty()) return fmt::format("{}: {}", severity, d.message);
  if (d.line == 0) return fmt::format("{}: {}: {}", d.file, severity, d.message);
  return fmt::format("{}:{}:{}: {}: {}", d.file, d.line, d.column, severity, d.message);
}

}  // namespace limpet
