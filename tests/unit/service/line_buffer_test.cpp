#include "service/line_buffer.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "base/limits.h"

using namespace limpet;

namespace {

bool put(LineBuffer& buffer, std::string_view bytes) {
  bool newline = false;
  while (!bytes.empty()) {
    std::span<char> room = buffer.room();
    size_t n = std::min(room.size(), bytes.size());
    memcpy(room.data(), bytes.data(), n);
    newline |= buffer.added(n);
    bytes.remove_prefix(n);
  }
  return newline;
}

}  // namespace

TEST_CASE("what is not consumed stays and grows") {
  LineBuffer buffer(8);
  CHECK(!put(buffer, "abc"));
  CHECK(put(buffer, "d\nef"));
  CHECK(buffer.text() == "abcd\nef");
  buffer.consume(5);
  CHECK(buffer.text() == "ef");
  CHECK(put(buffer, "\n" + std::string(100, 'x')));
  CHECK(buffer.text() == "ef\n" + std::string(100, 'x'));
  CHECK(buffer.offset() == 5);
}

TEST_CASE("a line may be as long as the limit, and no longer") {
  std::string longest(limits::kLineBytesMax, 'x');
  LineBuffer buffer(1000);
  put(buffer, longest + "\r");
  CHECK(buffer.give_up_overlong() == 0);
  put(buffer, "x");
  CHECK(buffer.give_up_overlong() == 1);
  CHECK(buffer.text().empty());
}

TEST_CASE("what is too long is skipped to the next newline, in the same read or a later one") {
  for (bool later : {false, true}) {
    LineBuffer buffer(1000);
    put(buffer, std::string(limits::kLineBytesMax + 10, 'x') + (later ? "" : "yyy\nnext\n"));
    CHECK(buffer.give_up_overlong() == 1);
    if (later) {
      CHECK(!put(buffer, "yyy"));
      CHECK(buffer.text().empty());
      CHECK(put(buffer, "y\nnext\n"));
    }
    CHECK(buffer.text() == "next\n");
    CHECK(buffer.give_up_overlong() == 0);
    CHECK(buffer.newlines_given_up() == 1);
    CHECK(buffer.offset() == limits::kLineBytesMax + 10 + 4 + (later ? 1 : 0));
  }
}

TEST_CASE("memory stays bounded however long a line is") {
  LineBuffer buffer(size_t{1} << 16);
  std::string piece(size_t{1} << 16, 'x');
  uint64_t given_up = 0;
  for (int i = 0; i < 1600; i++) {  // 100 MiB
    put(buffer, piece);
    given_up += buffer.give_up_overlong();
    REQUIRE(buffer.text().size() <= limits::kLineBytesMax + piece.size());
  }
  CHECK(given_up == 1);
}
