#include <zlib.h>

#include <random>

#include "tests/unit/engine/engine_fixture.h"

namespace limpet {
namespace {

constexpr const char* kRules = R"toml(
[[rule]]
name = "all"
namepass = ["*"]
without = ["pod", "host"]
period = "10s"
every = "5s"
grace = "2s"
drop_original = true
max_groups = 5
[rule.fields]
"*" = ["count", "sum", "last", "distinct", "count(last)"]
[[rule]]
name = "counters"
namepass = ["cpu", "m*"]
period = "5s"
measurement = "c_{measurement}"
late = "correct"
grace = "0s"
[rule.fields]
"v*" = ["increase", "total", "p50", "histogram"]
)toml";

std::string host_metrics() {
  std::string path = std::string(LIMPET_TEST_DATA) + "/host-metrics/host-metrics.lp.gz", text;
  gzFile file = gzopen(path.c_str(), "rb");
  REQUIRE(file);
  char buffer[65536];
  for (int n; (n = gzread(file, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  gzclose(file);
  return text;
}

template <typename List>
auto pick(std::mt19937_64& r, const List& list) {
  return list[r() % std::size(list)];
}

std::string random_lines(uint64_t seed, size_t count) {
  const char* heads[] = {"cpu",           "cpu,host=a",  "cpu,pod=1,host=b",
                         "m\\ x,a=b\\,c", "mem,z=1,a=2", "mem,a=2,z=1",
                         "m,a=x\\ y",     "#c",          "",
                         "  cpu",         "bad",         "m,a=",
                         "m\tx",          "m\\\\,a=b",   "m,a=b\\\\",
                         "\xc3\xa9,h=1",  "m,le=1",      "x,limpet_a=1",
                         "m\x01n",        "m\x02n",      "m\x03n,a=b\x7f"};
  const char* values[] = {"1",
                          "1i",
                          "2u",
                          "-0",
                          "1.5e3",
                          "\"a\"",
                          "\"a\\\"b\"",
                          "\"a b,c=d\"",
                          "true",
                          "F",
                          "1e400",
                          "\"x",
                          "01i",
                          "5.",
                          ".5",
                          "nan",
                          "\"\n\"",
                          "9223372036854775807i",
                          "18446744073709551615u",
                          "0.1000000000000000055511151231257827",
                          "-5i",
                          "1_0",
                          "0x1p3",
                          "\"\\n\"",
                          "12345678901234567890"};
  const char* keys[] = {"v", "v2", "value_with_a_long_name", "s\\ p", "v", "a\"b", "w"};
  std::mt19937_64 r(seed);
  std::string out;
  int64_t time = 1763640000'000000000;
  for (size_t i = 0; i < count; i++) {
    time += static_cast<int64_t>(r() % 3'000'000'000);
    out += pick(r, heads);
    out += ' ';
    for (size_t f = 0; f <= r() % 3; f++) {
      if (f) out += ',';
      out += pick(r, keys);
      out += '=';
      out += pick(r, values);
    }
    switch (r() % 8) {
      case 0:
        break;
      case 1:
        out += "  " + std::to_string(time - static_cast<int64_t>(r() % 20'000'000'000));
        break;
      case 2:
        out += "\t" + std::to_string(time) + " ";
        break;
      case 3:
        out += " 12x";
        break;
      default:
        out += " " + std::to_string(time);
    }
    out += r() % 20 ? "\n" : "\r\n";
  }
  return out;
}

struct Outcome {
  std::string results, written_back, ledger;
  bool operator==(const Outcome&) const = default;
};

Outcome run(const std::string& text, size_t chunk) {
  TestEngine e(kRules);
  std::string held;
  for (size_t at = 0; at < text.size(); at += chunk) {
    held += text.substr(at, chunk);
    IngestResult r = e.feed(held);
    held.erase(0, r.consumed);
  }
  e.feed(held, 0, true);
  Outcome out;
  out.results = e.finish();
  out.written_back = e.engine.written_back();
  out.ledger = e.engine.ledger().to_json();
  CHECK(e.engine.ledger().balances());
  return out;
}

// A blank in front of every line keeps the fast path from taking it: the full parser reads them all.
std::string indented(const std::string& text) {
  std::string out;
  std::string_view rest = text;
  while (!rest.empty()) {
    LineEnd end = find_line_end(rest, Dialect::kTelegraf);
    out += ' ';
    out += rest.substr(0, end.next);
    rest.remove_prefix(end.next);
  }
  return out;
}

std::string without_indent(const std::string& text) {
  std::string out;
  std::string_view rest = text;
  while (!rest.empty()) {
    LineEnd end = find_line_end(rest, Dialect::kTelegraf);
    out += rest.substr(1, end.next - 1);
    rest.remove_prefix(end.next);
  }
  return out;
}

}  // namespace

TEST_CASE("any chunking gives the same") {
  for (uint64_t seed = 0; seed < 30; seed++) {
    std::string text = random_lines(seed, 60);
    Outcome whole = run(text, text.size());
    for (size_t chunk : {1, 7, 100, 1000}) CHECK(run(text, chunk) == whole);
  }
}

TEST_CASE("the fast path and the full parser agree") {
  for (uint64_t seed = 100; seed < 400; seed++) {
    std::string text = random_lines(seed, 80);
    Outcome fast = run(text, text.size()), slow = run(indented(text), text.size() * 2);
    INFO("seed " << seed << "\n" << text);
    CHECK(fast.results == slow.results);
    CHECK(fast.ledger == slow.ledger);
    CHECK(fast.written_back == without_indent(slow.written_back));
  }
}

TEST_CASE("the fast path and the full parser agree on real metrics") {
  std::string text = host_metrics();
  Outcome fast = run(text, 100'000), slow = run(indented(text), 100'000);
  CHECK(fast.results == slow.results);
  CHECK(fast.ledger == slow.ledger);
}

TEST_CASE("what is told of bad lines") {
  TestEngine e(kRules);
  IngestResult r = e.feed("cpu v=1 1\n\n# c\ncpu v=abc 2\ncpu 3\n");
  CHECK(r.lines == 3);
  CHECK(r.bad == 2);
  CHECK(r.first_bad_line == 4);
  CHECK(r.first_error.offset == 6);
  CHECK(r.first_bad_text == "cpu v=abc 2");
}

TEST_CASE("timestamps of other precision, and absent ones, are written back in ns where the sender is a listener's") {
  TestEngine e(kRules, TestEngine::live(0), 5'000'000'000);
  std::string text = "zzz,a=1  v=1,s=\"a b\" 3\nzzz v=2\n" + std::string(kBlockPadding, ' ');
  Block block;
  block.text = std::string_view(text).substr(0, text.size() - kBlockPadding);
  block.precision = Precision::kS;
  block.rewrite_time = true;
  TestEngine none("[[rule]]\nname = \"x\"\nperiod = \"1s\"\nnamepass = [\"nothing\"]\n[rule.fields]\nv = [\"count\"]\n",
                  TestEngine::live(0), 5'000'000'000);
  none.engine.ingest(block, {5'000'000'000});
  CHECK(none.engine.written_back() == "zzz,a=1  v=1,s=\"a b\" 3000000000\nzzz v=2 5000000000\n");
}

TEST_CASE("more series than the table holds: slower, nothing lost") {
  std::string text;
  for (int64_t i = 0; i < 3000; i++)
    text += "cpu,pod=p" + std::to_string(i % 97) + ",env=e" + std::to_string(i % 3) + " v=" + std::to_string(i) + " " +
            std::to_string(1763640000'000000000 + i * 10'000'000) + "\n";
  EngineOptions small = TestEngine::replay();
  small.series_max = 10;
  TestEngine few(kRules, small), all(kRules);
  few.feed(text), all.feed(text);
  CHECK(few.engine.gauges().series == 10);
  CHECK(few.finish() == all.finish());
  CHECK(few.engine.ledger().to_json() == all.engine.ledger().to_json());
}

TEST_CASE("names that results write alike are one series") {
  TestEngine e("[[rule]]\nname = \"r\"\nperiod = \"1s\"\n[rule.fields]\n\"*\" = [\"sum\"]\n");
  e.feed("m\x01,t=\x01 a=1 1000000000\nm\x02,t=\x02 b=2,c=3,d=4 1000000000\nm_,t=_ c=5,a=6 1000000000\n");
  CHECK(e.finish() == "m_,t=_ a_sum=7,b_sum=2,c_sum=8,d_sum=4 2000000000\n");
}

TEST_CASE("names of one line that results write alike come once") {
  TestEngine e(
      "[[rule]]\nname = \"r\"\nperiod = \"1s\"\nby = [\"*\"]\ntags = { x_ = \"0\" }\n[rule.fields]\n\"*\" = "
      "[\"sum\"]\n");
  e.feed("m,a\x01=1,a\x02=2,a^=3,x\x01=4 v\x01=1,v\x02=2 1000000000\n");
  CHECK(e.finish() == "m,a^=3,a_=1,x_=0 v__sum=1 2000000000\n");
  CHECK(e.engine.ledger().rules.at("r").collisions == 1);
}

TEST_CASE("names of which nothing can be written are '_'") {
  TestEngine e("[[rule]]\nname = \"r\"\nperiod = \"1s\"\nfield_name = \"{field}\"\n[rule.fields]\n\"*\" = [\"sum\"]\n");
  e.feed("\\\\ \\\\=1 1000000000\n");
  CHECK(e.finish() == "_ _=1 2000000000\n");
}

TEST_CASE("nothing is read far behind a block, whatever stands there") {
  const std::string known = "m v=1,s=\"a\" 1\n";
  for (const char* cut_off :
       {"m s=\"a\",v=1", "m s=\"a\",v=0.1", "m s=\"a\",v=t", "m s=\"a\" 1", "m,a=1", "m s=\"a\\"}) {
    TestEngine e(kRules);
    std::string text = known + cut_off;
    size_t size = text.size();
    text.append(kBlockPadding, text.back());
    std::vector<char> exact(text.begin(), text.end());  // no byte more: AddressSanitizer watches
    CHECK(e.engine.ingest({.text = {exact.data(), size}}, {}).consumed == known.size());
  }
}

TEST_CASE("two fields of one rule that give one result name: one of them is written") {
  TestEngine e(
      "[[rule]]\nname = \"r\"\nperiod = \"1s\"\nfield_name = \"{function}\"\n[rule.fields]\n\"*\" = [\"sum\"]\n");
  e.feed("m a=1,b=2 1000000000\n");
  CHECK(e.finish() == "m sum=1 2000000000\n");
  CHECK(e.engine.ledger().rules.at("r").collisions == 1);
}

TEST_CASE("a result line stays below 60 KiB, whatever comes: fields that cannot fit are left out and counted") {
  std::string rules = "[[rule]]\nname = \"r\"\nperiod = \"1s\"\n[rule.fields]\n\"*\" = [\"last\"]\n";
  auto longest = [](const std::string& lines) {
    size_t most = 0;
    for (size_t at = 0, end; (end = lines.find('\n', at)) != lines.npos; at = end + 1)
      most = std::max(most, end + 1 - at);
    return most;
  };
  TestEngine e(rules);
  std::string fitting = "m f=\"";
  fitting += std::string(limits::kResultBytesMax - std::string("m f_last=\"\" 2000000000\n").size() - 1, 'x');
  e.feed(fitting + "\" 1000000000\n");
  CHECK(longest(e.finish()) == limits::kResultBytesMax - 1);
  TestEngine too_long(rules);
  too_long.feed(fitting + "x\",g=1 1000000000\n");
  CHECK(too_long.finish() == "m g_last=1 2000000000\n");
  CHECK(too_long.engine.ledger().rules.at("r").too_long == 1);
  REQUIRE(too_long.log.texts.size() == 1);
  CHECK(too_long.log.texts[0] ==
        "rule \"r\": results of the series m are left out: with its tags each would make a line of 60 KiB or more");
  TestEngine tags(rules);
  tags.feed("m,t=" + std::string(70'000, 'y') + " f=1,g=2 1000000000\n");
  CHECK(tags.finish().empty());
  CHECK(tags.engine.ledger().rules.at("r").too_long == 2);
  CHECK(tags.engine.ledger().balances());
}

TEST_CASE("many resets of counters are asked about, once a rule") {
  auto logged = [](int reset_every) {
    TestEngine e("[[rule]]\nname = \"r\"\nperiod = \"1s\"\n[rule.fields]\nv = [\"increase\"]\n");
    for (int i = 0; i < 200; i++)
      e.feed("m v=" + std::to_string(1000 + i % reset_every * 1000) + " " + std::to_string(1'000'000'000 + i) + "\n");
    return e.log.texts;
  };
  CHECK(logged(200).empty());
  CHECK(logged(11).empty());
  REQUIRE(logged(2).size() == 1);
  CHECK(logged(2)[0].starts_with(
      "rule \"r\": 10 of its 21 counter samples so far are resets: do two sources write one series?"));
}

TEST_CASE("more fields than a group can have: those that came first count, the rest are dropped and counted") {
  EngineOptions options = TestEngine::replay();
  options.group_fields_max = 3;
  TestEngine e("[[rule]]\nname = \"r\"\nperiod = \"1s\"\n[rule.fields]\n\"*\" = [\"sum\"]\n", options);
  e.feed("m a=1,b=1,c=1,d=1 1000000000\nm d=1,c=1 1000000000\nm,t=1 d=1 1000000000\nm c=t 1000000000\n");
  CHECK(e.finish() == "m a_sum=1,b_sum=1,c_sum=2 2000000000\nm,t=1 d_sum=1 2000000000\n");
  const RuleLedger& counts = e.engine.ledger().rules.at("r");
  CHECK(counts.aggregated == 5);
  CHECK(counts.dropped[static_cast<size_t>(Drop::kLimit)] == 2);
  CHECK(counts.dropped[static_cast<size_t>(Drop::kType)] == 1);
  CHECK(e.engine.ledger().balances());
}

}  // namespace limpet
