#include "io/gzip.h"

#include <doctest/doctest.h>

#include "io/files.h"
#include "io/input_file.h"
#include "tests/unit/io/temporary_directory.h"

using namespace limpet;

namespace {

std::string read_all(const std::string& path, size_t chunk_bytes, std::string* error = nullptr) {
  auto file = InputFile::open(path);
  REQUIRE(file);
  std::string all, chunk(chunk_bytes, '\0');
  for (;;) {
    auto n = file->read(chunk);
    if (!n && error) *error = n.error();
    if (!n || *n == 0) return all;
    all.append(chunk, 0, *n);
  }
}

std::string sample_text() {
  std::string text;
  for (int i = 0; i < 50'000; i++) text += "cpu,host=h" + std::to_string(i % 17) + " usage=" + std::to_string(i) + "\n";
  return text;
}

}  // namespace

TEST_CASE("a body survives deflating and inflating") {
  for (const std::string& text : {std::string(), std::string("m v=1\n"), sample_text()}) {
    std::string gzip = deflate_body(text);
    CHECK(is_gzip(gzip));
    CHECK(inflate_body(gzip, 10'000'000) == text);
  }
}

TEST_CASE("inflating stops at the limit, however small the body was on the wire") {
  std::string gzip = deflate_body(std::string(1'000'000, 'x'));
  REQUIRE(gzip.size() < 2000);
  CHECK(inflate_body(gzip, 1'000'000));
  auto over = inflate_body(gzip, 999'999);
  REQUIRE(!over);
  CHECK(over.error() == InflateError::kTooLong);
}

TEST_CASE("damaged and cut off bodies are refused") {
  std::string gzip = deflate_body(sample_text());
  for (size_t size : {size_t{1}, size_t{10}, gzip.size() / 2, gzip.size() - 1}) {
    auto cut = inflate_body(std::string_view(gzip).substr(0, size), 10'000'000);
    REQUIRE(!cut);
    CHECK(cut.error() == InflateError::kMalformed);
  }
  gzip[gzip.size() / 2] = static_cast<char>(gzip[gzip.size() / 2] ^ 0x55);
  CHECK(!inflate_body(gzip, 10'000'000));
  CHECK(!inflate_body("hello", 100));
}

TEST_CASE("several members are one body") {
  CHECK(inflate_body(deflate_body("a\n") + deflate_body("b\n"), 100) == "a\nb\n");
}

TEST_CASE("a file is read alike, plain or gzip, in chunks of any size") {
  TemporaryDirectory dir;
  std::string text = sample_text();
  REQUIRE(write_file(dir.path("plain"), text));
  REQUIRE(write_file(dir.path("packed"), deflate_body(text) + deflate_body("end\n")));
  for (size_t chunk : {size_t{1}, size_t{77}, size_t{1} << 20}) {
    CHECK(read_all(dir.path("plain"), chunk) == text);
    CHECK(read_all(dir.path("packed"), chunk) == text + "end\n");
  }
  REQUIRE(write_file(dir.path("x"), "x"));
  CHECK(read_all(dir.path("x"), 100) == "x");
  REQUIRE(write_file(dir.path("empty"), ""));
  CHECK(read_all(dir.path("empty"), 100).empty());
}

TEST_CASE("of a gzip file that is cut off, what can be read is read") {
  TemporaryDirectory dir;
  std::string text = sample_text(), gzip = deflate_body(text);
  REQUIRE(write_file(dir.path("cut"), std::string_view(gzip).substr(0, gzip.size() / 2)));
  std::string error;
  std::string read = read_all(dir.path("cut"), 4096, &error);
  CHECK(read.size() > text.size() / 4);
  CHECK(text.starts_with(read));
  CHECK(error == dir.path("cut") + ": the gzip data is cut off");
}

TEST_CASE("newlines of a plain file can be counted afterwards") {
  TemporaryDirectory dir;
  REQUIRE(write_file(dir.path("plain"), "a\nb\n\nc"));
  auto file = InputFile::open(dir.path("plain"));
  REQUIRE(file);
  REQUIRE(file->can_reread());
  CHECK(file->count_newlines(0, 6) == 3);
  CHECK(file->count_newlines(2, 4) == 1);
}
