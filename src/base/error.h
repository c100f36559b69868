// An error in something a person wrote: where it is and what would be right.
#pragma once

#include <string>

namespace limpet {

// Printed as `file:line:column: error: message`. Lines and columns count from 1; 0 means unknown and is not printed.
struct Diagnostic {
  enum class Severity { kError, kWarning };
  std::string file;
  int line = 0;
  int column = 0;
  std::string message;
  Severity severity = Severity::kError;
};

std::string to_string(const Diagnostic& diagnostic);

}  // namespace limpet
