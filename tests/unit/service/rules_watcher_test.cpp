#include "service/rules_watcher.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "base/time.h"
#include "io/files.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/io/test_client.h"

using namespace limpet;

namespace {

std::string rules(const std::string& name) {
  return "[[rule]]\nname = \"" + name + "\"\nnamepass = [\"m\"]\nperiod = \"10s\"\n[rule.fields]\nv = [\"count\"]\n";
}

struct Watched {
  explicit Watched(const std::string& pattern, int64_t poll_ns = kHourNs)
      : files(load_rule_files({pattern}, {})),
        watcher(
            {pattern}, {}, files,
            [this](RuleFiles changed) {
              std::lock_guard lock(mutex);
              last = changed.loaded.ok() ? changed.loaded.rules->rules().at(0).name : "error";
              changes++;
            },
            poll_ns) {}
  std::string seen() {
    std::lock_guard lock(mutex);
    return last;
  }
  std::mutex mutex;
  std::string last;
  std::atomic<int> changes{0};
  RuleFiles files;
  RulesWatcher watcher;
};

}  // namespace

TEST_CASE("a change is noticed by itself, and asked for") {
  TemporaryDirectory dir;
  REQUIRE(write_file(dir.path("a.toml"), rules("one")));
  Watched watched(dir.path("*.toml"));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  REQUIRE(write_file(dir.path("a.toml"), rules("two")));
  CHECK(eventually([&] { return watched.seen() == "two"; }));
  REQUIRE(write_file(dir.path("a.toml"), rules("three")));
  watched.watcher.reload();
  CHECK(eventually([&] { return watched.seen() == "three"; }));
  CHECK(watched.changes == 2);
}

TEST_CASE("what is not another content is no change") {
  TemporaryDirectory dir;
  REQUIRE(write_file(dir.path("a.toml"), rules("one")));
  Watched watched(dir.path("*.toml"), 20 * kMillisecondNs);
  REQUIRE(write_file(dir.path("a.toml"), rules("one")));
  watched.watcher.reload();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(watched.changes == 0);
}

TEST_CASE("errors are told once, and so is the mending") {
  TemporaryDirectory dir;
  REQUIRE(write_file(dir.path("a.toml"), rules("one")));
  Watched watched(dir.path("*.toml"), 20 * kMillisecondNs);
  REQUIRE(write_file(dir.path("a.toml"), "= ="));
  CHECK(eventually([&] { return watched.seen() == "error"; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(watched.changes == 1);
  REQUIRE(write_file(dir.path("a.toml"), rules("one")));
  CHECK(eventually([&] { return watched.seen() == "one"; }));
}

TEST_CASE("a ConfigMap's swap of links is noticed") {
  TemporaryDirectory dir;
  for (const char* version : {"v1", "v2"}) {
    REQUIRE(::mkdir(dir.path(version).c_str(), 0755) == 0);
    REQUIRE(write_file(dir.path(version) + std::string("/a.toml"), rules(version)));
  }
  REQUIRE(::symlink("v1", dir.path("..data").c_str()) == 0);
  REQUIRE(::symlink("..data/a.toml", dir.path("a.toml").c_str()) == 0);
  Watched watched(dir.path("*.toml"));
  CHECK(watched.files.loaded.ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  REQUIRE(::symlink("v2", dir.path("..tmp").c_str()) == 0);
  REQUIRE(::rename(dir.path("..tmp").c_str(), dir.path("..data").c_str()) == 0);
  CHECK(eventually([&] { return watched.seen() == "v2"; }));
}

TEST_CASE("no file, and files that cannot be read, are errors") {
  TemporaryDirectory dir;
  RuleFiles none = load_rule_files({dir.path("*.toml")}, {});
  CHECK(!none.loaded.ok());
  REQUIRE(none.loaded.diagnostics.size() == 1);
  CHECK(none.loaded.diagnostics[0].message == "no rules file matches");
  RuleFiles missing = load_rule_files({"a.toml"}, dir.path());
  CHECK(!missing.loaded.ok());
  CHECK(to_string(missing.loaded.diagnostics.at(0)) == dir.path("a.toml") + ": error: No such file or directory");
}
