#include "service/sharder_config.h"

#include <doctest/doctest.h>

#include "io/files.h"

namespace limpet {
namespace {

std::vector<std::string> errors(const std::string& text, const std::vector<Flag>& flags = {}) {
  std::vector<std::string> all;
  for (const Diagnostic& diagnostic : load_shard_config({"etc/sharder.toml", text}, flags).diagnostics)
    all.push_back(to_string(diagnostic));
  return all;
}

}  // namespace

TEST_CASE("a sharder's configuration: defaults, all keys, flags win") {
  LoadedShardConfig least = load_shard_config({}, {{"assignment.directory", {"run"}}});
  REQUIRE(least.ok());
  CHECK(least.config.directory == "run");
  CHECK(to_string(least.config.http.at(0)) == "127.0.0.1:8099");
  CHECK(least.config.sharder.dead_after_ns == 10 * kSecondNs);

  LoadedShardConfig whole = load_shard_config(
      {"etc/sharder.toml",
       "dead_after = \"7s\"\nlog_level = \"debug\"\n[assignment]\ndirectory = \"run\"\ncluster = \"c\"\n[listen]\nhttp "
       "= []\n"
       "[planner]\ntolerance = 0.1\nround_budget = 0.03\nhour_budget = 0.2\nround = \"1m\"\ncooldown = \"10m\"\n"
       "cutover_delay = \"20s\"\nhold = \"2m\"\ncarousel = false\nstandbys = false\nslices_per_pod = 10\ndead_share = "
       "1\n"},
      {{"planner.round", {"45s"}}});
  REQUIRE(whole.ok());
  const PlannerConfig& p = whole.config.sharder.planner;
  CHECK(whole.config.directory == "etc/run");
  CHECK(whole.config.http.empty());
  CHECK(whole.config.sharder.dead_after_ns == 7 * kSecondNs);
  CHECK(p.cluster == "c");
  CHECK(p.tolerance == 0.1);
  CHECK(p.round_budget == 0.03);
  CHECK(p.hour_budget == 0.2);
  CHECK(p.round_s == 45);
  CHECK(p.cooldown_s == 600);
  CHECK(p.cutover_delay_s == 20);
  CHECK(p.hold_s == 120);
  CHECK(!p.carousel);
  CHECK(!p.standbys);
  CHECK(p.slices_per_pod_initial == 10);
  CHECK(p.slices_per_pod_min == 5);
  CHECK(p.slices_per_pod_max == 30);
  CHECK(p.dead_share_max == 1);
}

TEST_CASE("a sharder's configuration: errors have a place and advice") {
  CHECK(errors("[assignment]\ncluster = \"c\"\n")
            .at(0)
            .starts_with("etc/sharder.toml:1:2: error: `directory` below [assignment] is needed"));
  auto of = [](const std::string& line) { return errors("[assignment]\ndirectory = \"d\"\n" + line).at(0); };
  CHECK(of("[planner]\ntolerence = 1\n") ==
        "etc/sharder.toml:4:1: error: unknown key \"planner.tolerence\" (did you mean \"tolerance\"?)");
  CHECK(of("[planner]\ntolerance = 2\n").ends_with("\"planner.tolerance\" must be above 0 and at most 1"));
  CHECK(of("[planner]\nround = \"soon\"\n").ends_with("\"soon\" is no duration, such as \"10s\" or \"1m\""));
  CHECK(of("[planner]\nround = \"0s\"\n").ends_with("\"planner.round\" must be at least 1s and at most 3600s"));
  CHECK(of("[planner]\ncooldown = \"2h\"\n").ends_with("must be at least 0s and at most 3600s"));
  CHECK(of("[planner]\ncutover_delay = \"1s\"\n").ends_with("must be at least 2s and at most 600s"));
  CHECK(of("[planner]\nround_budget = 0.0001\n").ends_with("\"planner.round_budget\" must be at least 0.001"));
  CHECK(of("[planner]\nslices_per_pod = 1\n").ends_with("must be at least 2 and at most 1000"));
  CHECK(of("[listen]\nhttp = \"0.0.0.0:1\"\n").find("nothing authenticates") != std::string::npos);
  CHECK(errors("[assignment]\ndirectory = \"d\"\n[listen]\nhttp = \"0.0.0.0:1\"\ninsecure = true\n").empty());
  CHECK(errors("dead_after = \"1s\"\n[assignment]\ndirectory = \"d\"\n").size() == 1);
  CHECK(errors("", {{"planner.rund", {"1s"}}}).at(1).find("did you mean \"planner.round\"?") != std::string::npos);
}

TEST_CASE("a sharder's configuration is told from an aggregator's") {
  auto is = [](const char* text) { return looks_like_shard_config({"x.toml", text}); };
  CHECK(is("[assignment]\ndirectory = \"d\"\n"));
  CHECK(is("[assignment]\ndirectory = \"d\"\ncluster = \"c\"\n[listen]\nhttp = []\n"));
  CHECK(is("dead_after = \"10s\"\n"));
  CHECK_FALSE(is("rules = [\"r\"]\n[assignment]\ndirectory = \"d\"\n"));
  CHECK_FALSE(is("[assignment]\ndirectory = \"d\"\nunowned = \"drop\"\n"));
  CHECK_FALSE(is("[listen]\nhttp = []\n"));
}

TEST_CASE("every key of the sharder is documented, and its sample is valid with all its comments taken off") {
  std::string documented = *read_file(LIMPET_TEST_DATA "/../../docs/sharder.md");
  std::string sample = *read_file(LIMPET_TEST_DATA "/../../configs/sharder.toml");
  CHECK(load_shard_config({"sharder.toml", sample}, {}).ok());
  for (size_t at = 0; (at = sample.find("\n# ", at)) != sample.npos;) sample.erase(at + 1, 2);
  LoadedShardConfig loaded = load_shard_config({"sharder.toml", sample}, {});
  REQUIRE(loaded.ok());
  // It shows the defaults.
  CHECK(loaded.config.sharder.dead_after_ns == SharderConfig{}.dead_after_ns);
  CHECK(loaded.config.sharder.planner.hour_budget == PlannerConfig{}.hour_budget);
  CHECK(looks_like_shard_config({"sharder.toml", sample}));
  for (const ConfigKey& key : shard_config_keys()) {
    size_t dot = key.name.find('.');
    std::string name = dot == key.name.npos ? "| `" + std::string(key.name) + "`"
                                            : "| `[" + std::string(key.name.substr(0, dot)) + "] " +
                                                  std::string(key.name.substr(dot + 1)) + "`";
    CHECK_MESSAGE(documented.find(name) != documented.npos, name);
    std::string_view last = dot == key.name.npos ? key.name : key.name.substr(dot + 1);
    CHECK_MESSAGE(sample.find("\n" + std::string(last) + " = ") != sample.npos, key.name);
  }
}

}  // namespace limpet
