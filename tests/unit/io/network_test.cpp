#include "io/network.h"

#include <doctest/doctest.h>

#include <mutex>
#include <optional>

#include "io/gzip.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/io/test_client.h"

using namespace limpet;

namespace {

struct Silent : Log {
  void write(LogLevel, std::string_view text) override {
    std::lock_guard lock(mutex);
    texts.emplace_back(text);
  }
  size_t count() {
    std::lock_guard lock(mutex);
    return texts.size();
  }
  std::mutex mutex;
  std::vector<std::string> texts;
};

Endpoint any_port() { return *parse_http_endpoint("127.0.0.1:0"); }

// Answers each request with what it got.
struct Server {
  explicit Server(NetworkLimits limits = {}) {
    NetworkHandlers handlers;
    handlers.http = [](HttpRequest request, HttpReply reply) {
      std::string text = request.method + " " + request.path;
      for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
      reply({.status = 200, .body = text + "\n" + request.body, .content_type = "text/plain"});
    };
    handlers.stream = [this](uint64_t id, std::string bytes) {
      if (bytes.empty()) stream_text += "<end>";
      stream_text += bytes;
      streamed = stream_text.size();
      network->resume(id);
    };
    network = std::make_unique<Network>(std::move(handlers), log, limits);
    network->listen_http(any_port());
    network->start();
    address = network->bound().at(0);
  }
  Silent log;
  std::unique_ptr<Network> network;
  std::string address;
  std::string stream_text;  // of the listeners' thread
  std::atomic<size_t> streamed{0};
};

}  // namespace

TEST_CASE("requests on one connection are answered one after the other") {
  Server server;
  TestClient client(server.address);
  CHECK(client.get("/a?x=1&y=a%20b%2Bc+d").body == "GET /a x=1 y=a b+c d\n");
  CHECK(client.post("/b", "hello").body == "POST /b\nhello");
  CHECK(client.get("/c").status == 200);
  CHECK(server.network->counts().connections == 1);
  CHECK(server.network->counts().requests == 3);
}

TEST_CASE("pipelined requests are answered in order") {
  Server server;
  TestClient client(server.address);
  client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.answer().body == "GET /1\n");
  CHECK(client.answer().body == "GET /2\n");
}

TEST_CASE("bodies may come in chunks, and packed") {
  Server server;
  TestClient client(server.address);
  client.send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
  CHECK(client.answer().body == "POST /c\nabcdefg");
  CHECK(client.post("/g", deflate_body("packed"), "Content-Encoding: gzip\r\n").body == "POST /g\npacked");
  CHECK(client.post("/g", "not gzip", "Content-Encoding: gzip\r\n").status == 400);
  CHECK(client.post("/g", "x", "Content-Encoding: br\r\n").status == 415);
  CHECK(client.get("/still-open").status == 200);
}

TEST_CASE("who asks for 100 Continue gets it") {
  Server server;
  TestClient client(server.address);
  client.send("POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(client.answer().status == 100);
  client.send("hi");
  CHECK(client.answer().body == "POST /e\nhi");
}

TEST_CASE("too long on the wire or inflated: 413") {
  Server server({.body_bytes = 1000, .inflated_bytes = 5000});
  CHECK(TestClient(server.address).post("/", std::string(1001, 'x')).status == 413);
  CHECK(TestClient(server.address).post("/", std::string(1000, 'x')).status == 200);
  TestClient chunked(server.address);
  chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5dc\r\n" + std::string(1500, 'x') +
               "\r\n0\r\n\r\n");
  CHECK(chunked.answer().status == 413);
  TestClient packed(server.address);
  CHECK(packed.post("/", deflate_body(std::string(5001, 'x')), "Content-Encoding: gzip\r\n").status == 413);
  CHECK(packed.post("/", deflate_body(std::string(5000, 'x')), "Content-Encoding: gzip\r\n").status == 200);
}

TEST_CASE("bodies that wait for their answer are bounded: 503, and never 429") {
  std::mutex mutex;
  std::vector<HttpReply> held;
  Silent log;
  NetworkHandlers handlers;
  handlers.http = [&](HttpRequest, HttpReply reply) {
    std::lock_guard lock(mutex);
    held.push_back(std::move(reply));
  };
  auto network = std::make_unique<Network>(std::move(handlers), log, NetworkLimits{.queue_bytes = 1000});
  network->listen_http(any_port());
  network->start();
  std::string address = network->bound().at(0);
  TestClient first(address);
  first.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" + std::string(900, 'x'));
  REQUIRE(eventually([&] { return network->counts().body_bytes == 900; }));
  TestClient second(address);
  TestClient::Answer refused = second.post("/", std::string(101, 'x'));
  CHECK(refused.status == 503);
  CHECK(refused.head.find("Retry-After: 1") != refused.head.npos);
  REQUIRE(eventually([&] {
    std::lock_guard lock(mutex);
    return held.size() == 1;
  }));
  held.at(0)({.status = 204, .body = {}});
  CHECK(first.answer().status == 204);
  REQUIRE(eventually([&] { return network->counts().body_bytes == 0; }));
  TestClient third(address);
  third.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'));
  REQUIRE(eventually([&] {
    std::lock_guard lock(mutex);
    return held.size() == 2;
  }));
  held.clear();  // dropped unanswered
  CHECK(third.answer().status == 503);
  network.reset();
}

