// The whole process but for its main function: real pipes, real sockets, its own threads.
#include "service/aggregator.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/limits.h"
#include "io/files.h"
#include "io/gzip.h"
#include "io/stdio.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/io/test_client.h"
#include "tests/unit/service/quiet_log.h"

using namespace limpet;

namespace {

constexpr const char* kRules = R"(
[[rule]]
name = "m"
namepass = ["m"]
without = ["host"]
period = "1h"
drop_original = true
[rule.fields]
v = ["count"]
)";

// Runs one aggregator on a thread; the test is its Telegraf.
class Process {
 public:
  explicit Process(std::string_view rules = kRules, std::vector<Flag> flags = {}, bool stdin_is_pipe = true) {
    std::signal(SIGPIPE, SIG_IGN);
    int in[2], out[2];
    REQUIRE(::pipe2(in, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    in_read_ = UniqueFd(in[0]), in_write_ = UniqueFd(in[1]), out_read_ = UniqueFd(out[0]);
    if (!stdin_is_pipe) in_read_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(write_file(directory.path("rules.toml"), rules));
    flags.push_back({"rules", {directory.path("*.toml")}});
    flags.push_back({"stats_file", {directory.path("stats.json")}});
    flags.push_back({"pod", {"p"}});
    LoadedConfig config = load_config({}, flags);
    for (const Diagnostic& diagnostic : config.diagnostics) FAIL(to_string(diagnostic));
    aggregator = std::make_unique<Aggregator>(std::move(config), AggregatorStreams{in_read_.get(), out[1], -1}, log,
                                              [] { return uint64_t{0}; });
    thread_ = std::thread([this] {
      code = aggregator->run();
      done = true;
    });
  }
  ~Process() {
    close_stdin();
    out_read_.reset();
    thread_.join();
  }

  void write(std::string_view text) {
    while (!text.empty()) {
      WriteResult result = write_some(in_write_.get(), text);
      REQUIRE(result.status == WriteStatus::kOk);
      text.remove_prefix(result.written);
    }
  }
  void close_stdin() { in_write_.reset(); }
  // Reads what comes until `condition` is met, or the end.
  template <typename F>
  void read_until(F condition) {
    char bytes[65536];
    while (!condition()) {
      pollfd p{.fd = out_read_.get(), .events = POLLIN, .revents = 0};
      REQUIRE_MESSAGE(::poll(&p, 1, 15'000) == 1, output << log.all());
      ReadResult result = read_some(out_read_.get(), bytes, sizeof bytes);
      output.append(bytes, result.read);
      if (result.ended) return;
    }
  }
  void read_to_end() {
    read_until([] { return false; });
    REQUIRE(eventually([&] { return done.load(); }));
  }
  void stop_reading() { out_read_.reset(); }
  std::string listener() {
    REQUIRE(eventually([&] { return !aggregator->bound().empty(); }));
    return aggregator->bound().front();
  }
  nlohmann::json stats() { return nlohmann::json::parse(*read_file(directory.path("stats.json"))); }

  TemporaryDirectory directory;
  QuietLog log;
  std::unique_ptr<Aggregator> aggregator;
  std::string output;
  std::atomic<bool> done{false};
  int code = -1;

 private:
  UniqueFd in_read_, in_write_, out_read_;
  std::thread thread_;
};

const std::vector<Flag> kHttp = {{"listen.http", {"127.0.0.1:0"}}};

std::string now_text() { return std::to_string(wall_now().ns); }

size_t count(std::string_view text, std::string_view piece) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(piece, at)) != text.npos; at += piece.size()) n++;
  return n;
}

}  // namespace

TEST_CASE("lines pass through byte for byte, the rest is aggregated, and the end of stdin emits it") {
  Process p;
  std::string odd = "other,b=2,a=1   x=1.50,s=\"two\nlines\\\"\"  17 \n# a comment\n\nnone v=1\n";
  p.write(odd + "m,host=a v=1 " + now_text() + "\nm,host=b v=2 " + now_text() + "\n");
  p.close_stdin();
  p.read_to_end();
  CHECK(p.code == 0);
  CHECK(p.output.starts_with("other,b=2,a=1   x=1.50,s=\"two\nlines\\\"\"  17 \nnone v=1\n"));
  CHECK(p.output.find("\nm v_count=2i ") != std::string::npos);
  auto stats = p.stats();
  CHECK(stats["lines"]["read"] == 4);
  CHECK(stats["lines"]["original_dropped"] == 2);
  CHECK(stats["rules"]["m"]["aggregated"] == 2);
  CHECK(stats["gauges"]["rules"] == 1);
}

