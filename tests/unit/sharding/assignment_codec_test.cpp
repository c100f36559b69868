#include "sharding/assignment_codec.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

#include "base/hash.h"
#include "sharding/invariants.h"
#include "tests/unit/sharding/assignments.h"

using namespace limpet;

namespace {

// A file around a body: what a careful writer of a bad body would publish.
std::string framed(const std::string& body, uint64_t generation = 4182) {
  return fmt::format(
      "{{\"format\":\"limpet-assignment\",\"version\":1,\"generation\":{},\"bytes\":{},\"xxh3\":\"{:016x}\"}}\n{}\n",
      generation, body.size(), hash64(body), body);
}

std::string body_of(const Assignment& a) {
  std::string file = encode(a);
  std::string body = file.substr(file.find('\n') + 1);
  body.pop_back();
  return body;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  size_t at = text.find(what);
  REQUIRE_MESSAGE(at != text.npos, what);
  return text.replace(at, what.size(), with);
}

std::string error_of(const std::string& file) {
  auto decoded = decode_assignment(file);
  REQUIRE_FALSE(decoded.has_value());
  return decoded.error();
}

// The error of the body of some_assignment() with one piece of it changed.
std::string fault(const std::string& what, const std::string& with) {
  return error_of(framed(replaced(body_of(some_assignment()), what, with)));
}

std::string report_fault(const std::string& what, const std::string& with) {
  auto decoded = decode_report(replaced(encode(some_report()), what, with));
  REQUIRE_FALSE(decoded.has_value());
  return decoded.error();
}

}  // namespace

TEST_CASE("how long a file can be at most is known without writing it, and not far off") {
  std::mt19937_64 r(11);
  for (int i = 0; i < 300; i++) {
    Assignment a = random_assignment(r);
    REQUIRE(encode(a).size() <= encoded_bytes_max(a));
  }
  Assignment many = some_assignment();
  many.moved.assign(1000, many.moved[0]);
  CHECK(encoded_bytes_max(many) < 1.1 * static_cast<double>(encode(many).size()));
}

TEST_CASE("what is written is the format to the letter") {
  CHECK(body_of(some_assignment()) ==
        R"({"cluster":"default","generation":4182,"created":"2025-11-20T12:00:00Z","cause":["drain agg-17"],)"
        R"("pods":[{"name":"agg-17","incarnation":"9b1c","address":"10.0.3.4:8087","zone":"a","state":"draining",)"
        R"("host":"n12","revision":"5d9f","weight":0.5,"since":1763639990},)"
        R"({"name":"agg-3","incarnation":"77aa","address":"10.0.3.5:8087","zone":"b","state":"ready"}],)"
        R"("slices":{"low":["0000000000000000","0040000000000000","0080000000000000"],"owner":[0,1,0],)"
        R"("standby":[1,-1,1],"since":[4181,4182,0],"cutover":[0,1763640010,0]},)"
        R"("handoffs":[{"low":"0040000000000000","high":"0080000000000000",)"
        R"("from":{"name":"agg-17","incarnation":"9b1c"},"generation":4182}],)"
        R"("moved":[{"low":"0040000000000000","high":"0080000000000000","at":1763640000,"cause":"drain",)"
        R"("cutover":1763640010,"from":"agg-17","to":"agg-3"},)"
        R"({"low":"0080000000000000","high":"10000000000000000","at":1763640001,"cause":"balance",)"
        R"("cutover":1763640001}]})");
  CHECK(encode(some_assignment()) == framed(body_of(some_assignment())));
}

TEST_CASE("what is written reads back the same") {
  CHECK(decode_assignment(encode(some_assignment())) == some_assignment());
  CHECK(decode_report(encode(some_report())) == some_report());
  std::mt19937_64 r(1);
  for (int i = 0; i < 500; i++) {
    Assignment a = random_assignment(r);
    REQUIRE(check_structure(a) == std::vector<std::string>{});
    auto decoded = decode_assignment(encode(a));
    REQUIRE_MESSAGE(decoded.has_value(), decoded.error());
    REQUIRE(*decoded == a);
  }
}

