#include "service/replay.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "base/limits.h"
#include "io/files.h"
#include "io/gzip.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/service/quiet_log.h"

using namespace limpet;

namespace {

constexpr const char* kRules = R"(
[[rule]]
name = "m"
namepass = ["m"]
without = ["host"]
period = "10s"
grace = "1s"
drop_original = true
[rule.fields]
v = ["count", "first", "last"]
)";

struct Run {
  std::string out;
  std::vector<std::string> bad;
  ReplaySummary summary;
  std::string error;
};

Run replay(const std::vector<std::string>& paths, bool all = false, const std::string& rules_text = kRules) {
  LoadedRules rules = load_rules({{"rules.toml", rules_text}});
  REQUIRE(rules.ok());
  Run run;
  QuietLog log;
  Replay replay(rules.rules, {.all = all},
                {.results = [&](std::string_view text) { run.out += text; },
                 .bad_line = [&](const Diagnostic& d) { run.bad.push_back(to_string(d)); },
                 .progress = {}},
                log);
  std::vector<InputFile> files;
  for (const std::string& path : paths) {
    auto file = InputFile::open(path);
    REQUIRE(file);
    files.push_back(std::move(*file));
  }
  if (auto done = replay.run(std::move(files)); !done) run.error = done.error();
  run.summary = replay.summary();
  return run;
}

struct Files : TemporaryDirectory {
  std::string put(const std::string& name, std::string_view text) {
    REQUIRE(write_file(path(name), text));
    return path(name);
  }
};

std::string line(int host, int v, double at_s) {
  return "m,host=h" + std::to_string(host) + " v=" + std::to_string(v) + "i " +
         std::to_string(static_cast<int64_t>(at_s * 1e9)) + "\n";
}

}  // namespace

TEST_CASE("windows are emitted by the data's clock and at the end") {
  Files files;
  Run run = replay({files.put("a", line(1, 5, 1) + line(2, 6, 2) + line(1, 7, 12) + "other v=1 13000000000\n")});
  CHECK(run.out == "m v_count=2i,v_first=5i,v_last=6i 10000000000\nm v_count=1i,v_first=7i,v_last=7i 20000000000\n");
  CHECK(run.summary.ledger.lines.read == 4);
  CHECK(run.summary.ledger.lines.written_back == 1);
  CHECK(run.summary.samples() == 3);
  CHECK(run.summary.results == 2);
  CHECK(run.summary.ledger.balances());
  auto json = nlohmann::json::parse(run.summary.to_json());
  CHECK(json["lines"] == 4);
  CHECK(json["samples"] == 3);
  CHECK(json["results"] == 2);
  CHECK(json["series"] == 3);
  CHECK(json["bytes"] == run.summary.bytes_in);
  CHECK(json["ledger"]["lines"]["original_dropped"] == 3);
  CHECK(json["ledger"]["rules"]["m"]["seen"] == 3);
}

TEST_CASE("with all, written-back lines stand in the order of things") {
  Files files;
  Run run = replay(
      {files.put("a", line(1, 5, 1) + "other v=1 2000000000\n" + line(1, 7, 12) + "last v=1 13000000000\n")}, true);
  CHECK(run.out ==
        "other v=1 2000000000\nm v_count=1i,v_first=5i,v_last=5i 10000000000\nlast v=1 13000000000\n"
        "m v_count=1i,v_first=7i,v_last=7i 20000000000\n");
}