TEST_CASE("a last line that was cut off is left out and counted") {
  Process p;
  p.write("a v=1 1\nb v=1 12");
  p.close_stdin();
  p.read_to_end();
  CHECK(p.output == "a v=1 1\n");
  CHECK(p.stats()["lines"]["bad"]["unterminated"] == 1);
}

TEST_CASE("bad lines are counted, told once a burst with their place, and lose nothing else") {
  Process p;
  p.write("a v=1 1\nbad one\nbad two\nb v=1 1\n");
  p.close_stdin();
  p.read_to_end();
  CHECK(p.output == "a v=1 1\nb v=1 1\n");
  CHECK(count(p.log.all(), "bad one") == 1);
  CHECK(p.log.holds("W! stdin: line 2, column "));
  CHECK(!p.log.holds("bad two"));
}

TEST_CASE("a line of many megabytes is skipped, with those around it unharmed") {
  Process p;
  std::thread writer([&] {
    p.write("a v=1 1\nm v=");
    for (int i = 0; i < 20; i++) p.write(std::string(size_t{1} << 20, '1'));
    p.write("\nb v=1 1\n");
    p.close_stdin();
  });
  p.read_to_end();
  writer.join();
  CHECK(p.output == "a v=1 1\nb v=1 1\n");
  CHECK(p.stats()["lines"]["bad"]["too_long"] == 1);
}

TEST_CASE("stdin is read while stdout is stuck; what does not fit is shed and counted") {
  Process p;
  // 256 bytes a line: 64 MiB in the queue, 1 MiB in the pipe, and more.
  std::string line = "other,tag=" + std::string(236, 'x') + " v=1 1\n";
  size_t lines = (limits::kOutputBytesMax + (size_t{20} << 20)) / line.size();
  std::string block;
  for (size_t i = 0; i < 4096; i++) block += line;
  size_t sent = 0;
  for (; sent < lines; sent += 4096) p.write(block);
  p.close_stdin();
  p.read_to_end();
  auto counts = p.stats()["lines"];
  CHECK(counts["read"] == sent);
  CHECK(counts["shed"] > 0);
  CHECK(counts["written_back"] == p.output.size() / line.size());
  CHECK(counts["written_back"].get<size_t>() + counts["shed"].get<size_t>() == sent);
  CHECK(p.log.holds("E! stdout is stuck"));
}

TEST_CASE("nobody reads stdout any more: it stops, quietly") {
  Process p;
  p.stop_reading();
  CHECK(eventually([&] { return p.done.load(); }));
  CHECK(p.code == 0);
  CHECK(p.log.all().find("E!") == std::string::npos);
}

TEST_CASE("SIGTERM with stdin open: what still comes is taken") {
  Process p;
  p.write("a v=1 1\n");
  p.read_until([&] { return p.output.ends_with("a v=1 1\n"); });
  p.aggregator->signal(SIGTERM);
  p.aggregator->signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(!p.done);
  p.write("b v=1 1\nm v=1 " + now_text() + "\n");
  p.close_stdin();
  p.read_to_end();
  CHECK(p.output.starts_with("a v=1 1\nb v=1 1\nm v_count=1i "));
}

TEST_CASE("a service has no stdin and stops on SIGINT and SIGTERM") {
  for (int number : {SIGINT, SIGTERM}) {
    Process p(kRules, kHttp, false);
    TestClient client(p.listener());
    CHECK(client.post("/api/v2/write", "m v=1 " + now_text() + "\n").status == 204);
    p.aggregator->signal(number);
    p.read_to_end();
    CHECK(p.output.find("m v_count=1i ") == 0);
  }
}

TEST_CASE("HTTP: what was answered with 204 is applied") {
  Process p(kRules, kHttp);
  TestClient client(p.listener());
  CHECK(client.post("/api/v2/write?org=o&bucket=b", "m v=1 " + now_text() + "\nother v=1 7\n").status == 204);
  CHECK(client.post("/write?db=d&precision=s", "other v=2 8\n").status == 204);
  CHECK(client.post("/api/v2/write?precision=ms", deflate_body("other v=3 9"), "Content-Encoding: gzip\r\n").status ==
        204);
  CHECK(client.post("/api/v2/write", "").status == 204);
  p.read_until([&] { return count(p.output, "other") == 3; });
  CHECK(p.output == "other v=1 7\nother v=2 8000000000\nother v=3 9000000\n");
  TestClient::Answer status = client.get("/api/status");
  auto json = nlohmann::json::parse(status.body);
  CHECK(json["ledger"]["lines"]["read"] == 4);
  CHECK(json["listening"][0] == p.listener());
  p.close_stdin();
  p.read_to_end();
  CHECK(p.output.find("m v_count=1i ") != std::string::npos);
}

