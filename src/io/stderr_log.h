// The log on stderr, one line per event, as Telegraf reads it from a child: `E! text` at column 0, shorter than
// limits::kLogLineBytesMax.
//
// Never blocks: what a full pipe does not take is dropped and counted, and the next line that gets through says how
// many. Messages of one kind (same words; digits and quoted texts may differ) are let through a few at a time; how many
// were held back is said with the next of the kind, or at the end. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/log.h"
#include "base/time.h"

namespace limpet {

enum class LogStyle : uint8_t {
  kTelegraf,  // "E! text"
  kConsole    // "limpet: error: text", for commands that people start
};

// Which messages get through; pure. Remembers a bounded number of kinds.
class LogLimiter {
 public:
  struct Verdict {
    bool pass = true;
    uint64_t held_back = 0;  // of this kind since the last that passed
  };
  Verdict judge(std::string_view text, MonoTime now);
  // All kinds together that were held back and not told yet.
  uint64_t untold() const;

  static constexpr int kBurst = 5;                     // of one kind at once, then
  static constexpr int64_t kEveryNs = 10 * kSecondNs;  // one in this time
  static constexpr size_t kKindsMax = 256;             // beyond it, new kinds share one

 private:
  struct Kind {
    double tokens = kBurst;
    MonoTime last;
    uint64_t held_back = 0;
  };
  std::unordered_map<uint64_t, Kind> kinds_;
};

class StderrLog : public Log {
 public:
  // Writes to `fd` (not owned). In Telegraf's style, a pipe or socket is set non-blocking and set back at the end.
  StderrLog(int fd, LogStyle style, LogLevel level, std::function<MonoTime()> clock);
  ~StderrLog() override;
  StderrLog(const StderrLog&) = delete;
  StderrLog& operator=(const StderrLog&) = delete;

  void write(LogLevel level, std::string_view text) override;
  void set_level(LogLevel level);
  // The last thing before the process ends: tells what was held back and gives the reader of a pipe a moment to take it
  // all. What is written later is dropped.
  void finish();
  // Lines that a full pipe did not take.
  uint64_t dropped() const;

 private:
  void print(LogLevel level, std::string_view text);

  const int fd_;
  const LogStyle style_;
  const std::function<MonoTime()> clock_;
  mutable std::mutex mutex_;
  LogLevel level_;
  LogLimiter limiter_;
  uint64_t dropped_ = 0, untold_drops_ = 0;
  bool was_blocking_ = false;
  bool finished_ = false;
  bool torn_ = false;  // the last line that was written lacks its end
};

// The process's monotonic clock.
MonoTime monotonic_now();
// The process's wall clock.
WallTime wall_now();

}  // namespace limpet
