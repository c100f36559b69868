#include "service/cluster_view.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "service/cluster_status.h"
#include "service/cluster_text.h"

namespace limpet {
namespace {

// Four slices of a quarter each: a has 0 and 1, b has 2, c (dead) has 3.
std::shared_ptr<Assignment> quarters() {
  auto a = std::make_shared<Assignment>();
  a->generation = 7;
  a->created_s = 1000;
  a->cause = {"drain \"x\""};
  a->pods = {{.name = "a"}, {.name = "b", .weight = 2}, {.name = "c", .state = PodState::kDead}};
  a->slices.low = {0, uint64_t{1} << 62, uint64_t{2} << 62, uint64_t{3} << 62};
  a->slices.owner = {0, 0, 1, 2};
  a->slices.standby = {1, kNoPod, 0, 0};
  a->slices.since = {7, 7, 7, 7};
  a->slices.cutover_s = {0, 0, 0, 0};
  a->handoffs = {{.low = 0, .high = uint64_t{1} << 62, .from_name = "b", .from_incarnation = "x", .generation = 7}};
  a->moved = {{.low = 0, .high = uint64_t{1} << 62, .at_s = 990, .cause = MoveCause::kBalance, .from = "b", .to = "a"},
              {.low = uint64_t{1} << 62,
               .high = uint64_t{2} << 62,
               .at_s = 1000,
               .cause = MoveCause::kDrain,
               .from = "b",
               .to = "a"}};
  return a;
}

PodSight sight(const std::string& name, std::vector<SliceLoad> slices, double weight = 1) {
  PodSight s;
  s.report.name = name;
  s.report.state = PodState::kReady;
  s.report.weight = weight;
  s.report.generation = 7;
  s.report.slices = std::move(slices);
  return s;
}

ClusterView example() {
  auto a = quarters();
  return make_view(a, {sight("a", {{.low = 0, .samples_per_s = 10, .cpu = 0.5, .state_bytes = 100, .groups = 3},
                                   {.low = uint64_t{2} << 62, .samples_per_s = 99, .cpu = 9}}),
                       sight("b",
                             {{.low = uint64_t{1} << 62, .samples_per_s = 5, .cpu = 0.25},
                              {.low = uint64_t{2} << 62, .samples_per_s = 30, .cpu = 1.0, .groups = 4}},
                             2)});
}

struct Told {
  ClusterView view = example();
  SharderStats stats;
  SharderProcess process;
  std::vector<ActiveAlarm> alarms = {{{"frozen", "a \"b\""}, 900}};
  std::vector<std::string> notes = {"balance: waits"};
  std::deque<GenerationNote> generations = {note_of(*quarters())};
  Propagation propagation;
  ClusterStatus status() const { return {view, stats, process, alarms, notes, generations, propagation}; }
};

}  // namespace

TEST_CASE("the owner's word on a slice counts, and before it has one, the former owner's") {
  ClusterView view = example();
  REQUIRE(view.slices.size() == 4);
  CHECK(view.load_is_cpu);
  CHECK(view.slices[0].cpu == 0.5);
  CHECK(view.slices[1].cpu == 0.25);  // b still reports it, a does not yet
  CHECK(view.slices[2].cpu == 1.0);
  CHECK(view.slices[3].cpu == 0);
}

TEST_CASE("pods add up what they own; who never reported is taken from the assignment") {
  ClusterView view = example();
  REQUIRE(view.pods.size() == 3);
  const PodLine &a = view.pods[0], &b = view.pods[1], &c = view.pods[2];
  CHECK(a.slices == 2);
  CHECK(a.share == 0.5);
  CHECK(a.load == 0.75);
  CHECK(a.groups == 3);
  CHECK(a.standby_slices == 2);
  CHECK(b.load == 1.0);
  CHECK(c.state == "dead");
  CHECK(!c.sight.reported);
  CHECK(c.slices == 1);
  // Of ready pods, per weight: a 0.75, b 0.5; the mean is 1.75 / 3.
  CHECK(view.imbalance.max_mean == doctest::Approx(0.75 * 3 / 1.75));
}

TEST_CASE("without anybody's CPU the load counts samples") {
  ClusterView view = make_view(quarters(), {sight("a", {{.low = 0, .samples_per_s = 10}})});
  CHECK(!view.load_is_cpu);
  CHECK(view.pods[0].load == 10);
}

TEST_CASE("a report that speaks of slices that are no more changes nothing") {
  ClusterView view = make_view(quarters(), {sight("a", {{.low = 5, .samples_per_s = 10}})});
  CHECK(view.pods[0].load == 0);
}

TEST_CASE("nothing is there yet") {
  ClusterView view = make_view(nullptr, {sight("a", {})});
  CHECK(view.pods.size() == 1);
  CHECK(cluster_text(view, 0).starts_with("no assignment yet\n"));
}

TEST_CASE("the API says all of it, as valid JSON") {
  Told told;
  auto json = nlohmann::json::parse(cluster_json(told.status(), true));
  CHECK(json["generation"] == 7);
  CHECK(json["created"] == "1970-01-01T00:16:40Z");
  CHECK(json["cause"][0] == "drain \"x\"");
  CHECK(json["slices"]["low"][1] == "4000000000000000");
  CHECK(json["slices"]["owner"] == nlohmann::json({0, 0, 1, 2}));
  CHECK(json["slices"]["standby"] == nlohmann::json({1, -1, 0, 0}));
  CHECK(json["slices"]["load"] == nlohmann::json({0.5, 0.25, 1, 0}));
  CHECK(json["moved"][1]["cause"] == "drain");
  CHECK(json["moved"][1]["share"] == 0.25);
  CHECK(json["alarms"][0]["text"] == "a \"b\"");
  CHECK(json["generations"][0]["moves"] == 1);
  CHECK(json["pods"][2]["state"] == "dead");
  CHECK(!nlohmann::json::parse(cluster_json(told.status(), false)).contains("slices"));
  CHECK(json["handoffs"][0]["from"] == "b");
  auto whole = nlohmann::json::parse(sharder_json(told.status()));
  CHECK(whole["counts"]["bugs"] == 0);
  CHECK(whole["pods"] == json["pods"]);
  CHECK(whole["generations"] == json["generations"]);
  auto files = nlohmann::json::parse(view_json(told.view, {}));
  for (const char* same : {"generation", "pods", "slices", "moved", "handoffs"}) CHECK(files[same] == json[same]);
  CHECK(!files.contains("sharder"));
  told.view = make_view(nullptr, {});
  CHECK(nlohmann::json::parse(cluster_json(told.status(), true))["generation"] == 0);
}

TEST_CASE("metrics: each family has help and type, once, and labels are escaped") {
  Told told;
  told.stats.decisions["odd \"reason\"\\"] = 3;
  told.stats.standby_moves = 5, told.stats.standby_churn = 0.25;
  told.process.assignment_bytes = 1234;
  told.process.phases_s["balance"] = 1.5;
  told.propagation.add(0.4);
  told.propagation.add(2.5);
  told.propagation.add(100);
  std::string text = sharder_prometheus(told.status());
  auto has = [&](const std::string& line) { return ("\n" + text).find("\n" + line + "\n") != std::string::npos; };
  CHECK(has("limpet_sharder_generation 7"));
  CHECK(has("limpet_sharder_pods{state=\"ready\"} 2"));
  CHECK(has("limpet_sharder_pods{state=\"dead\"} 1"));
  CHECK(has("limpet_sharder_alarm{name=\"frozen\"} 1"));
  CHECK(has("limpet_sharder_brake_engaged 1"));
  CHECK(has("limpet_sharder_assignment_bytes 1234"));
  CHECK(has("limpet_sharder_phase_seconds_total{phase=\"balance\"} 1.5"));
  CHECK(has("limpet_sharder_moves_total{cause=\"standby\"} 5"));
  CHECK(has("limpet_sharder_churn_total{cause=\"standby\"} 0.25"));
  CHECK(has("limpet_sharder_decisions_total{reason=\"odd \\\"reason\\\"\\\\\"} 3"));
  CHECK(has("limpet_sharder_propagation_seconds_bucket{le=\"0.5\"} 1"));
  CHECK(has("limpet_sharder_propagation_seconds_bucket{le=\"3\"} 2"));
  CHECK(has("limpet_sharder_propagation_seconds_bucket{le=\"+Inf\"} 3"));
  for (size_t at = 0; (at = text.find("# TYPE ", at)) != text.npos; at++) {
    std::string line = text.substr(at, text.find(' ', at + 7) - at + 1);
    CHECK_MESSAGE(text.find(line, at + 1) == text.npos, line);
  }
}

TEST_CASE("the terminal's table") {
  std::string text = cluster_text(example(), 1012);
  CHECK(text.find("cluster default  generation 7  12 s ago: drain \"x\"\n") == 0);
  CHECK(text.find("2 of 3 pods ready, 4 slices, hottest pod 1.29 of the mean") != text.npos);
  CHECK(text.find("a    ready  ########..  0.75 cpu  50.0 %") != text.npos);
  CHECK(text.find("12 s ago    drain     b   a       1  25.0 %") != text.npos);
  CHECK(text.find("0000000000000000     b  25.0 %                 7\n") != text.npos);
}

TEST_CASE("what others wrote does not steer the terminal that the table is shown on") {
  auto a = quarters();
  a->cluster = "x\x1b[2J", a->cause = {"y\nz"}, a->moved[0].from = "\x1b", a->moved[1].to = "\x7f";
  std::string text = cluster_text(make_view(a, {}), 1012);
  CHECK(text.starts_with("cluster x?[2J  generation 7  12 s ago: y?z\n"));
  CHECK(text.find_first_of("\x1b\x7f") == text.npos);
}

}  // namespace limpet
