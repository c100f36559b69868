// What the listeners and the rules watcher hand to the engine's thread: a queue and a bell. Thread-safe.
// Its size is bounded by those who fill it: bodies by Network's limit, streams by one block per connection.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "engine/engine.h"
#include "io/network.h"
#include "io/wake.h"
#include "service/load_rule_files.h"

namespace limpet {

enum class WriteApi : uint8_t { kV1, kV2 };  // how errors are worded

// A body on its way through the engine, slice by slice.
struct WriteBody {
  std::string text;  // with kBlockPadding bytes behind it
  Precision precision = Precision::kNs;
  WriteApi api = WriteApi::kV2;
  HttpReply reply;
  size_t at = 0;  // applied so far
  uint64_t bad = 0;
  uint64_t first_bad_line = 0;
  ParseError first_error = {};

  std::string_view rest() const { return std::string_view(text).substr(at, text.size() - kBlockPadding - at); }
};

struct StreamBytes {
  uint64_t connection = 0;
  std::string bytes;  // empty: the end
};

struct StatusRequest {
  enum class Form : uint8_t { kPrometheus, kJson } form = Form::kJson;
  HttpReply reply;
};

using Work = std::variant<WriteBody, StreamBytes, StatusRequest, RuleFiles>;

class Inbox {
 public:
  // After close() the work is dropped; a dropped reply answers 503.
  void push(Work work) {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    queue_.push_back(std::move(work));
    wake_.ring();
  }
  std::optional<Work> pop() {
    std::lock_guard lock(mutex_);
    if (queue_.empty()) return std::nullopt;
    std::optional<Work> work(std::move(queue_.front()));
    queue_.pop_front();
    return work;
  }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  Wake& wake() { return wake_; }

 private:
  std::mutex mutex_;
  std::deque<Work> queue_;
  bool closed_ = false;
  Wake wake_;
};

}  // namespace limpet
