#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "rules/duration.h"
#include "rules/rule_set.h"

namespace limpet {
namespace {

bool glob(const std::vector<std::string>& patterns, std::string_view text, std::string_view separators = {}) {
  auto filter = Filter::compile(patterns, separators);
  REQUIRE(filter);
  return filter->matches(text);
}

std::string rule(int n, const std::string& selectors) {
  return "[[rule]]\nname = \"r" + std::to_string(n) + "\"\nperiod = \"1m\"\nmeasurement = \"m" + std::to_string(n) +
         "\"\n" + selectors + "[rule.fields]\nv = [\"count\"]\n";
}

}  // namespace

TEST_CASE("the filters of Telegraf") {
  CHECK(glob({"cpu"}, "cpu"));
  CHECK(!glob({"{a,b}"}, "a"));
  CHECK(glob({"{a,b}"}, "{a,b}"));
  CHECK(glob({"{a,b}", "z*"}, "a"));
  CHECK(glob({"a,b", "z*"}, "a,b"));
  CHECK(!glob({"a,b", "z*"}, "a"));
  CHECK(glob({"{a", "z*"}, "zz"));
  CHECK(glob({"a*c?[xyz][0-9][!q]"}, "abbbcdx5r"));
  CHECK(!glob({"a*c?[xyz][0-9][!q]"}, "abbbcdx5q"));
  CHECK(glob({"*"}, ""));
  CHECK(glob({"a.*.b"}, "a.c.b", "."));
  CHECK(glob({"a.*.b"}, "a..b", "."));
  CHECK(!glob({"a.*.b"}, "a.c.d.b", "."));
  CHECK(glob({"a.**.b"}, "a.c.d.b", "."));
  CHECK(glob({"{a,b{c,d}}*"}, "bdx"));
  CHECK(glob({"\\**"}, "*x"));
  CHECK(!glob({"\\**"}, "x"));
  CHECK(glob({"[^a]"}, "^"));
  CHECK(!glob({"[^a]"}, "b"));
  CHECK(!glob({"{a*"}, "a"));
  CHECK(!glob({"c?t"}, "c\xe6\x97\xa5t"));
  CHECK(glob({"c*t"}, "c\xe6\x97\xa5t"));
  // Behind `?` and before the end gobwas takes the first byte alone.
  CHECK(glob({"ca?"}, "ca\xe6\x97\xa5"));
  CHECK(glob({"c\xc3\xa9t?"}, "c\xc3\xa9t\xc3\xa9"));
  CHECK(!glob({"\xc3\xa9?"}, "\xc3\xa9t"));
  CHECK(!glob({"ca?"}, "ca\xe6\x97\xa5t"));
  CHECK(!glob({"ca?"}, "ca"));
  CHECK(glob({"??"}, "\xe6\x97\xa5\xe6\x97\xa5"));
  CHECK(glob({"c[!b]"}, "c\xc3\xa9"));
  CHECK(!glob({"c[\xc3\xa9]"}, "c\xc3\xa9"));
  CHECK(!glob({"c?"}, "c.", "."));
  for (const char* bad : {"[a-]*", "[]*", "[a*", "[z-a]*"}) CHECK(!Filter::compile({bad}));
}

TEST_CASE("globs of many stars end in time") {
  std::string text(10'000, 'a');
  CHECK(!glob({"*a*a*a*a*a*a*a*a*a*b"}, text));
}

TEST_CASE("the ends of a glob, compared first, change no answer") {
  std::mt19937_64 r(6);
  auto random = [&](std::string_view letters) {
    std::string text;
    for (size_t n = r() % 6; n > 0; n--) text += letters[r() % letters.size()];
    return text;
  };
  size_t matched = 0;
  for (int round = 0; round < 20'000; round++) {
    std::string plain = random("ab.*?") + "*", classes;  // with each letter in brackets it has no fixed ends
    if (r() % 2) plain += random("ab.");
    for (char c : plain) classes += c == '*' || c == '?' ? std::string(1, c) : std::string{'[', c, ']'};
    std::string text = random("ab.") + random("ab\xc3\xa9"), separators = r() % 2 ? "." : "";
    bool found = glob({plain}, text, separators);
    CHECK(found == glob({classes}, text, separators));
    matched += found;
  }
  CHECK(matched > 1000);
}

TEST_CASE("durations") {
  CHECK(parse_duration("1m30s") == 90 * kSecondNs);
  CHECK(parse_duration("1.5h") == 90 * kMinuteNs);
  CHECK(parse_duration("2d") == 48 * kHourNs);
  CHECK(parse_duration("250ms") == 250 * kMillisecondNs);
  for (const char* bad : {"", "5", "s", "1x", "1m 30s", "-1s", "1.2.3s", "9999999d"}) CHECK(!parse_duration(bad));
  for (const char* text : {"106752d", "9223372036s", "9999999d"})
    CHECK(parse_duration(text) == std::unexpected(DurationFault::kTooLong));
  CHECK(parse_duration("1x") == std::unexpected(DurationFault::kMalformed));
  for (int64_t ns : {int64_t{1}, kSecondNs, 90 * kSecondNs, 25 * kHourNs})
    CHECK(parse_duration(format_duration(ns)) == ns);
}

TEST_CASE("functions and their names") {
  auto suffix = [](const char* text) { return parse_function(text)->suffix; };
  CHECK(suffix("p99.9") == "p99_9");
  CHECK(suffix("quantile(0.999)") == "p99_9");
  CHECK(suffix("quantile( 0.5 )") == "p50");
  CHECK(suffix("quantile(0.999)(max)") == "p99_9_max");
  CHECK(suffix("sum(last)") == "sum_last");
  CHECK(suffix("stdev") == "stdev");
  CHECK(suffix("histogram(1,2)") == "bucket");
  CHECK(suffix("p90(max)") == "p90_max");
  CHECK(suffix("p33.3333333333333333") == "p33_3333333333333333");
  CHECK(suffix("quantile(0000000000000000000000.0000000000000001)") == "p0_00000000000001");
  for (std::string text : {"p33.33333333333333333", "quantile(0.00000000000000001)", "p1234567890123456789"})
    CHECK(parse_function(text).error() ==
          "\"" + text + "\" has too many digits: a quantile has at most 18, and 16 behind the point");
  for (std::string text : {"quantile(x)", "p1.2.3", "quantile(.)", "quantile(-1)"})
    CHECK(parse_function(text).error() ==
          "\"" + text + "\" is no quantile: a plain decimal is expected, as in p99.9 or quantile(0.999)");
  for (const char* bad : {"", "sum(", "sum()", "median", "p101", "quantile(1.5)", "sum(sum(last))", "distinct(last)",
                          "sum(p50)", "quantile(x)", "p", ")(", ")sum(", "quantile(0.5)max", "quantile(0.5)(max)(sum)",
                          "quantile()(max)", "histogram(1)(max)", "sum(quantile(0.5)(max))"})
    CHECK(!parse_function(bad));
}

TEST_CASE("the index finds what a loop over all rules finds") {
  std::mt19937_64 r(5);
  const char* names[] = {"cpu", "cpu_x", "disk", "app_17_requests", "m", "cpuX,m}"};
  const char* selectors[] = {"namepass = [\"cpu\"]\n",
                             "namepass = [\"cpu*\", \"d*k\"]\n",
                             "namepass = [\"app_1?_*\"]\n",
                             "namepass = [\"*\"]\n",
                             "namepass = [\"{cpu,m}*\"]\n",
                             "namedrop = [\"cpu*\"]\n",
                             "tagpass = { env = [] }\n",
                             "tagpass = { env = [\"prod\", \"dev\"] }\n",
                             "namepass = [\"cpu\", \"m\"]\ntagpass = { env = [\"prod\"], host = [\"a\"] }\n",
                             "tagpass = { env = [\"p*\"] }\n",
                             "namepass = [\"cpu,x*\", \"m\"]\n",
                             "namepass = [\"cpu}*\", \"m\"]\n",
                             "namepass = [\"c*_x\", \"*k\"]\n",
                             "tagpass = { env = [\"*d\"] }\n",
                             "tagpass = { env = [\"pr?d\", \"x\"], host = [\"b\"] }\n",
                             "tagpass = { env = [\"d}*\", \"x\"] }\n",
                             "namepass = [\"cpu*\"]\ntagpass = { host = [\"a\", \"b\"], env = [\"prod-*\"] }\n",
                             "tagdrop = { host = [\"a*\"] }\n"};
  for (int round = 0; round < 50; round++) {
    std::string text;
    for (int n = 0; n < 30; n++) text += rule(n, selectors[r() % std::size(selectors)]);
    LoadedRules loaded = load_rules({{"r.toml", text}});
    REQUIRE(loaded.ok());
    for (int probe = 0; probe < 20; probe++) {
      std::vector<Tag> tags;
      const char* envs[] = {"prod", "dev", "prod-7", "", "dX,x}"};
      if (r() % 2) tags.emplace_back("env", envs[r() % std::size(envs)]);
      if (r() % 2) tags.emplace_back("host", r() % 2 ? "a" : "b");
      const char* name = names[r() % std::size(names)];
      std::vector<uint32_t> found, wanted;
      loaded.rules->match(name, tags, found);
      for (uint32_t i = 0; i < 30; i++)
        if (loaded.rules->rules()[i].selector.matches(name, tags)) wanted.push_back(i);
      CHECK(found == wanted);
    }
  }
}

TEST_CASE("what a change of rules does to each") {
  std::string base = rule(1, "") + rule(2, "") + rule(3, "");
  auto before = load_rules({{"r.toml", base}}).rules;
  std::string changed = rule(4, "") + rule(1, "grace = \"1m\"\n") + rule(2, "by = [\"a\"]\n");
  auto after = load_rules({{"r.toml", changed}}).rules;
  CHECK(render_plan(plan_changes(*before, *after)) ==
        "r4: new, from the next window border on\nr1: changes at once (grace)\nr2: changes over at the next window "
        "border (by)\n"
        "r3: ends, finishes its windows\n");
  CHECK(before->fingerprint() != after->fingerprint());
  CHECK(before->fingerprint() == load_rules({{"other.toml", base}}).rules->fingerprint());
}

TEST_CASE("rules of several files are one set") {
  LoadedRules loaded = load_rules({{"b.toml", rule(1, "")}, {"a.toml", rule(1, "")}});
  REQUIRE(!loaded.ok());
  CHECK(to_string(loaded.diagnostics[0])
            .starts_with("b.toml:2:8: error: there is already a rule named \"r1\" at a.toml:2"));
}

TEST_CASE("that dropped lines lose fields is advice to who writes the rules") {
  LoadedRules loaded = load_rules({{"rules.toml", rule(1, "") + rule(2, "drop_original = true\n")}}, Advice::kGiven);
  CHECK(loaded.ok());
  CHECK(loaded.diagnostics.empty());
  REQUIRE(loaded.advice.size() == 1);
  CHECK(to_string(loaded.advice[0]).starts_with("rules.toml:8:8: warning: rule \"r2\" drops the lines it takes; "));
}

TEST_CASE("advice on dropped lines says what is lost") {
  auto made = [](const std::string& name, const std::string& more, const std::string& fields) {
    return "[[rule]]\nname = \"" + name + "\"\nperiod = \"1m\"\nmeasurement = \"" + name + "\"\n" + more +
           "[rule.fields]\n" + fields + "\n";
  };
  auto advice = [&](const std::string& more, const std::string& fields, const std::string& others) {
    LoadedRules loaded =
        load_rules({{"r.toml", made("a", "drop_original = true\n" + more, fields) + others}}, Advice::kGiven);
    REQUIRE(loaded.ok());
    if (loaded.advice.empty()) return std::string();
    std::string text = loaded.advice[0].message;
    return text.substr(text.find("their"));
  };
  const std::string all = "\"*\" = [\"count\"]", v = "v = [\"count\"]", m = "namepass = [\"m\"]\n";
  const std::string only_v = "fieldinclude = [\"v\"]\n", but_v = "fieldexclude = [\"v\"]\n";

  CHECK(advice(m, v, "") == "their fields other than v are lost");
  CHECK(advice(m + only_v, all, "") == "their fields other than * (limited by fieldinclude v) are lost");
  CHECK(advice(but_v, all, "") == "their fields other than * (limited by fieldexclude v) are lost");

  // Another rule that surely takes those lines.
  CHECK(advice(m + only_v, all, made("b", "", all)).empty());
  CHECK(advice(m, v, made("b", "namepass = [\"x\", \"m\"]\nnamedrop = [\"x\"]\n", all)).empty());
  CHECK(advice("tagpass = { t = [\"1\"] }\n", v, made("b", "tagpass = { t = [\"1\"] }\n", all)).empty());
  CHECK(advice(but_v, all, made("b", "", v)).empty());
  CHECK(advice(only_v, all, made("b", but_v, all)).empty());
  CHECK(advice(m, v, made("b", "", v + "\nw = [\"count\"]")) == "their fields other than v, w (rule \"b\") are lost");
  CHECK(advice(m, v, made("b", "", v)) == "their fields other than v are lost");

  // One that perhaps does.
  for (const char* more : {"tagpass = { t = [\"1\"] }\n", "tagdrop = { t = [\"1\"] }\n", "namepass = [\"m\"]\n"})
    CHECK(advice("", v, made("b", more, all)) ==
          "their fields other than v are lost unless another rule aggregates them");

  // One that does not.
  for (const char* more : {"namepass = [\"n\"]\n", "enabled = false\n", "enabled = \"preview\"\n"})
    CHECK(advice(m, v, made("b", more, all)) == "their fields other than v are lost");
}

TEST_CASE("a misspelt key is one error, not also a missing one") {
  std::string good = "[[rule]]\nname = \"r\"\nperiod = \"1m\"\n[rule.fields]\nv = [\"count\"]\n";
  auto errors = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return load_rules({{"r.toml", text}}).diagnostics;
  };
  for (auto [from, to] : {std::pair{"period", "perod"}, {"rule.fields", "rule.feilds"}, {"name =", "nmae ="}}) {
    auto found = errors(from, to);
    REQUIRE(found.size() == 1);
    CHECK(found[0].message.find("did you mean") != std::string::npos);
  }
  CHECK(load_rules({{"r.toml", "[defaults]\nperod = \"1m\"\n" + good.substr(0, 20) + good.substr(34)}})
            .diagnostics.size() == 1);
  CHECK(errors("period = \"1m\"\n", "").size() == 1);
  CHECK(errors("name = \"r\"\n", "").size() == 1);
}

TEST_CASE("what other tools call a function leads to ours") {
  for (auto [theirs, ours] : {std::pair{"avg", "mean"},
                              {"median", "p50"},
                              {"COUNT", "count"},
                              {"Percentile", "quantile"},
                              {"mena", "mean"}}) {
    auto function = parse_function(theirs);
    REQUIRE(!function);
    CHECK(function.error() == std::string("unknown function \"") + theirs + "\" (did you mean \"" + ours + "\"?)");
  }
}

TEST_CASE("what Go writes as a duration") {
  CHECK(parse_duration("10\xce\xbcs") == 10'000);
  CHECK(parse_duration("10\xc2\xb5s") == 10'000);
  CHECK(parse_duration("+1m") == 60 * kSecondNs);
  CHECK(parse_duration(".5s") == kSecondNs / 2);
  CHECK(parse_duration("5.s") == 5 * kSecondNs);
  for (const char* text : {"", "+", "-1s", "++1s", "1", "1 s", "1e3s", ".s", "1.2.3s", "s"})
    CHECK(!parse_duration(text));
}

TEST_CASE("a reload sees a change of a separator, and of where one pattern ends and the next begins") {
  auto of = [](const std::string& selectors) { return load_rules({{"r.toml", rule(1, selectors)}}).rules; };
  auto change = [&](const std::string& before, const std::string& after) {
    return plan_changes(*of(before), *of(after)).at(0).change;
  };
  std::string one = "namepass = [\"a,b\"]\n", two = "namepass = [\"a\", \"b\"]\n", glob = "namepass = [\"a*\"]\n";
  CHECK(change(one, one) == Change::kKept);
  CHECK(change(one, two) == Change::kReplaced);
  CHECK(change(glob, glob + "namepass_separator = \".\"\n") == Change::kReplaced);
  CHECK(change("namedrop = [\"a*\"]\n", "namedrop = [\"a*\"]\nnamedrop_separator = \".\"\n") == Change::kReplaced);
}

TEST_CASE("rules that cannot take the same field are no rivals") {
  auto ok = [](const std::string& a, const std::string& fields_a, const std::string& b, const std::string& fields_b) {
    auto text = [](const char* name, const std::string& more, const std::string& fields) {
      return std::string("[[rule]]\nname = \"") + name + "\"\nperiod = \"1m\"\n" + more + "[rule.fields]\n" + fields +
             "\n";
    };
    return load_rules({{"r.toml", text("a", a, fields_a) + text("b", b, fields_b)}}).ok();
  };
  const std::string all = "\"*\" = [\"mean\"]", usage = "\"usage_*\" = [\"mean\"]";
  CHECK(!ok("", all, "", usage));
  CHECK(ok("fieldexclude = [\"usage_*\"]\n", all, "", usage));
  CHECK(ok("namedrop = [\"cpu\"]\n", all, "namepass = [\"cpu\"]\n", all));
  CHECK(!ok("namepass = [\"cpu*\"]\n", all, "namepass = [\"c*\"]\n", all));
  CHECK(!ok("namepass = [\"[ab]*\"]\n", all, "namepass = [\"[ab]*\"]\n", all));
  CHECK(ok("namepass = [\"cpu*\"]\n", all, "namepass = [\"mem*\"]\n", all));
  CHECK(ok("namepass = [\"a*\"]\n", all, "namepass = [\"*z\"]\n", all));  // only data shows
  CHECK(ok("namepass = [\"[a-c]*\"]\n", all, "namepass = [\"*z\"]\n", all));
  auto named = [](const char* pattern) { return std::string("namepass = [\"") + pattern + "\"]\n"; };
  for (auto [a, b] :
       {std::pair{"a*", "?c"}, {"a{b,c}*", "?c"}, {"[a-c]x", "[b-d]x"}, {"a[d-f]*", "a?x"}, {"[!a]b", "[xy]b"}}) {
    CHECK(!ok(named(a), all, named(b), all));
    CHECK(!ok(named(b), all, named(a), all));
    std::string fields_a = std::string("\"") + a + "\" = [\"mean\"]",
                fields_b = std::string("\"") + b + "\" = [\"mean\"]";
    CHECK(!ok("", fields_a, "", fields_b));
  }
  for (auto [a, b] : {std::pair{"[ab]x", "[cd]x"}, {"a{b,c}?", "ad?"}, {"[!a]b", "[a]b"}, {"a?", "a??"}})
    CHECK(ok(named(a), all, named(b), all));
  CHECK(ok(named("a?b") + "namepass_separator = \".\"\n", all, named("a[.]b"), all));
  CHECK(ok(named("cpu*") + "namedrop = [\"cpu?*\"]\n", all, named("cpu?*"), all));
  CHECK(!ok(named("cpu*") + "namedrop = [\"cpu\"]\n", all, named("cp?*"), all));
}

TEST_CASE("two patterns have a common text exactly where a loop over all texts finds one") {
  std::mt19937_64 r(7);
  auto one_of = [&](std::initializer_list<const char*> list) { return list.begin()[r() % list.size()]; };
  std::function<std::string(size_t)> pattern = [&](size_t letters) {
    std::string out;
    while (letters > 0 && r() % 8) {
      size_t inner = 1 + r() % letters;
      bool choice = r() % 4 == 0;
      out += choice ? "{" + pattern(inner) + "," + pattern(inner) + "}"
                    : one_of({"a", "b", "?", "[ab]", "[a]", "[!a]", "[a-b]", "[!b-c]"});
      letters -= choice ? inner : 1;
    }
    return out;
  };
  std::vector<std::string> texts = {""};
  for (size_t i = 0; texts[i].size() < 4; i++)
    for (char c : {'a', 'b', 'z'}) texts.push_back(texts[i] + c);
  size_t common = 0;
  for (int round = 0; round < 3000; round++) {
    auto filter = [&] { return *Filter::compile({pattern(4), "xx?"}); };  // with the second one it is no literal list
    Filter a = filter(), b = filter();
    CAPTURE(a.patterns()[0]);
    CAPTURE(b.patterns()[0]);
    bool meet = std::ranges::any_of(texts, [&](const std::string& t) { return a.matches(t) && b.matches(t); });
    for (StarOf star : {StarOf::kNothing, StarOf::kLetter}) {
      auto found = a.common_text(0, b, 0, star);
      CHECK(found.has_value() == meet);
      if (found) CHECK((a.matches(*found) && b.matches(*found)));
    }
    common += meet;
  }
  CHECK(common > 500);
  CHECK(common < 2500);
}

TEST_CASE("a star in a common text is nothing or a letter that nobody asks for") {
  auto common = [](const char* a, const char* b, StarOf star) {
    return Filter::compile({a, "xx?"})->common_text(0, *Filter::compile({b, "xx?"}), 0, star);
  };
  CHECK(common("a*", "a*", StarOf::kNothing) == "a");
  CHECK(common("a*", "a*", StarOf::kLetter) == "a\x01");
  CHECK(common("a?", "*[bc]", StarOf::kLetter) == "ab");
  CHECK(!common("a*", "?c", StarOf::kLetter));  // the other way round
  CHECK(common("?c", "a*", StarOf::kLetter) == "ac");
  CHECK(!common("{a,b", "?", StarOf::kLetter));
  std::string many, stars;
  for (int i = 0; i < 60; i++) many += "{a,b}", stars += "*a";
  CHECK(!common((many + "c").c_str(), (many + "d").c_str(), StarOf::kLetter));
  CHECK(!common((stars + "c").c_str(), (stars + "d").c_str(), StarOf::kNothing));
  CHECK(!common(std::string(3000, '?').c_str(), std::string(3000, '?').c_str(), StarOf::kNothing));  // nobody names so
}

}  // namespace limpet
