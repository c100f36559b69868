#include "io/watch.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/files.h"
#include "tests/unit/io/temporary_directory.h"

using namespace limpet;

namespace {

bool notices(DirectoryWatch& watch, int timeout_ms = 2000) {
  pollfd p{.fd = watch.fd(), .events = POLLIN, .revents = 0};
  ::poll(&p, 1, timeout_ms);
  return watch.drain();
}

}  // namespace

TEST_CASE("changes in a directory are noticed, reading is not") {
  TemporaryDirectory dir;
  DirectoryWatch watch;
  watch.set({dir.path(), dir.path("missing")});
  CHECK(!notices(watch, 0));
  REQUIRE(write_file(dir.path("a"), "1"));
  CHECK(notices(watch));
  CHECK(read_file(dir.path("a")));
  CHECK(!notices(watch, 50));
  REQUIRE(::unlink(dir.path("a").c_str()) == 0);
  CHECK(notices(watch));
}

TEST_CASE("a link that is swapped is noticed, as a ConfigMap does it") {
  TemporaryDirectory dir;
  for (const char* name : {"v1", "v2"}) REQUIRE(::mkdir(dir.path(name).c_str(), 0755) == 0);
  REQUIRE(::symlink("v1", dir.path("..data").c_str()) == 0);
  DirectoryWatch watch;
  watch.set({dir.path()});
  REQUIRE(::symlink("v2", dir.path("..tmp").c_str()) == 0);
  notices(watch);
  REQUIRE(::rename(dir.path("..tmp").c_str(), dir.path("..data").c_str()) == 0);
  CHECK(notices(watch));
}

TEST_CASE("what is no longer asked for is no longer watched") {
  TemporaryDirectory a, b;
  DirectoryWatch watch;
  watch.set({a.path()});
  watch.set({b.path()});
  notices(watch, 0);
  REQUIRE(write_file(a.path("x"), "1"));
  CHECK(!notices(watch, 50));
  REQUIRE(write_file(b.path("x"), "1"));
  CHECK(notices(watch));
}
