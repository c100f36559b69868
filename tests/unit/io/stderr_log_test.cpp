#include "io/stderr_log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/limits.h"
#include "io/stdio.h"
#include "io/unique_fd.h"

using namespace limpet;

namespace {

struct Pipe {
  Pipe() {
    int fds[2];
    REQUIRE(::pipe(fds) == 0);
    read_end = UniqueFd(fds[0]), write_end = UniqueFd(fds[1]);
    set_nonblocking(read_end.get(), true);
  }
  std::string read_all() const {
    std::string all, chunk(65536, '\0');
    for (;;) {
      ReadResult result = read_some(read_end.get(), chunk.data(), chunk.size());
      if (result.read == 0) return all;
      all.append(chunk, 0, result.read);
    }
  }
  UniqueFd read_end, write_end;
};

struct LogFixture {
  MonoTime now{1'000'000};
  Pipe pipe;
  std::unique_ptr<StderrLog> log;
  explicit LogFixture(LogLevel level = LogLevel::kInfo)
      : log(std::make_unique<StderrLog>(pipe.write_end.get(), LogStyle::kTelegraf, level, [this] { return now; })) {}
};

}  // namespace

TEST_CASE("each event is one line with Telegraf's prefix at column 0") {
  LogFixture f;
  f.log->error("one\ntwo\tthree");
  f.log->warning("w");
  f.log->info("");
  f.log->debug("hidden");
  CHECK(f.pipe.read_all() == "E! one two three\nW! w\nI! \n");
  f.log->set_level(LogLevel::kDebug);
  f.log->debug("shown");
  CHECK(f.pipe.read_all() == "D! shown\n");
}

TEST_CASE("a long message is cut below the limit") {
  LogFixture f;
  f.log->error(std::string(100'000, 'x'));
  std::string line = f.pipe.read_all();
  CHECK(line.size() <= limits::kLogLineBytesMax);
  CHECK(line.ends_with(" ... (cut)\n"));
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
}

TEST_CASE("of one kind a few get through, then one in ten seconds, which says how many were held back") {
  LogFixture f;
  for (int i = 0; i < 100; i++)
    f.log->error("line " + std::to_string(i) + " is bad: \"text " + std::string(i, 'y') + "\"");
  std::string text = f.pipe.read_all();
  CHECK(std::count(text.begin(), text.end(), '\n') == LogLimiter::kBurst);
  f.log->error("another kind");
  CHECK(f.pipe.read_all() == "E! another kind\n");
  f.now.ns += LogLimiter::kEveryNs;
  f.log->error("line 100 is bad: \"z\"");
  CHECK(f.pipe.read_all() == "E! line 100 is bad: \"z\" (95 like this were held back)\n");
}

TEST_CASE("what was held back is told at the end") {
  LogFixture f;
  for (int i = 0; i < 8; i++) f.log->error("again");
  f.pipe.read_all();
  f.log.reset();
  CHECK(f.pipe.read_all() == "I! 3 similar messages were held back\n");
}

TEST_CASE("the number of kinds is bounded") {
  LogFixture f;
  auto word = [](int i) {
    return std::string(1, static_cast<char>('a' + i / 26 % 26)) + static_cast<char>('a' + i % 26) +
           std::string(i / 676 + 1, '-');
  };
  for (int i = 0; i < 5000; i++) f.log->error(word(i));
  std::string text = f.pipe.read_all();
  CHECK(std::count(text.begin(), text.end(), '\n') <= static_cast<int>(LogLimiter::kKindsMax) + LogLimiter::kBurst + 1);
}

TEST_CASE("a full pipe never blocks: what it does not take is counted and told later") {
  LogFixture f;
  std::string filler(4096, 'f');
  set_nonblocking(f.pipe.write_end.get(), true);
  while (write_some(f.pipe.write_end.get(), filler).written > 0) {
  }
  f.log->error("lost");
  f.log->error("lost too");
  CHECK(f.log->dropped() == 2);
  f.pipe.read_all();
  f.log->error("heard");
  CHECK(f.pipe.read_all() == "E! heard (2 messages before were lost: stderr was full)\n");
}

TEST_CASE("the console style is for commands that people start") {
  Pipe pipe;
  StderrLog log(pipe.write_end.get(), LogStyle::kConsole, LogLevel::kWarning, monotonic_now);
  log.warning("careful");
  CHECK(pipe.read_all() == "limpet: warning: careful\n");
}
