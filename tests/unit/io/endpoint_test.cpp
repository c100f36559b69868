#include "io/endpoint.h"

#include <doctest/doctest.h>

using namespace limpet;

TEST_CASE("addresses are read and written alike") {
  for (const char* text : {"127.0.0.1:8086", "[::1]:8086", "localhost:0", ":8086"}) {
    auto endpoint = parse_http_endpoint(text);
    REQUIRE(endpoint);
    CHECK(to_string(*endpoint) == text);
  }
  auto local = parse_socket_endpoint("unix:///run/x.sock");
  REQUIRE(local);
  CHECK(local->is_unix);
  CHECK(to_string(*local) == "unix:/run/x.sock");
  CHECK(to_string(*parse_socket_endpoint("tcp://127.0.0.1:8094")) == "127.0.0.1:8094");
}

TEST_CASE("what is no address is refused") {
  for (const char* text : {"", "8086", "host:", "host:99999", "host:8x", "::1:80", "a b:80", "http://127.0.0.1:8086"})
    CHECK(!parse_http_endpoint(text));
  for (const char* text : {"127.0.0.1:80", "unix:", "udp://127.0.0.1:80", "tcp://127.0.0.1"})
    CHECK(!parse_socket_endpoint(text));
  CHECK(!parse_socket_endpoint("unix:" + std::string(108, 'x')));
  CHECK(parse_http_endpoint("http://127.0.0.1:8086").error() ==
        "an address has no scheme here: write \"127.0.0.1:8086\"");
}

TEST_CASE("only loopback and unix sockets are local") {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"})
    CHECK(is_local(*parse_http_endpoint(text)));
  for (const char* text : {"0.0.0.0:1", ":1", "[::]:1", "192.168.0.1:1", "localhost.example.org:1"})
    CHECK(!is_local(*parse_http_endpoint(text)));
  CHECK(is_local(*parse_socket_endpoint("unix:/x")));
}
