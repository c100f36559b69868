// Keeps what is logged, for tests to look at. Thread-safe.
#pragma once

#include <mutex>
#include <string>

#include "base/log.h"

namespace limpet {

class QuietLog : public Log {
 public:
  void write(LogLevel level, std::string_view text) override {
    std::lock_guard lock(mutex_);
    all_.append(1, "EWID"[static_cast<int>(level)]).append("! ").append(text).append("\n");
  }
  std::string all() const {
    std::lock_guard lock(mutex_);
    return all_;
  }
  bool holds(std::string_view text) const { return all().find(text) != std::string::npos; }

 private:
  mutable std::mutex mutex_;
  std::string all_;
};

}  // namespace limpet
