#include "sharding/key.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lineproto/parse.h"
#include "rules/rule_set.h"

namespace limpet {
namespace {

// A value as it stands in a rules file; JSON's texts and lists are TOML's.
std::string toml(const nlohmann::json& value) {
  if (!value.is_object()) return value.dump();
  std::string out = "{";
  for (const auto& [name, member] : value.items()) out += (out.size() > 1 ? "," : "") + name + "=" + member.dump();
  return out + "}";
}

Rule rule_of(const nlohmann::json& members) {
  std::string text = "[[rule]]\nname = \"r\"\nperiod = \"1m\"\n";
  for (const auto& [name, value] : members.items()) text += name + " = " + toml(value) + "\n";
  LoadedRules loaded = load_rules({{"r.toml", text + "[rule.fields]\n\"*\" = [\"count\"]\n"}});
  REQUIRE(loaded.ok());
  return loaded.rules->rules()[0];
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (char c : bytes) out += key_text(static_cast<unsigned char>(c)).substr(14);
  return out;
}

}  // namespace

// The same file is checked by key_vectors_test.py, which shares no code with this.
TEST_CASE("the keys of the file of vectors") {
  std::ifstream file(LIMPET_TEST_DATA "/key-vectors.jsonl");
  size_t vectors = 0;
  for (std::string text; std::getline(file, text); vectors++) {
    CAPTURE(text);
    auto vector = nlohmann::json::parse(text);
    auto point = parse_line(vector["line"].get<std::string>(), Dialect::kTelegraf, Precision::kNs);
    REQUIRE(point.has_value());
    std::sort(point->tags.begin(), point->tags.end());
    if (vector["rule"].is_null()) {
      CHECK(key_text(line_key(point->name, point->tags)) == vector["key"]);
      continue;
    }
    Rule rule = rule_of(vector["rule"]);
    CHECK(hex(key_bytes(rule, point->name, point->tags)) == vector["bytes"]);
    CHECK(key_text(key_of(rule, point->name, point->tags)) == vector["key"]);
  }
  CHECK(vectors >= 30);
}

TEST_CASE("what results write alike has one key") {
  Rule rule = rule_of(nlohmann::json::object());
  uint64_t key = key_of(rule, "_m_", {{"a_", "x_"}});
  CHECK(key_of(rule, "#m\x01", {{"a\x02", "x\x7f\\"}}) == key);
  CHECK(key_of(rule, "_m\x03\\\\", {{"\\", "y"}, {"a_", "x_"}, {"b", "\\"}}) == key);
  CHECK(key_of(rule, "_m_", {{"a_", "x"}}) != key);
}

TEST_CASE("the key is of the output measurement and the tags that stay, or of shard_name and shard_by") {
  auto rules = load_rules({{"r.toml",
                            "[[rule]]\nname = \"a\"\nperiod = \"1m\"\nwithout = [\"pod\"]\nmeasurement = "
                            "\"{measurement}_1m\"\ntags = { x = \"y\" }\n[rule.fields]\nv = [\"count\"]\n"
                            "[[rule]]\nname = \"b\"\nperiod = \"1m\"\nby = [\"env\", \"host\"]\nshard_by = "
                            "[\"env\"]\nshard_name = \"s\"\n[rule.fields]\nw = [\"count\"]\n"}})
                   .rules;
  REQUIRE(rules);
  std::vector<Tag> tags = {{"env", "prod"}, {"host", "a,b"}, {"pod", "p"}, {"x", "input"}};
  using namespace std::string_literals;
  CHECK(key_bytes(rules->rules()[0], "cpu", tags) == "cpu_1m\0env=prod\0host=a,b"s);
  CHECK(key_bytes(rules->rules()[1], "cpu", tags) == "s\0env=prod"s);
  CHECK(key_bytes(rules->rules()[1], "cpu", {{"host", "a"}}) == "s");
  CHECK(key_text(key_of(rules->rules()[1], "cpu", {})) == key_text(key_of(rules->rules()[1], "mem", {})));
  CHECK(key_text(0x1f).size() == 16);
}

}  // namespace limpet
