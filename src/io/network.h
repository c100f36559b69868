// The listeners: HTTP requests and streams of bytes, taken by one thread of their own and handed to handlers there.
// Knows nothing of lines.
//
// Limits: connections (further ones are closed at once), bytes of a body on the wire and inflated (413), bytes of all
// bodies that are being read or not yet answered (503 with Retry-After). An address that is taken is tried again each
// second; that is logged once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "io/endpoint.h"

namespace limpet {

struct HttpRequest {
  std::string method;                                      // "GET"
  std::string path;                                        // "/api/v2/write", without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string body;                                        // inflated
  std::string content_type;

  // The first value of a query parameter; empty: there is none.
  std::string_view parameter(std::string_view name) const;
};
// name=value&name=value, percent-decoded: of a query, or of a form.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view text);

struct HttpAnswer {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
};
// 503 with Retry-After.
HttpAnswer answer_overloaded(std::string_view why);

// Answers one request, once, from any thread. A reply that is dropped unanswered answers 503. Must not outlive the
// Network.
class HttpReply {
 public:
  explicit HttpReply(std::function<void(HttpAnswer)> send) : send_(std::move(send)) {}
  HttpReply(HttpReply&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}
  HttpReply& operator=(HttpReply&& other) noexcept {
    std::swap(send_, other.send_);
    return *this;
  }
  ~HttpReply() {
    if (send_) send_(answer_overloaded("the request was given up"));
  }
  void operator()(HttpAnswer answer) { std::exchange(send_, nullptr)(std::move(answer)); }

 private:
  std::function<void(HttpAnswer)> send_;
};

struct NetworkHandlers {
  // All are called on the listeners' thread.
  std::function<void(HttpRequest, HttpReply)> http;
  // Bytes of a stream; it is not read on before resume(). An empty text is its end.
  std::function<void(uint64_t connection, std::string bytes)> stream;
};

struct NetworkLimits {
  size_t connections = limits::kConnectionsMax;
  size_t body_bytes = limits::kHttpBodyBytesMax;
  size_t inflated_bytes = limits::kHttpInflatedBytesMax;
  size_t queue_bytes = limits::kQueueBytesMax;
  int64_t idle_ns = int64_t{300} * 1'000'000'000;  // a connection that is silent for so long is closed
};

struct NetworkCounts {
  uint64_t connections = 0;  // now
  uint64_t connections_refused = 0;
  uint64_t requests = 0;
  uint64_t body_bytes = 0;  // now
};

class Network {
 public:
  Network(NetworkHandlers handlers, Log& log, NetworkLimits limits = {});
  // Stops.
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Before start().
  void listen_http(const Endpoint& endpoint);
  void listen_stream(const Endpoint& endpoint);
  // Tries to bind all, then begins to work on a thread of its own, whose signals are all blocked.
  void start();
  // Accepts no more; what is open goes on.
  void stop_accepting();
  // Answers that were given are written out (for a short while), then everything is closed.
  void stop();

  // Thread-safe from here.
  void resume(uint64_t connection);
  // The addresses that are bound, with the real port where 0 was asked for.
  std::vector<std::string> bound() const;
  NetworkCounts counts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace limpet
