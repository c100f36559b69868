#include "io/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace limpet {
namespace {

constexpr size_t kUnixPathMax = 107;  // what sockaddr_un holds

}  // namespace

std::expected<Endpoint, std::string> parse_http_endpoint(std::string_view text) {
  auto wrong = [&] {
    return std::unexpected(fmt::format("\"{}\" is no address; expected HOST:PORT, such as \"127.0.0.1:8086\"", text));
  };
  if (text.starts_with("http://"))
    return std::unexpected(fmt::format("an address has no scheme here: write \"{}\"", text.substr(7)));
  size_t colon = text.rfind(':');
  if (colon == text.npos || colon + 1 == text.size()) return wrong();
  Endpoint endpoint;
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  else if (host.find_first_of(":/[] ") != host.npos)
    return wrong();
  endpoint.host = host;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size()) return wrong();
  return endpoint;
}

std::expected<Endpoint, std::string> parse_socket_endpoint(std::string_view text) {
  if (text.starts_with("unix:")) {
    std::string_view path = text.substr(5);
    if (path.starts_with("//")) path.remove_prefix(2);
    if (path.empty() || path.size() > kUnixPathMax)
      return std::unexpected(fmt::format("\"{}\": the path of a unix socket has 1 to {} bytes", text, kUnixPathMax));
    Endpoint endpoint;
    endpoint.is_unix = true;
    endpoint.path = path;
    return endpoint;
  }
  if (text.starts_with("tcp://")) return parse_http_endpoint(text.substr(6));
  return std::unexpected(fmt::format("\"{}\" is no socket; expected \"unix:PATH\" or \"tcp://HOST:PORT\"", text));
}

bool is_local(const Endpoint& endpoint) {
  if (endpoint.is_unix || endpoint.host == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, endpoint.host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, endpoint.host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string to_string(const Endpoint& endpoint) {
  if (endpoint.is_unix) return "unix:" + endpoint.path;
  bool v6 = endpoint.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", endpoint.host, v6 ? "]" : "", endpoint.port);
}

}  // namespace limpet