TEST_CASE("HTTP: a line without timestamp gets one in ns when it is written back") {
  Process p(kRules, kHttp);
  TestClient client(p.listener());
  int64_t before = wall_now().ns;
  CHECK(client.post("/api/v2/write", "other v=1\n").status == 204);
  p.read_until([&] { return !p.output.empty(); });
  REQUIRE(p.output.starts_with("other v=1 "));
  int64_t time_ns = std::stoll(p.output.substr(10));
  CHECK(time_ns >= before);
  CHECK(time_ns <= wall_now().ns);
}

TEST_CASE("HTTP: a partial write applies the good lines and names the first bad one") {
  Process p(kRules, kHttp);
  TestClient client(p.listener());
  TestClient::Answer v2 = client.post("/api/v2/write", "a v=1 1\nbad\nb v=1 1\n");
  CHECK(v2.status == 400);
  auto json = nlohmann::json::parse(v2.body);
  CHECK(json["code"] == "invalid");
  CHECK(json["message"].get<std::string>().starts_with("partial write: unable to parse line 2: "));
  TestClient::Answer v1 = client.post("/write", "bad\nworse\n");
  CHECK(v1.status == 400);
  CHECK(nlohmann::json::parse(v1.body)["error"].get<std::string>().starts_with(
      "partial write: unable to parse line 1: "));
  p.read_until([&] { return count(p.output, "\n") == 2; });
  CHECK(p.output == "a v=1 1\nb v=1 1\n");
}

