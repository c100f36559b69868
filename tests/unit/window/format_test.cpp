// The worked examples of src/window/FORMAT.md, byte for byte.
#include <doctest/doctest.h>

#include <limits>

#include "tests/unit/window/one_field.h"

namespace limpet {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

constexpr const char* kCoreOfTwo =
    "01"
    "0100"
    "00000000000000400000000000000000"
    "0000000000000040"
    "0000000000000040";

}  // namespace

TEST_CASE("format: a cell of one number") {
  OneField f("\"count\"");
  f.add(2.0);
  CHECK(hex(f.cells().encoded(f.program())) == kCoreOfTwo);
}

TEST_CASE("format: a cell with the last value of one series") {
  OneField f("\"sum(last)\"");
  Sample s = sample_of(2.0, {10, 0x0102030405060708}, 3);
  CHECK(f.cells().add(f.program(), s));
  CHECK(hex(f.cells().encoded(f.program())) == std::string(kCoreOfTwo) +
                                                   "01"
                                                   "01"
                                                   "01"
                                                   "0807060504030201"
                                                   "0000000000000040"
                                                   "0a00000000000000"
                                                   "0300000000000000");
}

TEST_CASE("format: what overflowed and what is at the ends of the doubles is carried as it is") {
  for (auto [x, y] : {std::pair(1e308, 1e308), {-1e308, -1.7976931348623157e308}, {5e-324, -5e-324}, {1e200, 3.0}}) {
    OneField f(R"x("sum", "stddev", "p50", "mean(sum)", "last", "diff")x");
    f.with({x, y, std::numeric_limits<int64_t>::min(), std::numeric_limits<uint64_t>::max()});
    std::string bytes = f.cells().encoded(f.program());
    Cells back;
    REQUIRE(back.decode(f.program(), bytes));
    CHECK(back.encoded(f.program()) == bytes);
  }
}

TEST_CASE("format: a record of a newer version is refused") {
  OneField f("\"count\"");
  f.add(2.0);
  std::string bytes = f.cells().encoded(f.program());
  bytes[0] = 2;
  CHECK_FALSE(Cells().decode(f.program(), bytes));
}

TEST_CASE("format: bytes behind a record are the caller's") {
  OneField f("\"count\"");
  f.add(2.0);
  std::string bytes = f.cells().encoded(f.program()) + "next";
  Cells back;
  Reader in(bytes);
  CHECK(decode_cell(f.program(), back.core, nullptr, in));
  CHECK(in.left() == 4);
}

}  // namespace limpet
