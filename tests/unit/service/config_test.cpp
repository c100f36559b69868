#include "service/config.h"

#include <doctest/doctest.h>

#include "io/files.h"

using namespace limpet;

namespace {

std::vector<std::string> errors(const std::string& text, const std::vector<Flag>& flags = {}) {
  std::vector<std::string> all;
  for (const Diagnostic& diagnostic : load_config({"dir/limpet.toml", text}, flags).diagnostics)
    all.push_back(to_string(diagnostic));
  return all;
}

}  // namespace

TEST_CASE("every key arrives") {
  LoadedConfig loaded = load_config({"dir/limpet.toml", R"(
rules = ["rules/*.toml", "more.toml"]
emit_rate = 5
on_stop = "flush"
stdin = "none"
dialect = "strict"
pod = "agg-0"
metrics_interval = "10s"
log_level = "debug"
stats_file = "stats.json"
[listen]
http = "127.0.0.1:8086"
socket = ["unix:/run/limpet.sock", "tcp://[::1]:8094"]
)"},
                                    {});
  REQUIRE(loaded.ok());
  const AggregateConfig& c = loaded.config;
  CHECK(c.rules == std::vector<std::string>{"rules/*.toml", "more.toml"});
  CHECK(c.rules_directory == "dir");
  CHECK(c.emit_rate_lines_per_s == 5);
  CHECK(!c.read_lines);
  CHECK(c.dialect == Dialect::kStrict);
  CHECK(c.pod == "agg-0");
  CHECK(c.metrics_interval_ns == 10 * kSecondNs);
  CHECK(c.log_level == LogLevel::kDebug);
  CHECK(c.stats_file == "stats.json");
  CHECK(c.http == std::vector<Endpoint>{{.is_unix = false, .path = "", .host = "127.0.0.1", .port = 8086}});
  REQUIRE(c.sockets.size() == 2);
  CHECK(c.sockets[0].path == "/run/limpet.sock");
  CHECK(c.sockets[1].host == "::1");
}

TEST_CASE("all errors of a file come in one run, with line and column and what would be right") {
  CHECK(errors(R"(ruls = ["a"]
emit_rate = "fast"
stdin = "line"
metrics_interval = 10
on_stop = "keep"
[listen]
htp = "x"
http = ["8086", 5]
socket = "tcp:1"
)") == std::vector<std::string>{
           "dir/limpet.toml:1:1: error: unknown key \"ruls\" (did you mean \"rules\"?)",
           "dir/limpet.toml:2:13: error: \"emit_rate\" must be a whole number without quotes",
           "dir/limpet.toml:3:9: error: \"stdin\" must be one of \"lines\", \"none\", not \"line\" (did you mean "
           "\"lines\"?)",
           "dir/limpet.toml:4:20: error: \"metrics_interval\" must be a duration in quotes, as in \"10s\"",
           "dir/limpet.toml:5:11: error: on_stop = \"keep\" needs a state directory, which this version of Limpet does "
           "not have: use \"flush\"",
           "dir/limpet.toml:7:1: error: unknown key \"listen.htp\" (did you mean \"http\"?)",
           "dir/limpet.toml:8:17: error: \"listen.http\" must be a string in quotes or an array of them, as in [\"a\", "
           "\"b\"]",
           "dir/limpet.toml:9:10: error: \"tcp:1\" is no socket; expected \"unix:PATH\" or \"tcp://HOST:PORT\""});
}

TEST_CASE("text that is no TOML is told with its place") {
  std::vector<std::string> all = errors("rules = [\"a\"]\nemit_rate = = 5\n");
  REQUIRE(all.size() == 1);
  CHECK(all[0].starts_with("dir/limpet.toml:2:"));
}

TEST_CASE("another address than loopback needs to be asked for twice") {
  for (const char* address : {"0.0.0.0:8086", ":8086", "10.0.0.1:8086", "[::]:8086", "example.org:8086"}) {
    std::string file = std::string("[listen]\nhttp = \"") + address + "\"\n";
    LoadedConfig refused = load_config({"limpet.toml", file}, {});
    REQUIRE(refused.diagnostics.size() == 1);
    CHECK(refused.diagnostics[0].message.find("insecure = true") != std::string::npos);
    CHECK(refused.diagnostics[0].line == 2);
    CHECK(refused.config.http.empty());
    LoadedConfig allowed = load_config({"limpet.toml", file + "insecure = true\n"}, {});
    CHECK(allowed.ok());
    CHECK(allowed.config.http.size() == 1);
  }
  for (const char* address : {"127.0.0.1:1", "127.3.2.1:1", "localhost:1", "[::1]:1"})
    CHECK(load_config({"limpet.toml", std::string("[listen]\nhttp = \"") + address + "\"\n"}, {}).ok());
}

TEST_CASE("tables of later versions are refused, and without them nothing is aggregated") {
  for (const char* table : {"[state]\ndirectory = \"/var/lib/limpet\"\n"}) {
    LoadedConfig loaded = load_config({"limpet.toml", std::string("rules = \"a\"\n") + table}, {});
    CHECK(loaded.pass_everything);
    REQUIRE(loaded.diagnostics.size() == 1);
    CHECK(loaded.diagnostics[0].line == 2);
  }
  CHECK(load_config({}, {{"state.directory", {"/x"}}}).pass_everything);
}

