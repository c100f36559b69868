// A client of blocking sockets for tests of the listeners: sends bytes as they are and reads answers.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <thread>

#include "io/unique_fd.h"

namespace limpet {

class TestClient {
 public:
  // "127.0.0.1:PORT" or "unix:PATH".
  explicit TestClient(const std::string& address) {
    if (address.starts_with("unix:")) {
      sockaddr_un to{};
      to.sun_family = AF_UNIX;
      strncpy(to.sun_path, address.c_str() + 5, sizeof to.sun_path - 1);
      fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
      return;
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    fd_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  void end() { ::shutdown(fd_.get(), SHUT_WR); }

  struct Answer {
    int status = 0;
    std::string head, body;
  };
  // Reads one answer; status 0: the connection was closed or nothing came for ten seconds.
  Answer answer() {
    while (buffer_.find("\r\n\r\n") == buffer_.npos)
      if (!more()) return {};
    Answer a;
    size_t end = buffer_.find("\r\n\r\n") + 4;
    a.head = buffer_.substr(0, end);
    buffer_.erase(0, end);
    a.status = std::stoi(a.head.substr(9, 3));
    size_t at = a.head.find("Content-Length: "), length = at == a.head.npos ? 0 : std::stoul(a.head.substr(at + 16));
    while (buffer_.size() < length)
      if (!more()) return {};
    a.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return a;
  }
  Answer post(const std::string& target, const std::string& body, const std::string& headers = {}) {
    send("POST " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body);
    return answer();
  }
  Answer get(const std::string& target) {
    send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    return answer();
  }
  // True once the peer has closed, within ten seconds.
  bool closed() {
    while (more()) {
    }
    return closed_;
  }

 private:
  bool more() {
    pollfd p{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 10'000) <= 0) return false;
    char bytes[65536];
    ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (n <= 0) return closed_ = true, false;
    buffer_.append(bytes, static_cast<size_t>(n));
    return true;
  }

  UniqueFd fd_;
  std::string buffer_;
  bool closed_ = false;
};

template <typename F>
bool eventually(F condition, int timeout_ms = 10'000) {
  for (int i = 0; i < timeout_ms; i += 2) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

}  // namespace limpet
