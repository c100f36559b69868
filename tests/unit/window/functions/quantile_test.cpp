#include "window/functions/quantile.h"

#include <doctest/doctest.h>

#include "tests/unit/window/one_field.h"

namespace limpet {

namespace {
auto near(double v) { return doctest::Approx(v).epsilon(0.01); }
}  // namespace

TEST_CASE("quantile: the value of rank ceil(q n)") {
  OneField f(R"x("p0", "p25", "p50", "p75", "p100", "quantile(0.251)")x");
  f.with({40.0, 10.0, 30.0, 20.0});
  CHECK(f.real(0) == near(10));
  CHECK(f.real(1) == near(10));  // 0.25 * 4 is rank 1
  CHECK(f.real(2) == near(20));
  CHECK(f.real(3) == near(30));
  CHECK(f.real(4) == near(40));
  CHECK(f.real(5) == near(20));  // rank 1.004 rounds up
}

TEST_CASE("quantile: q is the decimal as it was written") {
  // 0.07 * 100 is 7.000000000000001 in doubles: rank 8 instead of 7.
  for (const char* written : {"p7", "quantile(0.07)", "quantile(0.070)"}) {
    OneField f('"' + std::string(written) + '"');
    for (int i = 1; i <= 100; i++) f.with({static_cast<double>(i)});
    CHECK(f.real() == near(7));
  }
}

TEST_CASE("quantile: negatives, zeros, and both ends of the doubles within 1 %") {
  OneField f(R"("p20", "p40", "p60", "p80", "p100")");
  f.with({0.0, 1.7e308, -3.0, 5e-324, -1e300});
  CHECK(f.real(0) == near(-1e300));
  CHECK(f.real(1) == near(-3));
  CHECK(f.value(2) == "0");
  CHECK(f.real(3) == 5e-324);
  CHECK(f.real(4) / 1.7e308 == near(1));
}

TEST_CASE("quantile: absent without a number") {
  OneField f("\"p50\", \"count\"");
  f.with({std::string("x"), true});
  CHECK(f.value() == "absent");
}

}  // namespace limpet
