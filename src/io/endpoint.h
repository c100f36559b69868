// Where a listener listens, as written in the configuration: `127.0.0.1:8086`, `[::1]:8086`, `tcp://localhost:8094`,
// `unix:/run/x.sock`.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace limpet {

struct Endpoint {
  bool is_unix = false;
  std::string path;  // is_unix
  std::string host;  // else; empty: all interfaces
  uint16_t port = 0;

  bool operator==(const Endpoint&) const = default;
};

// The error says what would be right.
std::expected<Endpoint, std::string> parse_http_endpoint(std::string_view text);    // HOST:PORT
std::expected<Endpoint, std::string> parse_socket_endpoint(std::string_view text);  // unix:PATH or tcp://HOST:PORT
// False where others than this machine may connect.
bool is_local(const Endpoint& endpoint);
std::string to_string(const Endpoint& endpoint);

}  // namespace limpet