TEST_CASE("texts that are no UTF-8 get a mark for every byte that is not") {
  Assignment a = some_assignment();
  a.cause = {"a\xff\xc3z", "\xe2\x82", "\xf0\x9d\x84\x9e"};
  CHECK(decode_assignment(encode(a))->cause ==
        std::vector<std::string>{"a\ufffd\ufffdz", "\ufffd\ufffd", "\xf0\x9d\x84\x9e"});
}

TEST_CASE("numbers that JSON does not know are written as 0") {
  PodReport p = some_report();
  p.cpu = std::numeric_limits<double>::quiet_NaN(), p.slices[0].samples_per_s = std::numeric_limits<double>::infinity();
  auto decoded = decode_report(encode(p));
  REQUIRE(decoded.has_value());
  CHECK(decoded->cpu == 0);
  CHECK(decoded->slices[0].samples_per_s == 0);
}

TEST_CASE("whatever is cut off is refused") {
  std::string file = encode(some_assignment()), report = encode(some_report());
  for (size_t n = 0; n < file.size(); n++) REQUIRE_FALSE(decode_assignment(file.substr(0, n)).has_value());
  for (size_t n = 0; n < report.size(); n++) REQUIRE_FALSE(decode_report(report.substr(0, n)).has_value());
}

TEST_CASE("no bit of an assignment may change") {
  std::string file = encode(some_assignment());
  for (size_t i = 0; i < file.size(); i++)
    for (int flip : {1, 2, 32}) {
      std::string other = file;
      other[i] = static_cast<char>(other[i] ^ flip);
      auto decoded = decode_assignment(other);
      REQUIRE((!decoded || *decoded == some_assignment()));
      if (i > file.find('\n')) REQUIRE_FALSE(decoded.has_value());
    }
}

TEST_CASE("the header says what is wrong with it") {
  std::string file = encode(some_assignment());
  CHECK(error_of("") == "line 1: is not a whole header of at most 4096 bytes");
  CHECK(error_of(std::string(5000, ' ') + file) == "line 1: is not a whole header of at most 4096 bytes");
  CHECK(error_of(replaced(file, "limpet-assignment", "sticky")) ==
        "line 1: format: expected \"limpet-assignment\", not \"sticky\"");
  CHECK(error_of(replaced(file, "\"version\":1", "\"version\":2")) == "line 1: version: 2 is not known here, only 1");
  CHECK(error_of(replaced(file, "\"version\":1,", "")) == "line 1: \"version\" is missing");
  // Another version may look different otherwise.
  CHECK(error_of("{\"format\":\"limpet-assignment\",\"version\":2}\n{}\n") ==
        "line 1: version: 2 is not known here, only 1");
  CHECK(error_of(replaced(file, "\"generation\":4182", "\"generation\":4183")) ==
        "line 2: generation: 4182, but 4183 in line 1");
  CHECK(error_of(replaced(file, "\"generation\":4182", "\"generation\":0")) ==
        "line 1: generation: expected a whole number from 1 to 9007199254740991");
  CHECK(error_of(replaced(file, "\"version\":1", "\"version\":1,\"version\":1")) ==
        "line 1: version: stands there twice");
  CHECK(error_of(replaced(file, "\"xxh3\":\"", "\"xxh3\":\"0")) ==
        "line 1: xxh3: expected 16 lower-case hexadecimal digits");
  CHECK(error_of(file + "x").starts_with("line 2: expected "));
  CHECK(error_of(file + "\n").starts_with("line 2: expected "));
  CHECK(error_of("{\"format\":\"limpet-assignment\",\"version\":1,\"generation\":1,\"bytes\":18446744073709551615,"
                 "\"xxh3\":\"0000000000000000\"}\n")
            .starts_with("line 2: expected "));
  CHECK(error_of(replaced(file, "drain agg-17", "drain agg-18")).starts_with("line 2: its checksum is "));
  CHECK(error_of(std::string(kAssignmentBytesMax + 1, ' ')) == "longer than 67108864 bytes");
}

