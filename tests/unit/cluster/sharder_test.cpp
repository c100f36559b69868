// The sharder on a virtual clock: pods write their reports every 2 s, it looks every 500 ms.
#include "cluster/sharder.h"

#include <doctest/doctest.h>

#include <set>

#include "sharding/invariants.h"

namespace limpet {
namespace {

constexpr int64_t kStepNs = 500 * kMillisecondNs, kReportNs = 2 * kSecondNs;
constexpr int64_t kEpochS = 1'763'640'000;

struct TestPod {
  PodReport report;
  bool running = true;
  int64_t next_ns = 0;
};

// Files and pods, shared by the sharders of a test.
struct World {
  int64_t now_ns = 1000 * kSecondNs;  // monotonic
  std::map<std::string, TestPod> pods;
  std::map<std::string, PodReport> files;
  std::shared_ptr<const Assignment> file;
  std::set<uint64_t> taken;  // generations
  bool damaged = false;
  std::vector<std::pair<int64_t, std::shared_ptr<const Assignment>>> published;
  std::map<std::string, double> cpu_per_slice;  // by pod, as its reports say

  WallTime wall() const { return {kEpochS * kSecondNs + now_ns}; }
  void add(const std::string& name, PodState state = PodState::kReady) {
    PodReport report;
    report.name = name;
    report.incarnation = name + "-life1";
    report.address = name + ":8087";
    report.zone = "a";
    report.state = state;
    // Not all at the same moment.
    pods[name] = {
        .report = report, .running = true, .next_ns = now_ns + int64_t(pods.size() * 137) * kMillisecondNs % kReportNs};
  }
  void add_many(int n) {
    for (int i = 0; i < n; i++) add("agg-" + std::to_string(i));
  }
  void write(TestPod& pod) {
    pod.report.sequence++;
    if (file) pod.report.generation = std::max(pod.report.generation, file->generation);
    pod.report.slices.clear();
    for (uint64_t low : owned(pod.report.name))
      pod.report.slices.push_back({.low = low, .samples_per_s = 100, .cpu = cpu_per_slice[pod.report.name]});
    pod.report.cpu = static_cast<double>(pod.report.slices.size()) * cpu_per_slice[pod.report.name];
    files[pod.report.name] = pod.report;
    pod.next_ns = now_ns + kReportNs;
  }
  void change(const std::string& name, PodState state) {
    pods[name].report.state = state;
    write(pods[name]);
  }
  void restart(const std::string& name) {
    pods[name].report.incarnation += "+";
    pods[name].report.sequence = 0;
    pods[name].running = true;
    write(pods[name]);
  }
  void pass(int64_t ns) {
    now_ns += ns;
    for (auto& [name, pod] : pods)
      if (pod.running && now_ns >= pod.next_ns) write(pod);
  }
  std::vector<PodReport> reports() const {
    std::vector<PodReport> all;
    for (const auto& [name, report] : files) all.push_back(report);
    return all;
  }
  PublishOutcome publish(const std::shared_ptr<const Assignment>& next) {
    if (!taken.insert(next->generation).second || *taken.rbegin() > next->generation) return PublishOutcome::kLost;
    file = next;
    damaged = false;
    published.emplace_back(now_ns, next);
    return PublishOutcome::kDone;
  }
  std::vector<uint64_t> owned(const std::string& name) const {
    int32_t pod = file ? file->find_pod(name) : kNoPod;
    std::vector<uint64_t> low;
    for (size_t i = 0; file && i < file->slices.size(); i++)
      if (static_cast<int32_t>(file->slices.owner[i]) == pod) low.push_back(file->slices.low[i]);
    return low;
  }
  size_t owned_by(const std::string& name) const { return owned(name).size(); }
};

struct Run {
  World& world;
  Sharder sharder;
  std::vector<std::string> removed;
  int conflicts = 0;

  explicit Run(World& w, SharderConfig config = {}) : world(w), sharder(std::move(config)) {}
  Run(World& w, Sharder::Planner planner, SharderConfig config = {})
      : world(w), sharder(std::move(config), std::move(planner)) {}

