#include "io/files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "io/unique_fd.h"
#include "tests/unit/io/temporary_directory.h"

using namespace limpet;

TEST_CASE("a file is replaced whole and read back") {
  TemporaryDirectory dir;
  std::string path = dir.path("a");
  REQUIRE(write_file(path, "one"));
  REQUIRE(write_file(path, "two"));
  CHECK(read_file(path) == "two");
  CHECK(::access((path + ".tmp").c_str(), F_OK) != 0);
}

TEST_CASE("reading names what went wrong") {
  TemporaryDirectory dir;
  auto missing = read_file(dir.path("missing"));
  REQUIRE(!missing);
  CHECK(missing.error() == dir.path("missing") + ": No such file or directory");
  REQUIRE(write_file(dir.path("long"), std::string(100, 'x')));
  CHECK(!read_file(dir.path("long"), 99));
  CHECK(read_file(dir.path("long"), 100));
  CHECK(!write_file(dir.path("no/such/directory"), "x"));
}

TEST_CASE("a FIFO is no file to read, and nobody waits for its writer") {
  TemporaryDirectory dir;
  std::string fifo = dir.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  REQUIRE(::symlink(fifo.c_str(), dir.path("link").c_str()) == 0);
  REQUIRE(::symlink("/dev/zero", dir.path("zero").c_str()) == 0);
  for (const char* name : {"fifo", "link", "zero"})
    CHECK(read_file(dir.path(name)).error() == dir.path(name) + ": is not a regular file");
  CHECK(read_file(dir.path()).error() == dir.path() + ": Is a directory");
}

TEST_CASE("what a process has open already is read to its end, whatever it is") {
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  UniqueFd read_end(pipe[0]), write_end(pipe[1]);
  std::thread writer([&] {
    for (const char* part : {"a", "b"}) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      CHECK(::write(write_end.get(), part, 1) == 1);
    }
    write_end.reset();
  });
  CHECK(read_file("/dev/fd/" + std::to_string(read_end.get())) == "ab");
  writer.join();
  CHECK(read_file("/dev/null") == "");
  CHECK(!read_file("/dev/zero", 1000));
}

TEST_CASE("a file that a user names stays what it is") {
  std::signal(SIGPIPE, SIG_IGN);
  TemporaryDirectory dir;
  auto kind = [&](const std::string& name) {
    struct stat s{};
    return ::lstat(join_path(dir.path(), name).c_str(), &s) == 0 ? s.st_mode & S_IFMT : 0;
  };
  SUBCASE("a regular file is replaced, a link is followed") {
    REQUIRE(::mkdir(dir.path("d").c_str(), 0755) == 0);
    REQUIRE(::symlink("d/other", dir.path("link").c_str()) == 0);
    REQUIRE(::symlink("../file", dir.path("d/other").c_str()) == 0);
    for (const char* text : {"one", "two"}) {  // at first it is not there
      REQUIRE(write_file(dir.path("link"), text));
      CHECK(read_file(dir.path("file")) == text);
    }
    CHECK(kind("link") == S_IFLNK);
    CHECK(kind("d/other") == S_IFLNK);
    CHECK(kind("file") == S_IFREG);
    CHECK(kind("file.tmp") == 0);
  }
  SUBCASE("a device is written to") {
    // One of the test's own: what is wrong may replace it, and the machine has no other /dev/null.
    UniqueFd terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(terminal);
    REQUIRE(::grantpt(terminal.get()) == 0);
    REQUIRE(::unlockpt(terminal.get()) == 0);
    std::string name = ::ptsname(terminal.get());
    UniqueFd other_end(::open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(::symlink(name.c_str(), dir.path("terminal").c_str()) == 0);
    CHECK(write_file(dir.path("terminal"), "x"));
    char got = 0;
    CHECK(::read(terminal.get(), &got, 1) == 1);
    CHECK(got == 'x');
    CHECK(kind("terminal") == S_IFLNK);
    CHECK(kind(name) == S_IFCHR);
  }
  SUBCASE("a FIFO is written to if somebody reads") {
    std::string fifo = dir.path("fifo"), text(300'000, 'x');
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(write_file(fifo, text).error() == fifo + ": nobody reads it");
    UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(::fcntl(reader.get(), F_SETFL, 0) == 0);
    std::string got;
    std::thread reading([&] {
      char bytes[65536];
      for (int empty = 0; got.size() < text.size() && empty < 20'000;) {
        ssize_t n = ::read(reader.get(), bytes, sizeof bytes);
        if (n > 0)
          got.append(bytes, static_cast<size_t>(n));
        else
          empty++, ::usleep(1000);  // there is no writer yet
      }
    });
    CHECK(write_file(fifo, text));
    reading.join();
    CHECK(got == text);
    CHECK(kind("fifo") == S_IFIFO);
  }
  SUBCASE("what is behind /dev/fd keeps what it has") {
    REQUIRE(write_file(dir.path("out"), "results "));
    UniqueFd out(::open(dir.path("out").c_str(), O_WRONLY | O_CLOEXEC));
    CHECK(write_file("/dev/fd/" + std::to_string(out.get()), "stats"));
    CHECK(read_file(dir.path("out")) == "results stats");
  }
  SUBCASE("errors name it as the user did") {
    CHECK(write_file(dir.path("no/file"), "x").error() == dir.path("no/file") + ": No such file or directory");
    CHECK(write_file(dir.path(), "x").error() == dir.path() + ": Is a directory");
    REQUIRE(::symlink("loop", dir.path("loop").c_str()) == 0);
    CHECK(write_file(dir.path("loop"), "x").error() == dir.path("loop") + ": Too many levels of symbolic links");
  }
}

TEST_CASE("patterns find files in order, each once, and keep names that are missing") {
  TemporaryDirectory dir;
  for (const char* name : {"b.toml", "a.toml", "c.txt"}) REQUIRE(write_file(dir.path(name), ""));
  REQUIRE(::mkdir(dir.path("d.toml").c_str(), 0755) == 0);
  auto found = expand_globs({"*.toml", "a.toml", "gone.toml"}, dir.path());
  CHECK(found == std::vector<std::string>{dir.path("a.toml"), dir.path("b.toml"), dir.path("gone.toml")});
  CHECK(expand_globs({"*.yaml"}, dir.path()).empty());
}

TEST_CASE("paths are joined and taken apart") {
  CHECK(directory_of("a/b") == "a");
  CHECK(directory_of("b") == ".");
  CHECK(directory_of("/b") == "/");
  CHECK(join_path("", "b") == "b");
  CHECK(join_path("a", "b") == "a/b");
  CHECK(join_path("a/", "b") == "a/b");
  CHECK(join_path("a", "/b") == "/b");
}
