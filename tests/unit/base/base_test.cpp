#include <doctest/doctest.h>

#include <vector>

#include "base/codec.h"
#include "base/error.h"
#include "base/printable.h"
#include "base/suggest.h"
#include "base/time.h"

namespace limpet {

TEST_CASE("what is written reads back, and no further") {
  std::string bytes;
  Writer out(bytes);
  out.u8(7), out.u64(1ull << 63), out.varint(UINT64_MAX), out.varint(0), out.zigzag(INT64_MIN), out.zigzag(-1),
      out.f64(-0.5), out.bytes("text");
  Reader in(bytes);
  CHECK(in.u8() == 7);
  CHECK(in.u64() == 1ull << 63);
  CHECK(in.varint() == UINT64_MAX);
  CHECK(in.varint() == 0);
  CHECK(in.zigzag() == INT64_MIN);
  CHECK(in.zigzag() == -1);
  CHECK(in.f64() == -0.5);
  CHECK(in.bytes() == "text");
  CHECK(in.done());
  CHECK(in.u8() == 0);
  CHECK(!in.ok());
  Reader overlong("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
  overlong.varint();
  CHECK(!overlong.ok());
}

TEST_CASE("division rounds towards minus infinity") {
  CHECK(floor_div(-1, 10) == -1);
  CHECK(floor_div(-10, 10) == -1);
  CHECK(floor_div(9, 10) == 0);
}

TEST_CASE("did you mean") {
  const std::vector<std::string_view> known{"namepass", "namedrop", "period"};
  CHECK(did_you_mean("namepas", known) == " (did you mean \"namepass\"?)");
  CHECK(did_you_mean("preiod", known) == " (did you mean \"period\"?)");
  CHECK(did_you_mean("colour", known).empty());
}

TEST_CASE("what others wrote does not steer a terminal") {
  CHECK(printable("a\x1b[2J\n\x7f") == "a?[2J??");
  CHECK(printable("\xc2\x9b"
                  "31m \xc2\xa0 \xc3\x9b \xc2") == "?31m \xc2\xa0 \xc3\x9b \xc2");  // U+009B is CSI
}

TEST_CASE("diagnostics") {
  CHECK(to_string(Diagnostic{"f", 1, 2, "bad", Diagnostic::Severity::kError}) == "f:1:2: error: bad");
  CHECK(to_string(Diagnostic{"f", 0, 0, "bad", Diagnostic::Severity::kWarning}) == "f: warning: bad");
}

}  // namespace limpet