TEST_CASE("HTTP: lines of a body of several megabytes are counted from its beginning") {
  Process p(kRules, kHttp);
  TestClient client(p.listener());
  std::string body;
  for (int i = 0; i < 100'000; i++) body += "m,host=a v=1 " + now_text() + "\n";
  body += "bad\n";
  TestClient::Answer answer = client.post("/api/v2/write", body);
  CHECK(answer.status == 400);
  CHECK(answer.body.find("unable to parse line 100001: ") != std::string::npos);
  p.close_stdin();
  p.read_to_end();
  CHECK(p.output.find("m v_count=100000i ") == 0);
}

TEST_CASE("HTTP: the other paths") {
  Process p(kRules, kHttp);
  TestClient client(p.listener());
  CHECK(client.get("/ping").status == 204);
  CHECK(nlohmann::json::parse(client.get("/health").body)["status"] == "pass");
  CHECK(client.get("/healthz").status == 200);
  CHECK(client.get("/readyz").status == 200);
  CHECK(client.get("/query?q=CREATE%20DATABASE%20%22x%22").status == 200);
  CHECK(client.post("/query", "q=create+database+x", "Content-Type: application/x-www-form-urlencoded\r\n").status ==
        200);
  CHECK(client.get("/query?q=SELECT+1").status == 400);
  CHECK(client.get("/nothing").status == 404);
  CHECK(client.post("/metrics", "").status == 405);
  CHECK(client.get("/api/v2/write").status == 405);
  CHECK(client.post("/api/v2/write?precision=h", "m v=1 1").status == 400);
  TestClient::Answer metrics = client.get("/metrics");
  CHECK(metrics.head.find("text/plain; version=0.0.4") != std::string::npos);
  CHECK(metrics.body.find("\nlimpet_rule_samples_seen_total{rule=\"m\"} 0\n") != std::string::npos);
}

TEST_CASE("HTTP: while stdout is stuck senders are told to come again, and nothing of theirs is applied or lost") {
  Process p(kRules, kHttp);
  TestClient client(p.listener());
  std::string body;
  while (body.size() < (size_t{16} << 20)) body += "other,tag=" + std::string(1000, 'x') + " v=1 1\n";
  size_t lines = static_cast<size_t>(std::count(body.begin(), body.end(), '\n')), taken = 0;
  TestClient::Answer answer;
  for (int i = 0; i < 10; i++) {
    answer = client.post("/api/v2/write", body);
    if (answer.status != 204) break;
    taken += lines;
  }
  CHECK(answer.status == 503);
  CHECK(answer.head.find("Retry-After") != std::string::npos);
  p.close_stdin();
  p.read_to_end();
  CHECK(count(p.output, "other,") == taken);
  CHECK(p.stats()["lines"]["shed"] == 0);
}

TEST_CASE("sockets take streams of lines, in pieces") {
  Process p(kRules, {{"listen.socket", {"tcp://127.0.0.1:0"}}});
  TestClient client(p.listener());
  client.send("other v=1 7\noth");
  client.send("er v=2");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  client.send(" 8\nbad\nother v=3 9\ncut v=1");
  client.end();
  CHECK(client.closed());
  p.read_until([&] { return count(p.output, "\n") == 3; });
  CHECK(p.output == "other v=1 7\nother v=2 8\nother v=3 9\n");
  CHECK(eventually([&] { return p.log.holds("I! socket: the last line was cut off"); }));
}

TEST_CASE("bad rules at start: an error, and everything passes through; mended, they come into force") {
  Process p("[[rule]]\nnam = \"x\"\n", kHttp);
  TestClient client(p.listener());
  CHECK(p.log.holds("E! " + p.directory.path("rules.toml") + ":2:1: error: "));
  CHECK(client.get("/readyz").status == 503);
  p.write("m,host=a v=1 1\n");
  p.read_until([&] { return p.output == "m,host=a v=1 1\n"; });
  REQUIRE(write_file(p.directory.path("rules.toml"), "[[rule]\n"));
  CHECK(eventually([&] { return p.log.holds("rules.toml:1:"); }));
  p.aggregator->signal(SIGHUP);
  CHECK(eventually([&] { return count(p.log.all(), "every line passes through until they are mended\n") == 2; }));
  CHECK(!p.log.holds("stay in force"));
  REQUIRE(write_file(p.directory.path("rules.toml"), kRules));
  CHECK(eventually([&] { return client.get("/readyz").status == 200; }));
  CHECK(p.log.holds("I! rules reloaded: "));
}

TEST_CASE("a change of the rules that is wrong is refused, once, and the old ones stay") {
  Process p;
  p.write("m v=1 " + now_text() + "\nother v=1 1\n");
  p.read_until([&] { return p.output == "other v=1 1\n"; });
  REQUIRE(write_file(p.directory.path("rules.toml"), "[[rule]\n"));
  REQUIRE(eventually([&] { return p.log.holds("those before stay in force"); }));
  p.aggregator->signal(SIGHUP);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  p.write("m v=1 " + now_text() + "\n");
  p.close_stdin();
  p.read_to_end();
  CHECK(p.output.find("\nm v_count=2i ") != std::string::npos);
  CHECK(count(p.log.all(), "E! ") == 1);
}

TEST_CASE("SIGHUP with unchanged files does nothing") {
  Process p;
  p.write("other v=1 1\n");
  p.read_until([&] { return !p.output.empty(); });
  p.aggregator->signal(SIGHUP);
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  CHECK(p.log.all() == "D! 1 rules\n");
}

TEST_CASE("metrics about itself come as lines") {
  Process p(kRules, {{"metrics_interval", {"1s"}}});
  p.write("m v=1 " + now_text() + "\n");
  p.read_until([&] { return count(p.output, "limpet_rule,pod=p,rule=m ") == 1; });
  CHECK(p.output.starts_with("limpet,pod=p lines_read=1i,"));
  p.close_stdin();
  p.read_to_end();
  // The last ones count the last results.
  size_t last = p.output.rfind("limpet_rule,");
  CHECK(p.output.find("results=1i", last) != std::string::npos);
}

TEST_CASE("results flow at the configured pace") {
  // One group per line, windows of a second: 3000 results at 1000 a second.
  constexpr const char* kFine = R"(
[[rule]]
name = "m"
namepass = ["m"]
period = "1h"
every = "1h"
grace = "0s"
late = "drop"
drop_original = true
[rule.fields]
v = ["count"]
)";
  Process p(kFine, {{"emit_rate", {"1000"}}});
  std::string text;
  for (int i = 0; i < 3000; i++) text += "m,g=" + std::to_string(i) + " v=1 " + now_text() + "\n";
  p.write(text);
  p.close_stdin();  // no pace at the end
  auto start = std::chrono::steady_clock::now();
  p.read_to_end();
  CHECK(count(p.output, "\n") == 3000);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

TEST_CASE("many results at the end all arrive, however slow the reader") {
  Process p;
  std::string text;
  constexpr int kResults = 20'000;
  std::string rules = kRules;
  for (int i = 0; i < kResults; i++) text += "m,g=" + std::to_string(i) + " v=1 " + now_text() + "\n";
  p.write(text);
  p.close_stdin();
  int reads = 0;
  p.read_until([&] {
    if (++reads < 50) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return false;
  });
  CHECK(count(p.output, "\n") == kResults);
  CHECK(p.output.ends_with("\n"));
}
