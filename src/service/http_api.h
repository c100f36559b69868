// The HTTP interface: InfluxDB's writing half, health, status. Runs on the listeners' thread; what needs the engine
// goes to the inbox.
#pragma once

#include <atomic>
#include <string>

#include "io/network.h"
#include "service/inbox.h"

namespace limpet {

// How the process is, for those who ask from another thread.
struct Health {
  std::atomic<int64_t> heartbeat_ns{0};  // when the engine's thread last came round, monotonic
  std::atomic<bool> rules_ok{false};
  std::atomic<bool> stopping{false};
  std::atomic<bool> assigned{true};  // false: keys are shared, and it is not known which are this pod's
};

class HttpApi {
 public:
  HttpApi(Inbox& inbox, const Health& health) : inbox_(inbox), health_(health) {}
  void handle(HttpRequest request, HttpReply reply);

 private:
  void write(HttpRequest request, HttpReply reply, WriteApi api);

  Inbox& inbox_;
  const Health& health_;
};

// When all of a body was applied: 204, or 400 that names the first bad line.
HttpAnswer answer_write(const WriteBody& body);
// {"code":"invalid","message":...} or {"error":...}.
HttpAnswer answer_error(WriteApi api, int status, const std::string& code, const std::string& message);

}  // namespace limpet
