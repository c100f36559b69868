#include "service/explain.h"

#include <doctest/doctest.h>

#include "base/hash.h"
#include "sharding/key.h"

namespace limpet {
namespace {

constexpr const char* kRules = R"(
[[rule]]
name = "latency"
namepass = ["http"]
without = ["pod_id"]
shard_by = ["service"]
tags = { tier = "a b" }
period = "1m"
every = "10s"
  [rule.fields]
  seconds = ["count", "mean"]
  word = ["mean"]

[[rule]]
name = "other"
namepass = ["cpu*"]
period = "1m"
  [rule.fields]
  "*" = ["count"]

[[rule]]
name = "hidden"
fieldexclude = ["sec*"]
period = "1m"
  [rule.fields]
  seconds = ["max"]

[[rule]]
name = "tagged"
tagpass = { env = ["prod"], service = ["b"] }
period = "1m"
  [rule.fields]
  seconds = ["min"]
)";
constexpr const char* kLine = R"(http,service=a,pod_id=x seconds=0.2,word="w" 1)";

std::shared_ptr<const RuleSet> rules_of(std::string text) {
  LoadedRules loaded = load_rules({{"r.toml", std::move(text)}});
  REQUIRE(loaded.ok());
  return loaded.rules;
}

std::string explained(const std::string& rules, const ExplainOptions& options = {}, const char* line = kLine) {
  auto text = explain(*rules_of(rules), line, options);
  REQUIRE(text);
  return *text;
}

// Two halves; the first went from a to b.
Assignment halves() {
  Assignment a;
  a.generation = 9;
  a.pods = {{.name = "a", .state = PodState::kDraining}, {.name = "b"}, {.name = "c"}};
  a.slices = {.low = {0, uint64_t{1} << 63},
              .owner = {1, 2},
              .standby = {2, kNoPod},
              .since = {9, 4},
              .cutover_s = {1763640010, 0}};
  a.moved = {{.low = 0,
              .high = uint64_t{1} << 63,
              .at_s = 1763640000,
              .cutover_s = 1763640010,
              .cause = MoveCause::kDrain,
              .from = "a",
              .to = "b"}};
  return a;
}

}  // namespace

TEST_CASE("a line is explained: group, key with its bytes, results, and why other rules leave it alone") {
  std::string bytes("http\0service=a", 14);
  CHECK(explained(kRules) ==
        std::string(kLine) + "\n" +
            "  latency (r.toml:2) takes it\n"
            "    group    http,service=a,tier=a\\ b\n"
            "    key      " +
            key_text(hash64(bytes)) +
            ", of \"http\\x00service=a\"\n"
            "    windows  1m long, every 10s, 15s grace\n"
            "    seconds  -> seconds_count, seconds_mean\n"
            "    word     -> word_mean (skips this value: no number)\n"
            "  the line passes through\n"
            "  other (r.toml:14) does not: namepass: \"http\" matches none of \"cpu*\"\n"
            "  hidden (r.toml:21) does not: fieldexclude: \"seconds\" matches \"sec*\"\n"
            "  tagged (r.toml:28) does not: tagpass: the line has no tag env; service = \"a\" matches none of \"b\"\n");
}

TEST_CASE("the assignment says whose a key is, who stands by, and who had it before") {
  Assignment a = halves();
  std::string one = "[[rule]]\nname = \"r\"\nperiod = \"1m\"\n[rule.fields]\nv = [\"count\"]\n";
  int seen[2] = {};
  for (char name = 'a'; name <= 'z'; name++) {
    std::string line = std::string("m,k=") + name + " v=1";
    bool first = hash64(std::string("m\0k=", 4) + name) >> 63 == 0;
    std::string text = explained(one, {.assignment = &a}, line.c_str());
    CAPTURE(text);
    std::string owner = first ? "    slice    0000000000000000 to 7fffffffffffffff, 50.000 % of the keys\n"
                                "    owner    b (ready), since generation 9: windows from 2025-11-20T12:00:10Z on; "
                                "those before are a's\n"
                                "    standby  c (ready)\n"
                              : "    slice    8000000000000000 to ffffffffffffffff, 50.000 % of the keys\n"
                                "    owner    c (ready), since generation 4\n"
                                "    standby  none\n";
    CHECK(text.find(owner) != text.npos);
    // Of a rule without shard_by and shard_name that keeps every tag, the key is the line's own.
    std::string fate = std::string("  the line passes through, written back by ") + (first ? "b" : "c") +
                       ": the owner of its own key ";
    CHECK(text.find(fate) != text.npos);
    seen[first]++;
  }
  CHECK(seen[0] > 0);
  CHECK(seen[1] > 0);
}

TEST_CASE("what others wrote into the assignment does not steer the terminal") {
  Assignment a = halves();
  a.moved[0].from = "a\x1b[2J";
  std::string text;
  for (char name = 'a'; name <= 'z'; name++)
    text += explained(kRules, {.assignment = &a}, (std::string("http,service=") + name + " seconds=1").c_str());
  CHECK(text.find("those before are a?[2J's\n") != text.npos);
  CHECK(text.find('\x1b') == text.npos);
}

TEST_CASE("the line's fate is that of all rules together; a preview drops nothing") {
  auto rule = [](const char* name, const char* more) {
    return std::string("[[rule]]\nname = \"") + name + "\"\nperiod = \"1m\"\nmeasurement = \"" + name + "\"\n" + more +
           "[rule.fields]\nseconds = [\"count\"]\n";
  };
  std::string keeps = rule("keeps", ""), drops = rule("drops", "drop_original = true\n");
  std::string preview = rule("preview", "drop_original = true\nenabled = \"preview\"\n");
  Assignment a = halves();
  CHECK(explained(keeps + drops, {.assignment = &a}).find("  the line is dropped (drop_original of drops)\n") !=
        std::string::npos);
  std::string text = explained(keeps + preview);
  CHECK(text.find("  the line passes through\n") != text.npos);
  CHECK(text.find("takes it, in preview: nothing is emitted or dropped\n") != text.npos);
  CHECK(explained("").ends_with("\n  no rule takes it: it passes through\n"));
}

TEST_CASE("of many rules that do not take a line the first are shown, or all") {
  std::string many;
  for (int i = 0; i < 23; i++)
    many += "[[rule]]\nname = \"n" + std::to_string(i) + "\"\nnamepass = [\"m" + std::to_string(i) +
            "\"]\nperiod = \"1m\"\n[rule.fields]\nv = [\"count\"]\n";
  std::string some = explained(many), all = explained(many, {.all_rules = true});
  CHECK(some.find("n19 ") != some.npos);
  CHECK(some.find("n20 ") == some.npos);
  CHECK(some.ends_with("  and 3 more rules do not (--all shows them)\n"));
  CHECK(all.find("n22 ") != all.npos);
}

TEST_CASE("a bad line gives the parser's error") {
  auto text = explain(*rules_of(""), "m v=", {});
  REQUIRE(!text);
  CHECK(text.error().offset == 4);
}

}  // namespace limpet