TEST_CASE("what is not HTTP is told so and closed") {
  Server server;
  TestClient client(server.address);
  client.send("hello\r\n\r\n");
  CHECK(client.answer().status == 400);
  CHECK(client.closed());
  TestClient long_header(server.address);
  long_header.send("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
  CHECK(long_header.answer().status == 431);
  TestClient cut(server.address);
  cut.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  cut.end();
  CHECK(cut.closed());
}

TEST_CASE("connections beyond the limit are closed at once and counted") {
  Server server({.connections = 2});
  TestClient a(server.address), b(server.address);
  CHECK(a.get("/").status == 200);
  CHECK(b.get("/").status == 200);
  TestClient c(server.address);
  CHECK(c.closed());
  CHECK(server.network->counts().connections_refused == 1);
  CHECK(a.get("/").status == 200);
}

TEST_CASE("a port that is taken is tried again, and that is said once") {
  auto first = std::make_unique<Server>();
  Silent log;
  Network second({.http = [](HttpRequest, HttpReply reply) { reply({.status = 200}); }, .stream = {}}, log);
  second.listen_http(*parse_http_endpoint(first->address));
  second.start();
  std::this_thread::sleep_for(std::chrono::milliseconds(1300));
  CHECK(second.bound().empty());
  CHECK(log.count() == 1);
  std::string address = first->address;
  first.reset();
  REQUIRE(eventually([&] { return !second.bound().empty(); }));
  CHECK(TestClient(address).get("/").status == 200);
}

TEST_CASE("streams come in pieces, one at a time, over unix sockets and TCP") {
  TemporaryDirectory dir;
  std::string text[2];
  std::atomic<int> ended{0};
  Silent log;
  std::unique_ptr<Network> network;
  NetworkHandlers handlers;
  handlers.stream = [&](uint64_t id, std::string bytes) {
    text[id - 1] += bytes;
    if (bytes.empty())
      ended++;
    else
      network->resume(id);
  };
  network = std::make_unique<Network>(std::move(handlers), log);
  network->listen_stream(*parse_socket_endpoint("unix:" + dir.path("s")));
  network->listen_stream(*parse_socket_endpoint("tcp://127.0.0.1:0"));
  network->start();
  std::string long_text(3'000'000, 'x');
  for (const std::string& address : network->bound()) {
    TestClient client(address);
    REQUIRE(client.send(long_text));
    client.end();
    CHECK(client.closed());
  }
  REQUIRE(eventually([&] { return ended == 2; }));
  network.reset();
  CHECK(text[0] == long_text);
  CHECK(text[1] == long_text);
  CHECK(::access(dir.path("s").c_str(), F_OK) != 0);
}

TEST_CASE("a stream is not read on before it is resumed") {
  Silent log;
  std::atomic<size_t> got{0};
  std::atomic<uint64_t> connection{0};
  NetworkHandlers handlers;
  handlers.stream = [&](uint64_t id, std::string bytes) { got += bytes.size(), connection = id; };
  Network network(std::move(handlers), log);
  network.listen_stream(*parse_socket_endpoint("tcp://127.0.0.1:0"));
  network.start();
  TestClient client(network.bound().at(0));
  client.send(std::string(100'000, 'x'));
  REQUIRE(eventually([&] { return got > 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(got <= 64 * 1024);
  while (got < 100'000) {
    size_t before = got;
    network.resume(connection);
    REQUIRE(eventually([&] { return got > before; }));
  }
}

TEST_CASE("a socket file that nobody listens on is replaced, one in use is not") {
  TemporaryDirectory dir;
  Endpoint endpoint = *parse_socket_endpoint("unix:" + dir.path("s"));
  {
    int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    strncpy(at.sun_path, endpoint.path.c_str(), sizeof at.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    ::close(fd);
  }
  Silent log;
  Network first({.http = {}, .stream = [](uint64_t, std::string) {}}, log);
  first.listen_stream(endpoint);
  first.start();
  CHECK(first.bound().size() == 1);
  Network second({.http = {}, .stream = [](uint64_t, std::string) {}}, log);
  second.listen_stream(endpoint);
  second.start();
  CHECK(second.bound().empty());
}