  SharderActions look() {
    std::vector<PodReport> reports = world.reports();
    return sharder.step({.assignment = world.file, .reports = reports, .damaged = world.damaged}, world.wall(),
                        {world.now_ns});
  }
  void step() {
    SharderActions actions = look();
    for (const std::string& name : actions.remove_reports) {
      world.files.erase(name);
      removed.push_back(name);
    }
    if (!actions.publish) return;
    PublishOutcome outcome = world.publish(actions.publish);
    conflicts += outcome == PublishOutcome::kLost;
    sharder.on_published(outcome, {world.now_ns}, *world.taken.rbegin());
  }
  void run(double seconds) {
    for (int64_t end = world.now_ns + static_cast<int64_t>(seconds * 1e9); world.now_ns < end;) {
      step();
      world.pass(kStepNs);
    }
  }
  bool alarm(const std::string& name) const {
    for (const Alarm& alarm : sharder.alarms())
      if (alarm.name == name) return true;
    return false;
  }
};

// Nothing is ever out of balance.
SharderConfig without_balance() {
  SharderConfig config;
  config.planner.tolerance = 100;
  return config;
}

// A cluster that runs: its sharder has listened and published the first generation.
struct Cluster : World {
  Run shard;
  explicit Cluster(int n, SharderConfig config = {}) : shard(*this, std::move(config)) {
    add_many(n);
    shard.run(30);
    REQUIRE(file);
    REQUIRE(published.size() == 1);
    published.clear();
  }
};

}  // namespace

TEST_CASE("the first generation comes when pods were heard and none new for 2 s") {
  World world;
  Run run(world);
  world.add_many(3);
  world.pass(0);
  run.run(2);
  CHECK(!world.file);
  run.run(5);
  REQUIRE(world.published.size() == 1);
  CHECK(world.file->pods.size() == 3);
  CHECK(world.file->generation == world.published[0].second->created_s);
  for (const char* name : {"agg-0", "agg-1", "agg-2"}) CHECK(world.owned_by(name) == 32);
}

TEST_CASE("the first generation comes 2 s after the first pod was heard, though its report came late") {
  World world;
  Run run(world);
  world.add("agg-0");
  world.pass(0);
  run.step();
  int64_t heard_ns = world.now_ns + 3 * kSecondNs;
  world.pods["agg-0"].next_ns = heard_ns;
  run.run(8);
  REQUIRE(world.published.size() == 1);
  CHECK(world.published[0].first - heard_ns <= Sharder::kSettleNs + kStepNs);
}

TEST_CASE("a pod that appears delays the first generation") {
  World world;
  Run run(world);
  world.add("agg-0");
  run.run(2);
  world.add("agg-1");
  int64_t came_ns = world.now_ns;
  run.run(8);
  REQUIRE(!world.published.empty());
  CHECK(world.published[0].first - came_ns >= Sharder::kSettleNs);
  CHECK(world.published[0].second->pods.size() == 2);
}

TEST_CASE("the first generation leaves out pods of which only an old report is left") {
  World world;
  Run run(world);
  world.add_many(3);
  world.add("old");
  world.pass(kReportNs);
  world.pods["old"].running = false;
  run.run(8);
  REQUIRE(world.file);
  CHECK(world.file->find_pod("old") == kNoPod);
  CHECK(world.file->pods.size() == 3);
}

TEST_CASE("no pods, no assignment") {
  World world;
  Run run(world);
  run.run(60);
  CHECK(!world.file);
  CHECK(run.sharder.alarms().empty());
  CHECK(run.sharder.stats().bugs == 0);
}

TEST_CASE("a pod is dead when its report has not changed for the dead-after time, and then only its slices move") {
  Cluster c(4);
  Assignment before = *c.file;
  c.pods["agg-1"].running = false;
  int64_t silent_ns = c.now_ns;
  c.shard.run(20);
  REQUIRE(!c.published.empty());
  int64_t took_ns = c.published[0].first - silent_ns;
  CHECK(took_ns >= 8 * kSecondNs);  // its last report may be 2 s old
  CHECK(took_ns <= 10'500 * kMillisecondNs);
  CHECK(c.owned_by("agg-1") == 0);
  const Assignment& after = *c.published[0].second;
  CHECK(after.slices.low == before.slices.low);
  for (size_t i = 0; i < before.slices.size(); i++)
    if (before.pods[before.slices.owner[i]].name != "agg-1")
      CHECK(after.pods[after.slices.owner[i]].name == before.pods[before.slices.owner[i]].name);
  CHECK(after.pods[1].state == PodState::kDead);
  CHECK(c.shard.sharder.stats().deaths == 1);
}

TEST_CASE("times inside files count for nothing: the same report again is silence, any change is life") {
  Cluster c(4);
  // Written again and again, with the same number: as after a copy of an old file.
  c.pods["agg-1"].running = false;
  for (int i = 0; i < 30; i++) {
    c.files["agg-1"].started_s += 1;
    c.shard.run(0.5);
  }
  CHECK(c.owned_by("agg-1") == 0);
  // A number that goes down is a change as well.
  Cluster d(4);
  for (int i = 0; i < 30; i++) {
    d.pods["agg-1"].running = false;
    d.files["agg-1"].sequence = 1000 - uint64_t(i);
    d.shard.run(1);
  }
  CHECK(d.owned_by("agg-1") == 32);
}

TEST_CASE("a new life within the dead-after time keeps its slices") {
  Cluster c(4);
  c.pods["agg-1"].running = false;
  c.shard.run(7);
  c.restart("agg-1");
  c.shard.run(30);
  CHECK(c.owned_by("agg-1") == 32);
  CHECK(c.shard.sharder.stats().deaths == 0);
  CHECK(c.file->pods[1].incarnation == "agg-1-life1+");
}

TEST_CASE("a new life that is not ready keeps its slices, and is an alarm after 30 s until it is") {
  Cluster c(4);
  c.pods["agg-1"].report.state = PodState::kStarting;
  c.restart("agg-1");
  c.shard.run(29);
  CHECK(!c.shard.alarm("owner-not-ready"));
  c.shard.run(3);
  REQUIRE(c.shard.sharder.alarms().size() == 1);
  CHECK(c.shard.sharder.alarms()[0].name == "owner-not-ready");
  CHECK(c.shard.sharder.alarms()[0].text.find(": agg-1.") != std::string::npos);
  CHECK(c.owned_by("agg-1") == 32);
  SUBCASE("a sharder that comes later finds it, too") {
    Run fresh(c);
    fresh.run(32);
    CHECK(fresh.alarm("owner-not-ready"));
  }
  SUBCASE("ready again") { c.change("agg-1", PodState::kReady); }
  SUBCASE("drained") { c.change("agg-1", PodState::kDraining); }
  SUBCASE("dead") { c.pods["agg-1"].running = false; }
  if (c.pods["agg-1"].running && c.pods["agg-1"].report.state == PodState::kStarting) return;
  c.shard.run(15);
  CHECK(!c.shard.alarm("owner-not-ready"));
}

TEST_CASE("a pod that is not ready and owns nothing is no alarm") {
  Cluster c(4);
  c.add("new", PodState::kStarting);
  c.shard.run(120);
  CHECK(c.shard.sharder.alarms().empty());
}

TEST_CASE("a report that vanishes is silence, too") {
  Cluster c(4);
  c.pods["agg-2"].running = false;
  c.files.erase("agg-2");
  c.shard.run(5);
  CHECK(c.owned_by("agg-2") == 32);
  c.shard.run(10);
  CHECK(c.owned_by("agg-2") == 0);
}

TEST_CASE("pods that the assignment names and that never reported are dead after the dead-after time") {
  Cluster c(4);
  c.pods["agg-3"].running = false;
  c.files.erase("agg-3");
  Run fresh(c);
  int64_t began_ns = c.now_ns;
  fresh.run(25);
  REQUIRE(!c.published.empty());
  CHECK(c.published[0].first - began_ns >= 10 * kSecondNs);
  CHECK(c.published[0].first - began_ns <= 12 * kSecondNs);
  CHECK(c.owned_by("agg-3") == 0);
}

TEST_CASE("restarted: moves nothing until it has listened for the dead-after time") {
  Cluster c(4);
  c.change("agg-1", PodState::kDraining);
  c.pods["agg-3"].running = false;
  Run fresh(c);
  int64_t began_ns = c.now_ns;
  fresh.run(9.5);
  CHECK(c.published.empty());
  CHECK(fresh.sharder.listening({c.now_ns}));
  fresh.run(10);
  REQUIRE(!c.published.empty());
  CHECK(c.published[0].first - began_ns >= 10 * kSecondNs);
  CHECK(c.owned_by("agg-1") == 0);
}

TEST_CASE("restarted with nothing changed: no generation at all") {
  Cluster c(4);
  Run fresh(c);
  fresh.run(120);
  CHECK(c.published.empty());
  CHECK(fresh.sharder.stats().plans >= 3);
}

TEST_CASE("who was found dead before stays dead over a restart of the sharder") {
  Cluster c(5);
  c.pods["agg-1"].running = false;
  c.shard.run(20);
  REQUIRE(c.owned_by("agg-1") == 0);
  c.published.clear();
  Run fresh(c);
  fresh.run(0.5);
  CHECK(!fresh.sharder.liveness().pods().at("agg-1").alive);
  fresh.run(60);
  for (const auto& [at, assignment] : c.published) CHECK(assignment->pods[1].state == PodState::kDead);
  c.restart("agg-1");
  fresh.run(5);
  CHECK(fresh.sharder.liveness().pods().at("agg-1").alive);
}

TEST_CASE("held up: two steps more than 2 s apart begin to listen anew") {
  Cluster c(4);
  // Stopped for 15 s, while pods went on writing: but it saw none of that.
  c.now_ns += 15 * kSecondNs;
  c.shard.step();
  CHECK(c.shard.sharder.stats().held_up == 1);
  CHECK(c.shard.sharder.listening({c.now_ns}));
  CHECK(c.shard.alarm("held-up"));
  c.shard.run(60);
  CHECK(c.published.empty());
  CHECK(!c.shard.alarm("held-up"));
  CHECK(c.shard.sharder.stats().deaths == 0);
}

TEST_CASE("held up: a drain waits, too, until it has listened") {
  Cluster c(4);
  c.now_ns += 3 * kSecondNs;
  c.change("agg-0", PodState::kDraining);
  int64_t began_ns = c.now_ns;
  c.shard.run(15);
  REQUIRE(!c.published.empty());
  CHECK(c.published[0].first - began_ns >= 10 * kSecondNs);
}

TEST_CASE("steps 2 s apart are no hold-up") {
  Cluster c(4);
  for (int i = 0; i < 20; i++) {
    c.shard.step();
    c.pass(2 * kSecondNs);
  }
  CHECK(c.shard.sharder.stats().held_up == 0);
}

TEST_CASE("draining: exactly the slices of that pod move, at once") {
  Cluster c(4);
  Assignment before = *c.file;
  c.change("agg-2", PodState::kDraining);
  int64_t asked_ns = c.now_ns;
  c.shard.run(5);
  REQUIRE(c.published.size() >= 1);
  CHECK(c.published[0].first - asked_ns <= kStepNs);
  const Assignment& after = *c.published[0].second;
  for (size_t i = 0; i < before.slices.size(); i++) {
    const std::string& was = before.pods[before.slices.owner[i]].name;
    const std::string& is = after.pods[after.slices.owner[i]].name;
    CHECK((was == "agg-2") == (is != was));
  }
  auto drain = static_cast<size_t>(MoveCause::kDrain);
  CHECK(c.shard.sharder.stats().moves[drain] == 32);
  CHECK(c.shard.sharder.stats().churn[drain] == doctest::Approx(0.25));
}

TEST_CASE("changes of pods coalesce: at most one generation a second") {
  Cluster c(12);
  // One pod after the other begins to drain, one each step.
  for (int i = 0; i < 8; i++) {
    c.change("agg-" + std::to_string(i), PodState::kDraining);
    c.shard.run(0.5);
  }
  c.shard.run(5);
  REQUIRE(c.published.size() >= 2);
  for (size_t i = 1; i < c.published.size(); i++)
    CHECK(c.published[i].first - c.published[i - 1].first >= Sharder::kCoalesceNs);
  CHECK(c.published.size() <= 6);
  for (int i = 0; i < 8; i++) CHECK(c.owned_by("agg-" + std::to_string(i)) == 0);
}

TEST_CASE("pods that fall silent together are found dead together") {
  Cluster c(20);
  // Their last reports lie up to 2 s apart.
  for (int i : {3, 8, 11}) c.pods["agg-" + std::to_string(i)].running = false;
  c.shard.run(20);
  REQUIRE(c.published.size() >= 1);
  for (const char* name : {"agg-3", "agg-8", "agg-11"})
    CHECK(c.published[0].second->pods[size_t(c.file->find_pod(name))].state == PodState::kDead);
}

TEST_CASE("a slow pod does not put off the death of another for longer than 3 s") {
  Cluster c(4);
  c.pods["agg-1"].running = false;
  int64_t silent_ns = c.now_ns;
  while (c.published.empty() && c.now_ns - silent_ns < 60 * kSecondNs) {
    c.pods["agg-2"].next_ns =
        std::max(c.pods["agg-2"].next_ns, c.pods["agg-2"].next_ns + 7 * kSecondNs - 2 * kSecondNs);
    c.shard.run(0.5);
  }
  CHECK(c.now_ns - silent_ns <= 14 * kSecondNs);
}

TEST_CASE("balance is looked at once a round") {
  Cluster c(4);
  uint64_t plans = c.shard.sharder.stats().plans;
  c.shard.run(300);
  CHECK(c.shard.sharder.stats().plans - plans >= 9);
  CHECK(c.shard.sharder.stats().plans - plans <= 11);
  CHECK(c.published.empty());
}

TEST_CASE("a change of pods moves nothing for balance: that waits for the round") {
  Cluster c(6);
  for (int i = 0; i < 6; i++) c.cpu_per_slice["agg-" + std::to_string(i)] = i == 0 ? 0.03 : 0.01;
  c.shard.run(1);
  while (c.shard.sharder.stats().decisions.at("round") < 2) c.shard.run(0.5);
  c.published.clear();
  auto caused = [&](MoveCause cause) { return c.shard.sharder.stats().moves[static_cast<size_t>(cause)]; };
  c.shard.run(2);
  uint64_t balanced = caused(MoveCause::kBalance);
  c.change("agg-5", PodState::kDraining);
  c.shard.run(20);
  CHECK(caused(MoveCause::kDrain) == 32);
  CHECK(caused(MoveCause::kBalance) == balanced);
  c.shard.run(90);
  CHECK(caused(MoveCause::kBalance) > balanced);
}

TEST_CASE("a lost compare-and-swap: read again and plan anew") {
  Cluster c(4, without_balance());
  Run other(c, without_balance());
  for (int i = 0; i < 30; i++) {
    c.shard.step();
    other.step();
    c.pass(kStepNs);
  }
  c.change("agg-1", PodState::kDraining);
  // Both see it before either has published.
  SharderActions first = c.shard.look(), second = other.look();
  REQUIRE(first.publish);
  REQUIRE(second.publish);
  CHECK(first.publish->generation == second.publish->generation);
  PublishOutcome won = c.publish(first.publish), lost = c.publish(second.publish);
  CHECK(won == PublishOutcome::kDone);
  CHECK(lost == PublishOutcome::kLost);
  c.shard.sharder.on_published(won, {c.now_ns});
  other.sharder.on_published(lost, {c.now_ns});
  CHECK(other.sharder.stats().conflicts == 1);
  for (int i = 0; i < 100; i++) {
    c.shard.step();
    other.step();
    c.pass(kStepNs);
  }
  CHECK(c.published.size() == 1);  // the loser found nothing left to do
  CHECK(other.sharder.assignment()->generation == c.file->generation);
  CHECK(!other.alarm("ahead"));
}

TEST_CASE("two sharders: each change is published once") {
  Cluster c(6, without_balance());
  Run other(c, without_balance());
  auto both = [&](int steps) {
    for (int i = 0; i < steps; i++) {
      c.shard.step();
      other.step();
      c.pass(kStepNs);
    }
  };
  both(40);
  CHECK(c.published.empty());
  c.change("agg-0", PodState::kDraining);
  both(20);
  CHECK(c.published.size() == 1);
  c.pods["agg-4"].running = false;
  both(40);
  CHECK(c.published.size() == 2);
}

TEST_CASE("a write that fails is tried again after a second, not at every step") {
  Cluster c(4);
  c.change("agg-1", PodState::kDraining);
  int tried = 0;
  for (int i = 0; i < 20; i++) {
    SharderActions actions = c.shard.look();
    if (actions.publish) {
      tried++;
      c.shard.sharder.on_published(PublishOutcome::kFailed, {c.now_ns});
    }
    c.pass(kStepNs);
  }
  CHECK(tried == 10);
  CHECK(c.shard.sharder.stats().publish_errors == 10);
  c.shard.run(3);
  CHECK(c.owned_by("agg-1") == 0);
}

TEST_CASE("who was held up before it published plans anew, after listening") {
  Cluster c(4);
  c.change("agg-1", PodState::kDraining);
  SharderActions actions = c.shard.look();
  REQUIRE(actions.publish);
  CHECK(actions.publish_until.ns > c.now_ns);
  c.pass(Sharder::kPublishWithinNs + kSecondNs);
  c.shard.sharder.on_published(PublishOutcome::kLate, {c.now_ns});
  CHECK(c.shard.sharder.stats().publish_errors == 1);
  c.shard.run(5);
  CHECK(c.shard.alarm("held-up"));
  CHECK(c.owned_by("agg-1") > 0);
  c.shard.run(10);
  CHECK(c.owned_by("agg-1") == 0);
}

TEST_CASE("where cutovers come sooner, less time is left for publishing") {
  SharderConfig config;
  config.planner.cutover_delay_s = 4;
  Cluster c(4, config);
  c.change("agg-1", PodState::kDraining);
  SharderActions actions = c.shard.look();
  REQUIRE(actions.publish);
  CHECK(actions.publish_until.ns == c.wall().ns + 2 * kSecondNs);
}

TEST_CASE("standbys that change are counted; those of the first generation are no change") {
  Cluster c(4);
  CHECK(c.shard.sharder.stats().standby_moves == 0);
  size_t standby_of = 0;
  for (int32_t standby : c.file->slices.standby) standby_of += standby == 1;
  c.change("agg-1", PodState::kDraining);
  c.shard.run(2);
  REQUIRE(c.owned_by("agg-1") == 0);
  CHECK(c.shard.sharder.stats().standby_moves >= standby_of);
  CHECK(c.shard.sharder.stats().standby_churn >= 0.99 * static_cast<double>(standby_of) / 128);
}

TEST_CASE("more dead at once than can be believed: frozen, alarm, nothing moves; over when they are back") {
  Cluster c(8);
  for (int i = 0; i < 4; i++) c.pods["agg-" + std::to_string(i)].running = false;
  c.shard.run(40);
  CHECK(c.shard.alarm("frozen"));
  for (int i = 0; i < 8; i++) CHECK(c.owned_by("agg-" + std::to_string(i)) == 32);
  for (int i = 0; i < 4; i++) {
    c.pods["agg-" + std::to_string(i)].running = true;
  }
  c.shard.run(5);
  CHECK(!c.shard.alarm("frozen"));
  for (int i = 0; i < 8; i++) CHECK(c.owned_by("agg-" + std::to_string(i)) == 32);
}

TEST_CASE("a plan that breaks an invariant is not published, and is an alarm") {
  World world;
  world.add_many(3);
  // Planted: forgets the first slice.
  Run run(world, [](const Assignment& previous, const PlanInput& input, const PlannerConfig& config) {
    Plan made = plan(previous, input, config);
    if (made.next) made.next->slices.low[0] = 1;
    return made;
  });
  run.run(20);
  CHECK(!world.file);
  CHECK(run.sharder.stats().bugs >= 1);
  CHECK(run.alarm("bug"));
}

TEST_CASE("a step that breaks an invariant is not published: a living pod's slice moved because of a drain") {
  World world;
  world.add_many(4);
  bool planted = false;
  Run run(world, [&](const Assignment& previous, const PlanInput& input, const PlannerConfig& config) {
    Plan made = plan(previous, input, config);
    if (made.next && planted) {
      Slices& slices = made.next->slices;
      for (size_t i = 0; i < slices.size(); i++)
        if (slices.owner[i] == 0) slices.owner[i] = 3;
    }
    return made;
  });
  run.run(20);
  REQUIRE(world.file);
  uint64_t generation = world.file->generation;
  planted = true;
  world.change("agg-1", PodState::kDraining);
  run.run(5);
  CHECK(world.file->generation == generation);
  CHECK(run.sharder.stats().bugs >= 1);
  CHECK(run.alarm("bug"));
  // The next change or round plans anew.
  planted = false;
  run.run(40);
  CHECK(world.owned_by("agg-1") == 0);
  CHECK(!run.alarm("bug"));
}

TEST_CASE("reports of pods that are gone for an hour and own nothing are removed") {
  Cluster c(4);
  c.add("stray", PodState::kStarting);
  c.shard.run(10);
  c.pods["stray"].running = false;
  c.shard.run(3580);
  CHECK(c.shard.removed.empty());
  c.shard.run(60);
  CHECK(c.shard.removed == std::vector<std::string>{"stray"});
  CHECK(!c.files.contains("stray"));
  c.shard.run(60);
  CHECK(c.shard.removed.size() == 1);
}

TEST_CASE("the report of a dead pod that still owns something stays") {
  Cluster c(4);
  for (auto& [name, pod] : c.pods) pod.running = false;
  c.shard.run(3700);
  CHECK(c.owned_by("agg-0") == 32);
  CHECK(c.shard.removed.empty());
  CHECK(c.shard.alarm("no-pods"));
}

TEST_CASE("an assignment of another cluster: nothing is published") {
  Cluster c(4);
  SharderConfig config;
  config.planner.cluster = "other";
  Run stranger(c, config);
  c.change("agg-1", PodState::kDraining);
  stranger.run(60);
  CHECK(c.published.empty());
  CHECK(stranger.alarm("cluster"));
  CHECK(stranger.removed.empty());
}

TEST_CASE("a damaged assignment.json is written again, with nothing moved") {
  Cluster c(4);
  Assignment before = *c.file;
  c.damaged = true;
  c.shard.step();
  CHECK(c.shard.alarm("damaged"));
  CHECK(c.published.empty());  // a moment's damage is nothing to act upon
  c.pass(kStepNs);
  c.shard.run(5);
  REQUIRE(c.published.size() == 1);
  CHECK(c.file->generation == before.generation + 1);
  CHECK(c.file->slices == before.slices);
  CHECK(c.file->pods == before.pods);
  CHECK(!c.shard.alarm("damaged"));
  CHECK(c.shard.sharder.stats().restored == 1);
}

TEST_CASE("files that vanish or go back: what was in force is published again under a higher number") {
  Cluster c(4);
  Assignment before = *c.file;
  SUBCASE("vanished") { c.file = nullptr; }
  SUBCASE("went back") {
    auto old = std::make_shared<Assignment>(before);
    old->generation -= 10;
    old->slices.owner.assign(old->slices.size(), 0);
    c.file = old;
  }
  c.shard.run(6);
  REQUIRE(c.file);
  CHECK(c.file->generation == before.generation + 1);
  CHECK(c.file->slices == before.slices);
}

TEST_CASE("pods know a generation that cannot be read: it waits, then goes beyond it") {
  Cluster c(4);
  uint64_t known = c.file->generation + 5;
  for (auto& [name, pod] : c.pods) pod.report.generation = known;
  Run fresh(c);
  fresh.run(3);
  c.change("agg-1", PodState::kDraining);
  fresh.run(6.5);
  CHECK(c.published.empty());
  CHECK(fresh.alarm("ahead"));
  fresh.run(10);
  REQUIRE(!c.published.empty());
  CHECK(c.published[0].second->generation == known + 1);
  CHECK(c.owned_by("agg-1") == 0);
}

TEST_CASE("a damaged file that occupies the next number: it goes beyond it") {
  Cluster c(4);
  c.taken.insert(c.file->generation + 1);
  uint64_t before = c.file->generation;
  c.change("agg-1", PodState::kDraining);
  c.shard.run(5);
  CHECK(c.published.empty());
  c.shard.run(20);
  REQUIRE(!c.published.empty());
  CHECK(c.published[0].second->generation == before + 2);
}

TEST_CASE("a file of no use that has a high number: the first generation goes beyond it") {
  World world;
  world.taken.insert(9'000'000'000);
  Run run(world);
  world.add_many(3);
  world.pass(0);
  run.run(40);
  REQUIRE(world.file);
  CHECK(world.file->generation == 9'000'000'001);
  CHECK(run.conflicts == 1);
}

TEST_CASE("no number is left above a file of no use: an alarm") {
  World world;
  world.taken.insert(kGenerationMax);
  Run run(world);
  world.add_many(3);
  world.pass(0);
  run.run(40);
  CHECK(!world.file);
  CHECK(run.alarm("generations"));
}

TEST_CASE("the first generation is above what pods remember, and is not hurried then") {
  World world;
  world.add_many(3);
  uint64_t known = kEpochS + 1'000'000;
  for (auto& [name, pod] : world.pods) pod.report.generation = known;
  Run run(world);
  run.run(9);
  CHECK(!world.file);
  run.run(10);
  REQUIRE(world.file);
  CHECK(world.file->generation == known + 1);
}

TEST_CASE("it says when it wants to be called again") {
  Cluster c(4);
  SharderActions actions = c.shard.look();
  CHECK(actions.again.ns > c.now_ns);
  CHECK(actions.again.ns <= c.now_ns + 10 * kSecondNs);
}

}  // namespace limpet