TEST_CASE("several files are merged by the times of their lines, whatever way they are cut") {
  Files files;
  std::mt19937 random(3);
  std::string all, parts[3];
  for (int i = 0; i < 20'000; i++) {
    std::string text = line(static_cast<int>(random() % 50), i, i * 0.05);
    all += text;
    parts[random() % 3] += text;
  }
  parts[1].pop_back();  // an unterminated last line of a file is whole
  Run one = replay({files.put("all", all)});
  Run merged = replay({files.put("a", parts[0]), files.put("b", parts[1]), files.put("c.gz", deflate_body(parts[2]))});
  CHECK(one.out == merged.out);
  CHECK(merged.summary.ledger.lines.read == 20'000);
  CHECK(merged.summary.bytes_in == all.size() - 1);
}

TEST_CASE("lines of one file keep their order, and at equal times the file named first comes first") {
  Files files;
  std::string a = files.put("a", line(1, 1, 5) + line(1, 2, 3) + line(1, 3, 5)), b = files.put("b", line(1, 9, 5));
  CHECK(replay({a, b}).out == "m v_count=4i,v_first=2i,v_last=9i 10000000000\n");
  CHECK(replay({b, a}).out == "m v_count=4i,v_first=2i,v_last=3i 10000000000\n");
}

TEST_CASE("bad lines are skipped, and the first of each burst is told with its place") {
  Files files;
  std::string text = line(1, 1, 1) + "\n# comment\nm s=\"two\nlines\" 1000000000\nbad\nworse\n";
  for (const std::string& path : {files.put("a", text), files.put("a.gz", deflate_body(text))}) {
    Run run = replay({path});
    CHECK(run.summary.ledger.lines.read == 4);
    CHECK(run.summary.ledger.lines.bad_total() == 2);
    REQUIRE(run.bad.size() == 1);
    CHECK(run.bad[0].starts_with(path + ":6:4: warning: "));
    CHECK(run.bad[0].ends_with(": \"bad\""));
  }
}

TEST_CASE("places are right far into a file") {
  Files files;
  std::string text;
  for (int i = 0; i < 60'000; i++) text += i == 45'000 ? "bad\n" : line(1, i, 1);
  for (const std::string& path : {files.put("a", text), files.put("a.gz", deflate_body(text))}) {
    Run run = replay({path, files.put("empty", "")});
    REQUIRE(run.bad.size() == 1);
    CHECK(run.bad[0].starts_with(path + ":45001:4: "));
    CHECK(replay({path}).bad == run.bad);
  }
}

TEST_CASE("a line that is too long is skipped and counted, and places behind it are right") {
  Files files;
  std::string path = files.put(
      "a", line(1, 1, 1) + "m v=" + std::string(3 * limits::kLineBytesMax, '1') + "\n" + line(1, 2, 2) + "bad\n");
  for (const std::vector<std::string>& paths : {std::vector{path}, std::vector{path, files.put("b", "")}}) {
    Run run = replay(paths);
    CHECK(run.summary.ledger.lines.read == 4);
    CHECK(run.summary.ledger.lines.bad[static_cast<size_t>(BadLine::kTooLong)] == 1);
    CHECK(run.out == "m v_count=2i,v_first=1i,v_last=2i 10000000000\n");
    REQUIRE(run.bad.size() == 2);
    CHECK(run.bad[0].starts_with(path + ":2:1: warning: the line is longer than 1 MiB: \"m v=111"));
    CHECK(run.bad[0].size() < 300 + path.size());
    CHECK(run.bad[1].starts_with(path + ":4:4: "));
  }
}

TEST_CASE("lines that are too long are told once a burst, from a file, from gzip, and without an end") {
  Files files;
  std::string text, overlong(3 * limits::kLineBytesMax, 'x');
  for (int i = 0; i < 3; i++) text += overlong + "\nbad\n";
  for (int i = 0; i < 60'000; i++) text += line(1, i, 1);  // a few blocks
  text += overlong;
  for (const std::string& path : {files.put("a", text), files.put("a.gz", deflate_body(text))}) {
    Run run = replay({path});
    CHECK(run.summary.ledger.lines.bad[static_cast<size_t>(BadLine::kTooLong)] == 4);
    REQUIRE(run.bad.size() == 3);
    CHECK(run.bad[0].starts_with(path + ":1:1: warning: the line is longer than 1 MiB"));
    CHECK(run.bad[1].starts_with(path + ":2:4: "));
    CHECK(run.bad[2].starts_with(path + ":60007:1: warning: the line is longer than 1 MiB"));
  }
}

TEST_CASE("a jump of the clock above an hour is told with its line, steps below it are not") {
  Files files;
  std::string text;
  for (int i = 0; i < 100; i++) text += line(1, i, i * 3000.0);
  text += line(1, 1, 1e9) + line(1, 1, 5) + line(1, 1, 1e9 + 3601);
  Run run = replay({files.put("a", text)});
  CHECK(run.summary.jump_count == 2);
  REQUIRE(run.summary.jumps.size() == 2);
  CHECK(run.summary.jumps[0].line == 101);
  CHECK(run.summary.jumps[1].line == 103);
  CHECK(run.summary.to_text().find("a:101: the clock jumps from 1970-01-04T10:30:00Z to 2001-09-09T01:46:40Z") !=
        std::string::npos);
}

TEST_CASE("what is said to have come out is what was printed") {
  Files files;
  std::string a = files.put("a", line(1, 5, 1) + line(2, 6, 2) + "other v=1 13000000000\nbad\n");
  std::string with_preview = std::string(kRules) +
                             "[[rule]]\nname = 'p'\nperiod = '10s'\nmeasurement = 'p'\nenabled = 'preview'\n"
                             "drop_original = true\n[rule.fields]\nv = ['count']\n";
  for (bool all : {false, true}) {
    Run run = replay({a}, all, with_preview);
    CHECK(run.summary.ledger.rules.at("p").seen == 3);
    CHECK(run.summary.results == 1);
    CHECK(run.summary.lines_out == (all ? 2 : 1));
    CHECK(run.summary.lines_out == static_cast<uint64_t>(std::count(run.out.begin(), run.out.end(), '\n')));
    CHECK(run.summary.bytes_out == run.out.size());
    CHECK((run.summary.to_text().find("1 of results\n") != std::string::npos) == all);
  }
}

TEST_CASE("late samples are told with the grace that would have kept them") {
  Files files;
  std::string text;
  for (int i = 0; i < 100; i++) text += line(1, i, 100);
  text += line(1, 1, 85);  // its window ended at 90
  Run run = replay({files.put("a", text)});
  CHECK(run.summary.ledger.rules.at("m").dropped[static_cast<size_t>(Drop::kLate)] == 1);
  std::string summary = run.summary.to_text();
  CHECK(summary.find("m: 0.99 % of the samples came too late;") != summary.npos);
  CHECK(summary.find("grace = \"0s\" would keep 99 % whole") != summary.npos);
  // After its window's end, and within the grace.
  summary = replay({files.put("b", line(1, 1, 10.5) + line(1, 2, 9))}).summary.to_text();
  CHECK(summary.find("m: none too late; grace = ") != summary.npos);
}

TEST_CASE("a damaged file is an error after all that could be read of it") {
  Files files;
  std::string text;
  for (int i = 0; i < 10'000; i++) text += line(i, i, 1);
  std::string gzip = deflate_body(text);
  Run run = replay({files.put("a.gz", std::string_view(gzip).substr(0, gzip.size() / 2))});
  CHECK(run.error.ends_with("a.gz: the gzip data is cut off"));
  CHECK(run.summary.ledger.lines.read > 1000);
}

TEST_CASE("the summary counts all series, those that were idle and forgotten too") {
  Files files;
  std::string text;
  for (int i = 0; i < 3000; i++) text += line(i / 10, i, i * 10);  // each for 100 s, all for hours
  text += line(0, 1, 30'000);                                      // and one comes back
  Run run = replay({files.put("a", text)});
  CHECK(run.summary.seen.series == 300);
  CHECK(run.summary.seen.groups == 1);
}

TEST_CASE("so many forgotten series that the summary estimates them, and says so") {
  Files files;
  std::string text;
  for (int i = 0; i < 150'000; i++) text += line(i, i, i);
  Run run = replay({files.put("a", text)});
  CHECK(!run.summary.seen.exact);
  CHECK(run.summary.seen.series > 142'000);
  CHECK(run.summary.seen.series < 158'000);
  CHECK(run.summary.to_json().find(",\"series_estimated\":true,") != std::string::npos);
  CHECK(run.summary.to_text().find("about ") != std::string::npos);
  Run few = replay({files.put("b", line(1, 1, 1))});
  CHECK(few.summary.to_json().find("estimated") == std::string::npos);
  CHECK(few.summary.to_text().find("about ") == std::string::npos);
}

TEST_CASE("nothing in, nothing out") {
  Files files;
  Run run = replay({files.put("a", "")});
  CHECK(run.out.empty());
  CHECK(run.summary.ledger.lines.read == 0);
}

TEST_CASE("the time at the end of a line") {
  CHECK(time_at_end("m v=1 5") == 5);
  CHECK(time_at_end("m v=1 -5 \r") == -5);
  CHECK(time_at_end("m v=\"a 7\" 9") == 9);
  for (const char* text : {"", "m v=1", "m v=1i", "m v=\"a 7\"", "7", "m v=1 99999999999999999999"})
    CHECK(!time_at_end(text));
}
