// What the sessions of the listeners share. Only for the .cpp files of the listeners: drags in Boost.Asio.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "io/network.h"

namespace limpet {

// Outlives all sessions.
struct NetworkShared {
  NetworkHandlers handlers;
  NetworkLimits limits;
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> connections_refused{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> body_bytes{0};
  std::atomic<uint64_t> answers_to_write{0};
  boost::asio::io_context context{1};  // last: the sessions it still holds when it goes use what stands above
};

// A share of the bytes that all bodies together may have; gives it back at its end.
class BodyBytes {
 public:
  explicit BodyBytes(NetworkShared& shared) : shared_(shared) {}
  ~BodyBytes() { shared_.body_bytes -= held_; }
  BodyBytes(const BodyBytes&) = delete;
  BodyBytes& operator=(const BodyBytes&) = delete;
  // False: there is no room for so many.
  bool hold(size_t bytes) {
    if (bytes > held_ && shared_.body_bytes + (bytes - held_) > shared_.limits.queue_bytes) return false;
    shared_.body_bytes += bytes - held_;
    held_ = bytes;
    return true;
  }
  size_t room() const {
    return shared_.limits.queue_bytes - std::min<size_t>(shared_.limits.queue_bytes, shared_.body_bytes - held_);
  }

 private:
  NetworkShared& shared_;
  size_t held_ = 0;
};

// Takes over an accepted connection; lives until it is closed.
void run_http_session(NetworkShared& shared, boost::asio::ip::tcp::socket socket);

}  // namespace limpet
