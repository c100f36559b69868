#include "io/files.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/unit/io/temporary_directory.h"

using namespace limpet;

TEST_CASE("a file is replaced whole and read back") {
  TemporaryDirectory dir;
  std::string path = dir.path("a");
  REQUIRE(write_file_atomic(path, "one"));
  REQUIRE(write_file_atomic(path, "two"));
  CHECK(read_file(path) == "two");
  CHECK(::access((path + ".tmp").c_str(), F_OK) != 0);
}

TEST_CASE("reading names what went wrong") {
  TemporaryDirectory dir;
  auto missing = read_file(dir.path("missing"));
  REQUIRE(!missing);
  CHECK(missing.error() == dir.path("missing") + ": No such file or directory");
  REQUIRE(write_file_atomic(dir.path("long"), std::string(100, 'x')));
  CHECK(!read_file(dir.path("long"), 99));
  CHECK(read_file(dir.path("long"), 100));
  CHECK(!write_file_atomic(dir.path("no/such/directory"), "x"));
}

TEST_CASE("patterns find files in order, each once, and keep names that are missing") {
  TemporaryDirectory dir;
  for (const char* name : {"b.toml", "a.toml", "c.txt"}) REQUIRE(write_file_atomic(dir.path(name), ""));
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
