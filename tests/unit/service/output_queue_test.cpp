#include "service/output_queue.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

using namespace limpet;
using Kind = OutputQueue::Kind;

namespace {

std::vector<std::string> chunks(OutputQueue& queue) {
  std::vector<std::string> all;
  while (!queue.empty()) {
    all.emplace_back(queue.chunk());
    queue.pop(all.back().size());
  }
  return all;
}

void add(OutputQueue& queue, Kind kind, std::string lines) {
  queue.add(kind, lines);
  REQUIRE(lines.empty());
}

}  // namespace

TEST_CASE("chunks end where lines end and fit into one atomic write") {
  OutputQueue queue(10, Dialect::kTelegraf);
  add(queue, Kind::kResults, "a v=1\nb v=2\nc v=3\n");
  CHECK(queue.bytes() == 18);
  CHECK(chunks(queue) == std::vector<std::string>{"a v=1\n", "b v=2\n", "c v=3\n"});
  CHECK(queue.bytes() == 0);
  add(queue, Kind::kResults, "a v=1\nb v=2\n");
  OutputQueue larger(12, Dialect::kTelegraf);
  add(larger, Kind::kResults, "a v=1\nb v=2\nc v=3\n");
  CHECK(chunks(larger) == std::vector<std::string>{"a v=1\nb v=2\n", "c v=3\n"});
}

TEST_CASE("a newline within a string is no place to cut") {
  OutputQueue queue(20, Dialect::kTelegraf);
  add(queue, Kind::kWrittenBack, "a v=1\nm s=\"x\ny\",t=1 5\nb v=2\n");
  CHECK(chunks(queue) == std::vector<std::string>{"a v=1\n", "m s=\"x\ny\",t=1 5\n", "b v=2\n"});
}

TEST_CASE("a line longer than a chunk goes out in parts, with nothing between them") {
  OutputQueue queue(10, Dialect::kTelegraf);
  std::string line = "m v=\"" + std::string(50, 'x') + "\n" + std::string(50, 'y') + "\" 1\n";
  add(queue, Kind::kWrittenBack, "a v=1\n" + line + "b v=1\n");
  CHECK(queue.chunk() == "a v=1\n");
  queue.pop(6);
  CHECK(queue.chunk() == line);
  queue.pop(70);
  CHECK(queue.chunk() == line.substr(70));
  queue.pop(line.size() - 70);
  CHECK(queue.chunk() == "b v=1\n");
}

TEST_CASE("first in, first out, and the bytes of results are known") {
  OutputQueue queue(4096, Dialect::kTelegraf);
  add(queue, Kind::kWrittenBack, "a v=1\n");
  add(queue, Kind::kResults, "r v=1\n");
  add(queue, Kind::kResults, "s v=1\n");
  add(queue, Kind::kWrittenBack, "b v=1\n");
  CHECK(queue.result_bytes() == 12);
  std::string all;
  for (const std::string& chunk : chunks(queue)) all += chunk;
  CHECK(all == "a v=1\nr v=1\ns v=1\nb v=1\n");
  CHECK(queue.result_bytes() == 0);
}

TEST_CASE("the lines that are not written whole are known, by kind") {
  OutputQueue queue(20, Dialect::kTelegraf);
  std::string long_line = "m s=\"" + std::string(30, '\n') + "\" 1\n";
  add(queue, Kind::kWrittenBack, "a v=1\nb v=1\nc v=1\nd v=1\n");
  add(queue, Kind::kResults, "r v=1\ns v=1\n");
  add(queue, Kind::kWrittenBack, long_line);
  CHECK(queue.lines(Kind::kWrittenBack) == 5);
  CHECK(queue.lines(Kind::kResults) == 2);
  queue.pop(queue.chunk().size());  // three lines
  CHECK(queue.lines(Kind::kWrittenBack) == 2);
  queue.pop(3);
  CHECK(queue.lines(Kind::kWrittenBack) == 2);
  queue.pop(3);
  queue.pop(queue.chunk().size());
  CHECK(queue.lines(Kind::kResults) == 0);
  REQUIRE(queue.chunk() == long_line);
  queue.pop(10);  // within the string
  CHECK(queue.lines(Kind::kWrittenBack) == 1);
  queue.pop(queue.chunk().size());
  CHECK(queue.lines(Kind::kWrittenBack) == 0);
}

TEST_CASE("whatever is put in comes out, in parts of any size") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; round++) {
    OutputQueue queue(1 + random() % 64, Dialect::kTelegraf);
    std::string in, out;
    for (int step = 0; step < 100; step++) {
      if (random() % 2) {
        std::string lines;
        for (unsigned n = random() % 4; n > 0; n--)
          lines += random() % 3 ? "m,a=b v=" + std::string(1 + random() % 30, '7') + "\n"
                                : "m s=\"\n" + std::string(random() % 90, '\n') + "\" 1\n";
        in += lines;
        queue.add(random() % 2 ? Kind::kResults : Kind::kWrittenBack, lines);
      } else if (!queue.empty()) {
        std::string_view chunk = queue.chunk();
        size_t n = 1 + random() % chunk.size();
        out += chunk.substr(0, n);
        queue.pop(n);
      }
    }
    for (const std::string& chunk : chunks(queue)) out += chunk;
    REQUIRE(in == out);
  }
}

TEST_CASE("lines are counted as line protocol counts them") {
  size_t lines = 0;
  CHECK(lines_bytes("a v=1\nm s=\"\n\n\" 1\nb v=1\n", 2, Dialect::kTelegraf, lines) == 17);
  CHECK(lines == 2);
  CHECK(lines_bytes("a v=1\n", 5, Dialect::kTelegraf, lines) == 6);
  CHECK(lines == 1);
}