TEST_CASE("an assignment needs a directory and says what becomes of other pods' lines") {
  auto load = [](const std::string& table) {
    return load_config({"etc/limpet.toml", "rules = \"a\"\n[assignment]\n" + table}, {});
  };
  LoadedConfig whole = load(
      "directory = \"run\"\nunowned = \"drop\"\npod = \"agg-0\"\nzone = \"a\"\nhost = \"n1\"\nrevision = \"7\"\n"
      "weight = 2.5\n");
  REQUIRE(whole.ok());
  CHECK(whole.config.assignment.configured);
  CHECK(whole.config.assignment.may_own);
  CHECK(whole.config.assignment.directory == "etc/run");
  CHECK(whole.config.pod == "agg-0");
  CHECK(whole.config.assignment.zone == "a");
  CHECK(whole.config.assignment.weight == 2.5);
  CHECK(load("directory = \"/d\"\nunowned = \"drop\"\nweight = 2\n").config.assignment.weight == 2);

  CHECK(errors("[assignment]\nunowned = \"drop\"\n") ==
        std::vector<std::string>{"dir/limpet.toml:1:2: error: [assignment] needs `directory`: where the sharder keeps "
                                 "assignment.json"});
  for (const char* text : {"directory = \"/d\"\n", "directory = \"/d\"\nunowned = \"forward\"\n",
                           "directory = \"/d\"\nunowned = \"pass\"\n"}) {
    LoadedConfig loaded = load(text);
    CHECK(loaded.diagnostics.size() == 1);
    CHECK(loaded.config.assignment.configured);
    CHECK_FALSE(loaded.config.assignment.may_own);
    CHECK_FALSE(loaded.pass_everything);
  }
  CHECK(load("directory = \"/d\"\nunowned = \"drop\"\nweight = 0\n").diagnostics.size() == 1);
  CHECK(load_config({}, {{"assignment.directory", {"run"}}, {"assignment.unowned", {"drop"}}})
            .config.assignment.directory == "run");
}

TEST_CASE("flags win over the file, and paths of flags are seen from where one stands") {
  LoadedConfig loaded = load_config(
      {"dir/limpet.toml", "rules = \"a\"\nemit_rate = 1\npod = \"x\"\n[listen]\nhttp = \"127.0.0.1:1\"\n"},
      {{"rules", {"b", "c"}}, {"emit_rate", {"2"}}, {"listen.http", {"127.0.0.1:2"}}, {"listen.insecure", {}}});
  REQUIRE(loaded.ok());
  CHECK(loaded.config.rules == std::vector<std::string>{"b", "c"});
  CHECK(loaded.config.rules_directory.empty());
  CHECK(loaded.config.emit_rate_lines_per_s == 2);
  CHECK(loaded.config.pod == "x");
  CHECK(loaded.config.http[0].port == 2);
  CHECK(loaded.config.insecure);
}

TEST_CASE("wrong flags are told like wrong keys") {
  CHECK(errors("", {{"emit_rate", {"2x"}}, {"emitrate", {}}, {"stdin", {"nothing"}}}) ==
        std::vector<std::string>{"--emit_rate: error: \"2x\" is no whole number",
                                 "--emitrate: error: unknown flag (did you mean \"emit_rate\"?)",
                                 "--stdin: error: \"stdin\" must be one of \"lines\", \"none\", not \"nothing\""});
}

TEST_CASE("a wrong key keeps its default and the others their values") {
  LoadedConfig loaded = load_config({"limpet.toml", "emit_rate = -5\npod = \"x\"\n"}, {});
  CHECK(loaded.config.emit_rate_lines_per_s == 20'000);
  CHECK(loaded.config.pod == "x");
}

TEST_CASE("a configuration and a rules file are told apart") {
  CHECK(looks_like_config({"a", "rules = []\n"}));
  CHECK(looks_like_config({"a", "[listen]\nhttp = 5\n"}));
  CHECK(!looks_like_config({"a", "[[rule]]\nname = \"x\"\n"}));
  CHECK(!looks_like_config({"a", "= ="}));
  std::vector<Diagnostic> warnings = check_config({"a", "emit_rate = 5\n"});
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].severity == Diagnostic::Severity::kWarning);
}

TEST_CASE("every key is documented, and the sample configuration is valid with all its comments taken off") {
  std::string documented = *read_file(LIMPET_TEST_DATA "/../../docs/configuration.md");
  std::string sample = *read_file(LIMPET_TEST_DATA "/../../configs/limpet.toml");
  CHECK(check_config({"limpet.toml", sample}).empty());
  for (size_t at = 0; (at = sample.find("\n# ", at)) != sample.npos;) sample.erase(at + 1, 2);
  CHECK(check_config({"limpet.toml", sample}).empty());
  for (const ConfigKey& key : aggregate_config_keys()) {
    size_t dot = key.name.find('.');
    std::string name = dot == key.name.npos ? "| `" + std::string(key.name) + "`"
                                            : "| `[" + std::string(key.name.substr(0, dot)) + "] " +
                                                  std::string(key.name.substr(dot + 1)) + "`";
    CHECK_MESSAGE(documented.find(name) != documented.npos, name);
    std::string_view last = dot == key.name.npos ? key.name : key.name.substr(dot + 1);
    CHECK_MESSAGE(sample.find("\n" + std::string(last) + " = ") != sample.npos, key.name);
  }
}

TEST_CASE("a key that is too deep is an error, and a text with one sets nothing") {
  std::string deep = "pod = \"p\"\n";
  for (int i = 0; i < 200; i++) deep += "a.";
  deep += "b = 1\n[[rule]]\n";
  REQUIRE(errors(deep).size() == 1);
  CHECK(errors(deep)[0].starts_with("dir/limpet.toml:2:1: error: the key is too deep"));
  CHECK_FALSE(has_array_of_tables({"f", deep}, "rule"));
  CHECK(has_array_of_tables({"f", "[[rule]]\n"}, "rule"));
}
