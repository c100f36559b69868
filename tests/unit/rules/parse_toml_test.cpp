#include <doctest/doctest.h>

#include "base/limits.h"
#include "rules/rule_set.h"

namespace limpet {
namespace {

std::string repeated(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; i++) out += text;
  return out;
}

// "LINE:COLUMN" of the key that is too deep; empty: there is none.
std::string too_deep_at(const std::string& text) {
  for (const Diagnostic& d : load_rules({{"f.toml", text}}).diagnostics) {
    if (d.message.starts_with("the key is too deep: at most 100 dotted parts"))
      return std::to_string(d.line) + ":" + std::to_string(d.column);
    CHECK_MESSAGE(d.message.starts_with("unknown key"), d.message);  // that is, the text is TOML
  }
  return "";
}

constexpr size_t kMore = limits::kTomlKeyPartsMax;  // parts before the last one

}  // namespace

TEST_CASE("a key of too many parts is an error at its place, however it is written") {
  for (std::string part : {"a.", "a . ", "a\t.", "\"\".", "'x,y'.", "\"\\\"\"."}) {
    CAPTURE(part);
    CHECK(too_deep_at("x = 1\n " + repeated(part, kMore) + "b = 1\n") == "2:2");
    CHECK(too_deep_at("[" + repeated(part, kMore) + "b]\n") == "1:2");
    CHECK(too_deep_at("x = \"é\" # é\n[[" + repeated(part, kMore) + "b]]\n") == "2:3");
    CHECK(too_deep_at("x = { y = \"é\", " + repeated(part, kMore) + "b = 1 }") == "1:16");
  }
  std::string deepest = repeated("a.", kMore - 1);
  CHECK(too_deep_at("[" + deepest + "b]\n" + deepest + "c = 1\n").empty());
  CHECK(too_deep_at(repeated("a.", 1'000'000) + "b = 1\n") == "1:1");
}

TEST_CASE("the keys of inline tables count together") {
  CHECK(too_deep_at(repeated("a.a.a = {", 34) + "b = 1" + repeated("}", 34)) == "1:298");
  CHECK(too_deep_at(repeated("a={", 200) + "b=1" + repeated("}", 200) + "\n") == "1:301");
  CHECK(too_deep_at(repeated("a.a.a = {", 33) + "b = 1" + repeated("}", 33)).empty());
  CHECK(too_deep_at(repeated("a.a.a = [{ b.c = 1 }, {", 32) + "b = 1" + repeated("}]", 32)).empty());
  CHECK(too_deep_at("x = [" + repeated("{ a.b.c = { d.e.f = 1 } }, ", 200) + "]").empty());
}

TEST_CASE("dots in strings, numbers and comments are no parts of a key") {
  for (const std::string& s : {repeated("a.", 200), repeated("One. 2.5 ", 200)}) {
    CHECK(too_deep_at("# " + s + "\nx = '" + s + "'\n").empty());
    CHECK(too_deep_at("x = [\"" + s + "\", '" + s + "']\n").empty());
    CHECK(too_deep_at("x = \"\"\"\n\\\"" + s + "\n'\"\" " + s + "\"\"\"\"\"\ny = '''" + s + "'" + s + "'''\n").empty());
  }
  CHECK(too_deep_at("x = [" + repeated("1.5, ", 200) + "]\n").empty());
  CHECK(too_deep_at("x = [\n" + repeated("1.5\n,", 200) + "]\n").empty());
}

TEST_CASE("no string hides a key") {
  std::string deep = repeated("a.", kMore) + "b = 1";
  for (std::string string : {"\"\"\"\n'\"\"\"", "\"\"\"x\"\"\"\"", "\"\"\"x\"\"\"\"\"", "'''\n\"'''", "'''x''''",
                             "'\\'", "\"\\\\\"", "\"\"", "''", "\"'\"", "'#'"}) {
    CAPTURE(string);
    CHECK(!too_deep_at("x = { s = " + string + ", " + deep + " } # '\"").empty());
    CHECK(!too_deep_at("x = " + string + " # '\"\n" + deep).empty());
  }
}

}  // namespace limpet