TEST_CASE("the body says where it is wrong") {
  CHECK(fault("\"0040000000000000\",\"0080", "\"0080000000000000\",\"0080") ==
        "line 2: slices.low[2]: expected more than 0080000000000000 before it");
  CHECK(fault("\"low\":[\"0000000000000000\"", "\"low\":[\"0000000000000001\"") ==
        "line 2: slices.low[0]: expected 0000000000000000");
  CHECK(fault("\"0040000000000000\",\"0080", "\"004000000000000G\",\"0080") ==
        "line 2: slices.low[1]: expected 16 lower-case hexadecimal digits");
  CHECK(fault("\"0040000000000000\",\"0080", "\"00400000000000AB\",\"0080") ==
        "line 2: slices.low[1]: expected 16 lower-case hexadecimal digits");
  CHECK(fault("\"owner\":[0,1,0]", "\"owner\":[0,1,2]") == "line 2: slices.owner[2]: there is no pod 2, only 2");
  CHECK(fault("\"owner\":[0,1,0]", "\"owner\":[0,1]") ==
        "line 2: slices.owner: expected 3 elements as in slices.low, not 2");
  CHECK(fault("\"owner\":[0,1,0]", "\"owner\":[0,-1,0]") ==
        "line 2: slices.owner[1]: expected a whole number from 0 to 2147483647");
  CHECK(fault("\"owner\":[0,1,0]", "\"owner\":[0,1.0,0]") ==
        "line 2: slices.owner[1]: expected a whole number from 0 to 2147483647");
  CHECK(fault("\"owner\":[0,1,0]", "\"owner\":0") == "line 2: slices.owner: expected an array");
  CHECK(fault("\"owner\":[0,1,0],", "") == "line 2: slices: \"owner\" is missing");
  CHECK(fault("\"owner\":[0,1,0]", "\"owner\":[0,1,0],\"owner\":[0,1,0]") ==
        "line 2: slices.owner: stands there twice");
  CHECK(fault("\"standby\":[1,-1,1]", "\"standby\":[1,-2,1]") ==
        "line 2: slices.standby[1]: expected a whole number from -1 to 2147483647");
  CHECK(fault("\"standby\":[1,-1,1]", "\"standby\":[1,-1,2]") ==
        "line 2: slices.standby[2]: there is no pod 2, only 2");
  CHECK(fault("\"standby\":[1,-1,1]", "\"standby\":[0,-1,1]") == "line 2: slices.standby[0]: is the owner");
  CHECK(fault("[4181,4182,0]", "[4181,4183,0]") == "line 2: slices.since[1]: 4183 is above the generation 4182");
  CHECK(fault("[4181,4182,0]", "[4181,9007199254740992,0]") ==
        "line 2: slices.since[1]: expected a whole number from 0 to 9007199254740991");
  CHECK(fault("\"agg-3\",\"inc", "\"agg-17\",\"inc") == "line 2: pods[1].name: \"agg-17\" stands there twice");
  CHECK(fault("\"agg-3\",\"inc", "\"../etc\",\"inc").starts_with("line 2: pods[1].name: a pod's name must be"));
  CHECK(fault("\"draining\"", "\"lazy\"") ==
        "line 2: pods[0].state: expected one of starting, ready, draining, drained, dead");
  CHECK(fault("\"weight\":0.5", "\"weight\":-1") == "line 2: pods[0].weight: expected a number from 0 to 1000000000");
  CHECK(fault("2025-11-20T12:00:00Z", "2025-02-30T12:00:00Z") ==
        "line 2: created: expected a time such as 2026-11-20T12:00:00Z");
  CHECK(fault("2025-11-20T12:00:00Z", "2025-11-20T12:00:00").starts_with("line 2: created: "));
  CHECK(fault("2025-11-20T12:00:00Z", "1969-12-31T23:59:59Z").starts_with("line 2: created: "));
  CHECK(fault("\"high\":\"0080000000000000\",\"from\"", "\"high\":\"0040000000000000\",\"from\"") ==
        "line 2: handoffs[0]: the range ends before it begins");
  CHECK(fault("\"10000000000000000\"", "\"0000000000000000\"") ==
        "line 2: moved[1].high: expected 16 lower-case hexadecimal digits, not all 0, or 10000000000000000");
  CHECK(fault("\"cause\":\"drain\"", "\"cause\":\"whim\"") ==
        "line 2: moved[0].cause: expected death, drain, fill, balance or merge");
  CHECK(fault("\"cluster\":\"default\"", "\"cluster\":7") == "line 2: cluster: expected a string");
  CHECK(error_of(framed("[]")) == "line 2: expected an object");
}

