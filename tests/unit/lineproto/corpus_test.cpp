// Agreement with InfluxData's public corpus in both dialects, case by case. A case in the list of exceptions that
// agrees fails, too.
#include <doctest/doctest.h>
#include <zlib.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lineproto/format.h"
#include "lineproto/parse.h"

namespace limpet {
namespace {

// Key of the case, dialect: why we differ.
const std::map<std::pair<std::string, std::string>, std::string> kExceptions = {
    {{"2f1a13e0a883ccca6e540eeb29a789e3", "telegraf"},
     "a lone backslash at the end: Telegraf's parser never returns from it, which counted as accepted"},
};

std::vector<nlohmann::json> read_lines(const std::string& name) {
  std::string path = std::string(LIMPET_TEST_DATA) + "/line-protocol-corpus/" + name, text;
  gzFile file = gzopen(path.c_str(), "rb");
  REQUIRE(file);
  char buffer[65536];
  for (int n; (n = gzread(file, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  gzclose(file);
  std::vector<nlohmann::json> out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    out.push_back(nlohmann::json::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

std::string unbase64(const std::string& in) {
  const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  for (char c : in) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(letters.find(c));
    if ((have += 6) >= 8) out += static_cast<char>(bits >> (have -= 8));
  }
  return out;
}

std::string text_of(const nlohmann::json& j) { return j.is_object() ? unbase64(j["binary"]) : j.get<std::string>(); }

Value value_of(const nlohmann::json& j) {
  if (j.contains("int")) return j["int"].get<int64_t>();
  if (j.contains("uint")) return j["uint"].get<uint64_t>();
  if (j.contains("bool")) return j["bool"].get<bool>();
  if (j.contains("string")) return text_of(j["string"]);
  return j["float"].get<double>();
}

Point point_of(const nlohmann::json& j) {
  Point p;
  p.name = text_of(j["name"]);
  p.time_ns = j["time"].get<int64_t>();
  if (j.contains("tags") && j["tags"].is_array())
    for (const auto& t : j["tags"]) p.tags.emplace_back(text_of(t["key"]), text_of(t["value"]));
  for (const auto& f : j["fields"]) p.fields.emplace_back(text_of(f["key"]), value_of(f["value"]));
  return p;
}

struct Verdict {
  bool accept = true;
  std::vector<Point> points;
};

Precision precision_of(const std::string& s) {
  return s == "1ns" ? Precision::kNs : s == "1ms" ? Precision::kMs : s == "1s" ? Precision::kS : Precision::kUs;
}

Verdict decode(const std::string& text, Dialect dialect, Precision precision, int64_t default_time) {
  Verdict verdict;
  for (size_t at = 0; at < text.size();) {
    std::string_view rest = std::string_view(text).substr(at);
    LineEnd end = find_line_end(rest, dialect);
    std::string_view line = rest.substr(0, end.size);
    at += end.next;
    if (is_blank(line, dialect)) continue;
    auto point = parse_line(line, dialect, precision);
    if (!point) return {false, {}};
    if (!point->time_ns) point->time_ns = default_time - default_time % unit_ns(precision);
    for (auto& [key, value] : point->fields)
      if (auto* f = std::get_if<double>(&value); f && *f == 0) *f = 0;  // the corpus lost the sign of -0
    verdict.points.push_back(std::move(*point));
  }
  return verdict;
}

bool agrees(const nlohmann::json& test, Dialect dialect, const nlohmann::json& wanted, bool compare_points) {
  Verdict got =
      decode(text_of(test["text"]), dialect, precision_of(test["precision"]), test["default_time"].get<int64_t>());
  if (got.accept != wanted["accept"].get<bool>()) return false;
  if (!got.accept || !compare_points) return true;
  std::vector<Point> points;
  if (test["strict"].contains("points") && test["strict"]["points"].is_array())
    for (const auto& p : test["strict"]["points"]) points.push_back(point_of(p));
  return got.points == points;
}

}  // namespace

TEST_CASE("every decode case of the public corpus, in both dialects") {
  int cases = 0;
  for (const auto& test : read_lines("decode.jsonl.gz")) {
    cases++;
    std::string key = test["key"];
    auto check = [&](const char* name, Dialect dialect, bool compare_points) {
      bool expected = !kExceptions.contains({key, name});
      INFO(name << " " << key << " " << test.dump(-1, ' ', true).substr(0, 400));
      CHECK(agrees(test, dialect, test[name], compare_points) == expected);
    };
    check("strict", Dialect::kStrict, true);
    check("telegraf", Dialect::kTelegraf, test["telegraf"]["same_points_as_strict"].get<bool>());
  }
  CHECK(cases == 3297);
}

TEST_CASE("every encode case of the public corpus that can be written: reads back as the same point") {
  int cases = 0, written = 0;
  for (const auto& test : read_lines("encode.jsonl.gz")) {
    cases++;
    if (!test["expected"].contains("result")) continue;
    Point point = point_of(test["point"]);
    std::sort(point.tags.begin(), point.tags.end());
    std::string line;
    append_line(line, point);
    line.pop_back();
    for (Dialect dialect : {Dialect::kTelegraf, Dialect::kStrict}) {
      auto back = parse_line(line, dialect);
      INFO(line << " wanted " << test["expected"].dump());
      REQUIRE(back);
      CHECK(back->name == point.name);
      CHECK(back->tags == point.tags);
      CHECK(back->fields == point.fields);
    }
    written++;
  }
  CHECK(cases == 61);
  CHECK(written > 20);
}

}  // namespace limpet
