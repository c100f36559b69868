#include "sharding/key.h"

#include <doctest/doctest.h>

#include "rules/rule_set.h"

namespace limpet {

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
