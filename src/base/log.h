// The log: one line per event, in the form Telegraf reads from a child's stderr (`E! text`). Implementations never
// block and never throw.
#pragma once

#include <string_view>

namespace limpet {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

class Log {
 public:
  virtual ~Log() = default;
  // `text` without prefix and newline; control characters are replaced, too long a text is cut.
  virtual void write(LogLevel level, std::string_view text) = 0;

  void error(std::string_view text) { write(LogLevel::kError, text); }
  void warning(std::string_view text) { write(LogLevel::kWarning, text); }
  void info(std::string_view text) { write(LogLevel::kInfo, text); }
  void debug(std::string_view text) { write(LogLevel::kDebug, text); }
};

}  // namespace limpet