TEST_CASE("bytes that are no JSON are refused, and so is depth without end") {
  std::string body = body_of(some_assignment());
  for (std::string bad : {std::string("\0", 1), std::string("\xff"), std::string("\n"), std::string("{}")})
    CHECK_FALSE(decode_assignment(framed(body + bad + "x")).has_value());
  CHECK_FALSE(decode_assignment(framed(replaced(body, "default", std::string("a\0b", 3)))).has_value());
  std::string deep(100'000, '[');
  CHECK_FALSE(decode_assignment(framed(replaced(body, "{\"cluster\"", "{\"x\":" + deep + ",\"cluster\""))).has_value());
  std::string shallow = "{\"x\":[[[{\"y\":[1,2,{}]}]]],\"cluster\"";
  CHECK(decode_assignment(framed(replaced(body, "{\"cluster\"", shallow))) == some_assignment());
}

TEST_CASE("members that are not known are passed over, wherever they stand") {
  std::string body = body_of(some_assignment());
  for (const char* place :
       {"{\"name\":\"agg-3\"", "{\"low\":[", "{\"low\":\"0040", "{\"name\":\"agg-17\",\"incarnation\":\"9b1c\"}"})
    body = replaced(body, place, std::string("{\"future\":{\"low\":[1e300,null,true]},").append(place + 1));
  CHECK(decode_assignment(framed(body)) == some_assignment());
  CHECK(decode_assignment(replaced(framed(body), "\"bytes\"", "\"later\":[],\"bytes\"")) == some_assignment());
  CHECK(decode_report(replaced(encode(some_report()), "{\"low\"", "{\"low2\":{},\"low\"")) == some_report());
}

TEST_CASE("pods may stand in any order in a file: their indices follow") {
  Assignment sorted = some_assignment();
  Assignment other = sorted;
  std::swap(other.pods[0], other.pods[1]);
  for (uint32_t& owner : other.slices.owner) owner = 1 - owner;
  for (int32_t& standby : other.slices.standby)
    if (standby != kNoPod) standby = 1 - standby;
  CHECK(decode_assignment(encode(other)) == sorted);
}

TEST_CASE("white space between tokens and members in another order change nothing") {
  Assignment a;
  a.generation = 3, a.pods = {{.name = "p", .incarnation = "i"}};
  a.slices = {.low = {0}, .owner = {0}, .standby = {kNoPod}, .since = {3}, .cutover_s = {0}};
  CHECK(decode_assignment(framed(R"( { "slices" : {"cutover":[ 0 ],"since":[3],"standby":[-1],"owner":[0],)"
                                 R"("low":["0000000000000000"]}, "pods":[{"state":"ready","incarnation":"i",)"
                                 R"("name":"p"}],"created":"1970-01-01T00:00:00Z","generation":3,"cluster":"default"})",
                                 3)) == a);
}

TEST_CASE("a report says where it is wrong") {
  CHECK(report_fault("limpet-report", "limpet-assignment") ==
        "format: expected \"limpet-report\", not \"limpet-assignment\"");
  CHECK(report_fault("\"version\":1", "\"version\":2") == "version: 2 is not known here, only 1");
  CHECK(report_fault("\"agg-1\"", "\".agg\"").starts_with("name: a pod's name must be"));
  CHECK(report_fault("\"sequence\":7,", "") == "\"sequence\" is missing");
  CHECK(report_fault("\"sequence\":7", "\"sequence\":-7") == "sequence: expected a whole number, not negative");
  CHECK(report_fault("\"state\":\"ready\"", "\"state\":\"dead\"") ==
        "state: expected one of starting, ready, draining, drained");
  CHECK(report_fault("\"capacity\":2", "\"capacity\":0") == "capacity: expected a number from 1e-06 to 1000000");
  CHECK(report_fault("ffffffffffffffff", "0000000000000000") == "slices: 0000000000000000 stands there twice");
  CHECK(report_fault("\"groups\":120", "\"groups\":1e2") == "slices[0].groups: expected a whole number, not negative");
  CHECK(report_fault("\"generation\":4182,\"slices\"", "\"generation\":9007199254740992,\"slices\"") ==
        "generation: expected a whole number from 0 to 9007199254740991");
  CHECK(decode_report("").error() == "is not whole: it does not end with a newline");
  CHECK(decode_report(std::string(kReportBytesMax + 1, ' ')).error() == "longer than 16777216 bytes");
}

TEST_CASE("a report need not say more than who it is of") {
  auto p = decode_report(
      "{\"format\":\"limpet-report\",\"version\":1,\"name\":\"a\",\"incarnation\":\"i\",\"sequence\":1,\"state\":"
      "\"ready\"}"
      "\n");
  REQUIRE(p.has_value());
  PodReport expected;
  expected.name = "a", expected.incarnation = "i", expected.sequence = 1, expected.state = PodState::kReady;
  CHECK(*p == expected);
}

TEST_CASE("files are told apart by their first line") {
  CHECK(looks_like_assignment(encode(some_assignment())));
  CHECK_FALSE(looks_like_report(encode(some_assignment())));
  CHECK(looks_like_report(encode(some_report())));
  CHECK_FALSE(looks_like_assignment(encode(some_report())));
  CHECK_FALSE(looks_like_assignment("# \"limpet-assignment\"\n[[rule]]\n"));
  CHECK_FALSE(looks_like_report(""));
  CHECK(looks_like_assignment("\t " + encode(some_assignment())));
  CHECK(looks_like_report("\r\n " + encode(some_report())));
}

namespace {

// The indented blocks of the format document, in order.
std::vector<std::string> examples() {
  std::ifstream file(LIMPET_TEST_DATA "/../../src/sharding/ASSIGNMENT_FORMAT.md");
  std::string document((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::string> found;
  constexpr std::string_view kBegin = "```json\n", kEnd = "```\n";
  for (size_t at = 0; (at = document.find(kBegin, at)) != document.npos;) {
    at += kBegin.size();
    size_t end = document.find(kEnd, at);
    found.push_back(document.substr(at, end - at));
    at = end;
  }
  return found;
}

}  // namespace

TEST_CASE("the examples of the format document are files") {
  size_t assignments = 0, reports = 0;
  for (const std::string& example : examples()) {
    if (looks_like_assignment(example)) {
      auto decoded = decode_assignment(example);
      REQUIRE_MESSAGE(decoded.has_value(), decoded.error());
      CHECK(encode(*decoded) == example);
      assignments++;
    } else {
      auto decoded = decode_report(example);
      REQUIRE_MESSAGE(decoded.has_value(), decoded.error());
      CHECK(encode(*decoded) == example);
      reports++;
    }
  }
  CHECK(assignments == 1);
  CHECK(reports == 1);
}
