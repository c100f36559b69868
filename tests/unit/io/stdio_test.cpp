#include "io/stdio.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "io/unique_fd.h"

using namespace limpet;

TEST_CASE("the unread bytes of a pipe and of a socket can be seen from the writing end") {
  for (bool socket : {false, true}) {
    int fds[2];
    REQUIRE((socket ? ::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : ::pipe(fds)) == 0);
    UniqueFd reader(fds[0]), writer(fds[1]);
    CHECK(is_stream(writer.get()));
    CHECK(is_pipe(writer.get()) == !socket);
    CHECK(unread_bytes(writer.get()) == 0);
    CHECK(write_some(writer.get(), "hello").written == 5);
    CHECK(unread_bytes(writer.get()) > 0);
    char text[16];
    CHECK(read_some(reader.get(), text, sizeof text).read == 5);
    CHECK(unread_bytes(writer.get()) == 0);
  }
}

TEST_CASE("a pipe grows on demand") {
  int fds[2];
  REQUIRE(::pipe(fds) == 0);
  UniqueFd reader(fds[0]), writer(fds[1]);
  enlarge_pipe(writer.get(), size_t{1} << 17);
  CHECK(::fcntl(writer.get(), F_GETPIPE_SZ) >= 1 << 17);
}

TEST_CASE("a full pipe and a pipe without reader are told apart") {
  ::signal(SIGPIPE, SIG_IGN);
  int fds[2];
  REQUIRE(::pipe(fds) == 0);
  UniqueFd reader(fds[0]), writer(fds[1]);
  CHECK(set_nonblocking(writer.get(), true));
  CHECK(!set_nonblocking(writer.get(), true));
  std::string text(4096, 'x');
  WriteResult result;
  do result = write_some(writer.get(), text);
  while (result.status == WriteStatus::kOk);
  CHECK(result.status == WriteStatus::kFull);
  reader.reset();
  CHECK(write_some(writer.get(), text).status == WriteStatus::kBroken);
}

TEST_CASE("the end of a stream is told apart from nothing to read") {
  int fds[2];
  REQUIRE(::pipe(fds) == 0);
  UniqueFd reader(fds[0]), writer(fds[1]);
  set_nonblocking(reader.get(), true);
  char text[4];
  CHECK(!read_some(reader.get(), text, 4).ended);
  writer.reset();
  CHECK(read_some(reader.get(), text, 4).ended);
}

TEST_CASE("/dev/null is known") {
  UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(is_null_device(null.get()));
  CHECK(!is_stream(null.get()));
  CHECK(!is_terminal(null.get()));
}
