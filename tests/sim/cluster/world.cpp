#include "world.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <ranges>
#include <set>
#include <utility>

#include "planted.h"
#include "pod.h"
#include "sharding/invariants.h"

namespace limpet::sim {
namespace {

constexpr int64_t kTickNs = 500 * kMillisecondNs;
constexpr int64_t kReportNs = 2 * kSecondNs;
constexpr int64_t kDeadAfterNs = 10 * kSecondNs;
constexpr size_t kSampleKeys = 6;
constexpr size_t kViolationsMax = 5;
// A death, or a time without the directory, may spoil windows that begin so long before it or after its end.
constexpr int64_t kUpsetBeforeS = 25, kUpsetAfterS = 40;

constexpr int64_t kWallOffsetS = 1'700'000'000;
constexpr int64_t kBeginS = kWallOffsetS + 1000;  // of the run; what is printed is relative to it

struct Upset {
  std::string pod;  // empty: everybody's
  int64_t from_s, to_s;
};

// Whose a key was, since when (Unix seconds, planned), and how it came there.
struct Owner {
  int64_t since_s;
  std::string pod, how;
};

// A key that came to a pod by a death, while a window was in progress.
struct Inheritance {
  size_t key;
  int64_t begin_s;
  std::string dead, heir;
};

struct SharderNode {
  std::unique_ptr<Sharder> machine;
  bool on = true;
  int64_t asleep_until_ns = 0;
  SharderActions pending;  // stepped, and slept before publishing
};

class World {
 public:
  explicit World(const Options& options);
  Outcome run();

 private:
  int64_t wall_s() const { return now_ / kSecondNs + kWallOffsetS; }
  WallTime wall() const { return {now_ + kWallOffsetS * kSecondNs}; }
  uint64_t random(uint64_t below) { return r_() % below; }
  int64_t random_s(int64_t from, int64_t to) {
    return (from + static_cast<int64_t>(random(static_cast<uint64_t>(to - from + 1)))) * kSecondNs;
  }
  // Every fourth cluster has more to say than its file may hold.
  bool has_small_file() const { return options_.seed % 4 == 0; }
  void fail(const std::string& what);

  void add_pod(const std::string& revision);
  void add_sharder();
  Pod* pick(const std::function<bool(const Pod&)>& of);
  size_t count(const std::function<bool(const Pod&)>& of) const;
  void upset(const std::string& pod, int64_t from_s, int64_t to_s) {
    upsets_.push_back({pod, from_s - kUpsetBeforeS, to_s + kUpsetAfterS});
  }
  void inject();
  bool inject(Fault fault);
  void kill(Pod& pod, int64_t again_ns);

  void tick();
  void tick_pod(Pod& pod);
  void look(Pod& pod);
  void note_state(Pod& pod);
  void emit(Pod& pod);
  void tick_sharder(SharderNode& node);
  void publish(SharderNode& node, const SharderActions& actions);
  Plan checked_plan(const Assignment& previous, const PlanInput& input, const PlannerConfig& config);
  void note_deaths(const Assignment& next);
  void check_windows();
  void check_heirs();
  void check_lines();
  std::string story(size_t key, int64_t begin_s) const;
  bool excused(size_t key, int64_t begin_s) const;

  const Options options_;
  std::mt19937_64 r_;
  int64_t now_ = 1000 * kSecondNs;
  int64_t next_event_ = 0, noise_until_ = 0;
  double noise_ = 0;
  size_t named_ = 0, events_ = 0;
  uint64_t plans_ = 0;
  Directory directory_;
  std::deque<Pod> pods_;
  std::deque<SharderNode> sharders_;
  Load load_;
  std::vector<uint64_t> keys_;
  std::vector<std::vector<Owner>> owners_;           // per key
  std::vector<std::map<int64_t, Emitted>> emitted_;  // per key, by the window's begin
  std::vector<Upset> upsets_;
  std::vector<Upset> lags_;
  std::vector<Upset> late_deaths_;  // of pods that live, published a while after they were decided
  std::vector<Inheritance> inheritances_;
  uint64_t highest_ = 0, bugs_seen_ = 0;
  int64_t settled_s_ = 0;
  Outcome out_;
};

World::World(const Options& options)
    : options_(options),
      r_(options.seed * 0x9E3779B97F4A7C15 + options.pods),
      load_(200 + 20 * options.pods, static_cast<double>(r_() % 13) / 10, 0.5 * static_cast<double>(options.pods), r_) {
  for (size_t i = 0; i < options.pods; i++) add_pod("1");
  add_sharder();
  for (size_t i = 0; i < kSampleKeys; i++) keys_.push_back(i % 2 ? load_.keys()[random(load_.keys().size())] : r_());
  owners_.resize(keys_.size());
  emitted_.resize(keys_.size());
  next_event_ = now_ + 30 * kSecondNs;
}

void World::fail(const std::string& what) {
  if (out_.violations.size() < kViolationsMax)
    out_.violations.push_back(fmt::format("{} s: {}", now_ / kSecondNs - 1000, what));
}

void World::add_pod(const std::string& revision) {
  Pod& pod = pods_.emplace_back();
  pod.name = fmt::format("agg-{}", named_++);
  pod.zone = std::string(1, static_cast<char>('a' + named_ % 3));
  pod.host = fmt::format("{}{}", pod.zone, named_ / 6);  // two pods each
  pod.revision = revision;
  pod.start(now_, wall(), random_s(0, 3));
}

void World::add_sharder() {
  SharderConfig config;
  config.planner.slices_per_pod_initial = options_.slices_per_pod;
  config.planner.slices_per_pod_min = std::max<uint32_t>(2, options_.slices_per_pod / 2);
  config.planner.slices_per_pod_max = 3 * options_.slices_per_pod;
  // Of some clusters the file is full: it has no room for the moves of an hour.
  if (has_small_file()) config.planner.file_bytes_max = 150'000 + 600 * options_.slices_per_pod * options_.pods;
  config.dead_after_ns = options_.bug == Bug::kNoListening ? kSecondNs / 2 : kDeadAfterNs;
  sharders_.push_back(
      {std::make_unique<Sharder>(
           config, [this](const Assignment& previous, const PlanInput& input,
                          const PlannerConfig& planner) { return checked_plan(previous, input, planner); }),
       true,
       0,
       {}});
}

size_t World::count(const std::function<bool(const Pod&)>& of) const {
  return static_cast<size_t>(std::count_if(pods_.begin(), pods_.end(), of));
}

Pod* World::pick(const std::function<bool(const Pod&)>& of) {
  size_t n = count(of);
  if (n == 0) return nullptr;
  size_t at = random(n);
  for (Pod& pod : pods_)
    if (of(pod) && at-- == 0) return &pod;
  return nullptr;
}

void World::kill(Pod& pod, int64_t again_ns) {
  // Whoever stays away disturbs what is still its own.
  upset(pod.name, wall_s(), again_ns ? again_ns / kSecondNs + kWallOffsetS : INT64_MAX / 2);
  pod.stop(again_ns);
}

void World::inject() {
  if (now_ < next_event_ || events_ >= options_.events) return;
  next_event_ = now_ + static_cast<int64_t>(random(6)) * kSecondNs + kTickNs;
  auto fault = static_cast<Fault>(random(kFaults));
  if (!inject(fault)) return;
  out_.faults[static_cast<size_t>(fault)]++;
  events_++;
}

bool World::inject(Fault fault) {
  auto ready = [&](const Pod& pod) { return pod.awake(now_) && pod.state == PodState::kReady; };
  size_t up = count(ready);
  switch (fault) {
    case Fault::kRestart:
      if (Pod* pod = pick(ready); pod && up > 1) return kill(*pod, now_ + random_s(1, 6)), true;
      return false;
    case Fault::kDrainRestart:
    case Fault::kRetire:
      if (fault == Fault::kRetire && up <= std::max<size_t>(2, options_.pods / 2)) return false;
      if (Pod* pod = pick(ready); pod && up > 1)
        return pod->state = PodState::kDraining, pod->report_at_ns = now_, pod->retire = fault == Fault::kRetire, true;
      return false;
    case Fault::kCrash:
      if (Pod* pod = pick(ready); pod && up > std::max<size_t>(2, options_.pods / 2)) return kill(*pod, 0), true;
      return false;
    case Fault::kAdd:
      if (count([](const Pod& p) { return p.up || p.up_at_ns; }) > options_.pods + options_.pods / 4 + 2) return false;
      return add_pod(random(2) ? "1" : "2"), true;
    case Fault::kZoneLoss: {
      if (random(4) != 0 || up < 4) return false;
      std::string zone(1, static_cast<char>('a' + random(3)));
      int64_t again = now_ + random_s(20, 60);
      for (Pod& pod : pods_)
        if (pod.up && pod.zone == zone) kill(pod, again + random_s(0, 5));
      return true;
    }
    case Fault::kSleep:
      if (Pod* pod = pick(ready); pod && up > 1) {
        pod->asleep_until_ns = now_ + random_s(3, 40);
        return upset(pod->name, wall_s(), pod->asleep_until_ns / kSecondNs + kWallOffsetS), true;
      }
      return false;
    case Fault::kLag:
      if (Pod* pod = pick([&](const Pod& p) { return ready(p) && p.mute_until_ns < now_; })) {
        pod->lag_max_ms = 6000, pod->lagging_until_ns = now_ + random_s(5, 60);
        lags_.push_back({pod->name, wall_s() - 10, pod->lagging_until_ns / kSecondNs + kWallOffsetS + 10});
        return true;
      }
      return false;
    case Fault::kSharderRestart:
      sharders_[random(sharders_.size())] = std::move(sharders_.back());
      sharders_.pop_back();
      return add_sharder(), true;
    case Fault::kSharderSleep:
      sharders_[random(sharders_.size())].asleep_until_ns = now_ + random_s(1, 20);
      return true;
    case Fault::kSecondSharder:
      if (sharders_.size() > 1) return sharders_.pop_front(), true;
      return add_sharder(), true;
    case Fault::kPublishSleep:
      return directory_.head_delayed_until_ns = now_ + random_s(1, 30), true;
    case Fault::kHeadGarbled:
      return directory_.head = nullptr, true;
    case Fault::kHeadOld:
      if (directory_.numbered.empty()) return false;
      return directory_.head = directory_.numbered.begin()->second, true;
    case Fault::kUnreadable: {
      // Who is taken for dead and cannot read that it is has no way to know.
      if (random(4) != 0 || count([&](const Pod& p) { return p.up && (!p.awake(now_) || p.mute_until_ns > now_); }) > 0)
        return false;
      int64_t until = now_ + random_s(1, 20);
      directory_.readable = false, directory_.unreadable_until_ns = until;
      return upset("", wall_s(), until / kSecondNs + kWallOffsetS), true;
    }
    case Fault::kReportsStop: {
      if (random(2) != 0 || !directory_.readable) return false;
      int64_t until = now_ + random_s(12, 30);
      size_t some = random(2) ? 1 : up;
      for (Pod& pod : pods_)
        if (some > 0 && ready(pod) && random(2))
          pod.mute_until_ns = until, pod.lagging_until_ns = 0, some--,
          upset(pod.name, wall_s(), until / kSecondNs + kWallOffsetS);
      return true;
    }
    case Fault::kHotKey:
      return load_.heat(random(1000), static_cast<double>(10 + random(200))), true;
    case Fault::kNoise:
      noise_ = static_cast<double>(random(30)) / 100;
      return load_.jump(r_, 0.2), true;
    case Fault::kCalm:
      noise_ = 0;
      return load_.calm(), true;
    case Fault::kCount:
      break;
  }
  return false;
}

// What a plan must be, whatever happened; the sharder checks again before it publishes.
Plan World::checked_plan(const Assignment& previous, const PlanInput& input, const PlannerConfig& config) {
  auto planned = [&] {
    Plan made = plan(previous, input, spoiled(options_.bug, config));
    spoil(options_.bug, plans_++, previous, input, made);
    return made;
  };
  Plan made = planned(), again = planned();
  if (made.next != again.next) fail("I5: the same arguments gave another plan");
  if (!made.next) return made;
  Assignment same = previous;
  same.generation = made.next->generation, same.created_s = made.next->created_s, same.cause = made.next->cause;
  if (same == *made.next) fail("I5: a new generation though nothing changed");
  for (const std::string& broken : check_structure(*made.next)) fail(broken);
  if (check_structure(*made.next).empty())
    for (const std::string& broken : check_step(previous, *made.next, input, config)) fail(broken);
  return made;
}

void World::tick_sharder(SharderNode& node) {
  if (now_ < node.asleep_until_ns || !directory_.readable) return;
  if (node.pending.publish) publish(node, std::exchange(node.pending, {}));
  std::vector<PodReport> reports;
  for (const auto& [name, report] : directory_.reports) reports.push_back(report);
  for (int tries = 0; tries < 3; tries++) {
    SharderActions actions = node.machine->step(
        {.assignment = directory_.newest(), .reports = reports, .damaged = !directory_.head}, wall(), {now_});
    for (const std::string& name : actions.remove_reports) directory_.reports.erase(name);
    if (!actions.publish) break;
    if (random(20) == 0) {  // held up between planning and publishing
      node.pending = actions;
      node.asleep_until_ns = now_ + random_s(1, 20);
      break;
    }
    publish(node, actions);
    if (directory_.numbered.count(actions.publish->generation)) break;
  }
  if (options_.bug == Bug::kNone && node.machine->stats().bugs > 0) fail("the sharder refused its own plan");
}

std::string how_it_came(const Assignment& assignment, uint64_t key) {
  for (auto move = assignment.moved.rbegin(); move != assignment.moved.rend(); ++move)
    if (key >= move->low && (move->high == 0 || key < move->high))
      return fmt::format("{} of {}, cutover {} s", to_string(move->cause), move->from, move->cutover_s - kBeginS);
  return "from the start";
}

void World::publish(SharderNode& node, const SharderActions& actions) {
  const AssignmentPtr& next = actions.publish;
  if (wall() > actions.publish_until && options_.bug != Bug::kPublishesLate)
    return node.machine->on_published(PublishOutcome::kLate, {now_});
  bool sleep = directory_.head_delayed_until_ns > now_;
  bool done = directory_.publish(next, sleep, directory_.head_delayed_until_ns);
  if (!done && options_.bug == Bug::kOverwrites)
    directory_.numbered[next->generation] = directory_.head = next, done = true;
  node.machine->on_published(done ? PublishOutcome::kDone : PublishOutcome::kLost, {now_});
  if (!done) return;
  out_.generations++;
  if (wall_s() - next->created_s > (Sharder::kPublishWithinNs + kTickNs) / kSecondNs + 1)
    fail(fmt::format("generation {} was published {} s after it was planned", next->generation,
                     wall_s() - next->created_s));
  if (next->generation <= highest_) fail(fmt::format("I3: generation {} after {}", next->generation, highest_));
  highest_ = std::max(highest_, next->generation);
  SliceIndex index(next->slices.low);
  for (size_t k = 0; k < keys_.size(); k++) {
    const std::string& owner = next->pods[next->slices.owner[index.find(keys_[k])]].name;
    if (!owners_[k].empty() && owners_[k].back().pod == owner) continue;
    owners_[k].push_back({wall_s(), owner, how_it_came(*next, keys_[k])}), out_.moves++;
  }
  note_deaths(*next);
  if (settled_s_ == 0) settled_s_ = wall_s() + 10;
}

void World::note_deaths(const Assignment& next) {
  for (const Move& move : next.moved) {
    if (move.cause != MoveCause::kDeath || move.from.empty() || move.at_s != next.created_s) continue;
    bool lives = count([&](const Pod& pod) { return pod.up && pod.name == move.from; }) > 0;
    if (lives && wall_s() > next.created_s) late_deaths_.push_back({move.from, next.created_s, wall_s() + 1});
    // The heir has heard of it before the window is due.
    if (wall_s() + 2 > move.cutover_s / kWindowS * kWindowS + kWindowS + kGraceS) continue;
    for (size_t k = 0; k < keys_.size(); k++)
      if (keys_[k] >= move.low && (move.high == 0 || keys_[k] < move.high) && move.cutover_s % kWindowS != 0)
        inheritances_.push_back({k, move.cutover_s / kWindowS * kWindowS, move.from, move.to});
  }
}

void World::look(Pod& pod) {
  pod.look_at_ns =
      now_ + 250 * kMillisecondNs +
      static_cast<int64_t>(random(static_cast<uint64_t>(now_ < pod.lagging_until_ns ? pod.lag_max_ms : 500))) *
          kMillisecondNs;
  if (!directory_.readable) return;
  pod.must_look = false;
  AssignmentPtr read = options_.bug == Bug::kReaderGoesBack ? directory_.head : directory_.newest();
  uint64_t have = pod.ownership->generation();
  if (!read || read->generation == have || (read->generation < have && options_.bug != Bug::kReaderGoesBack)) return;
  if (read->generation < have) fail("I3: a pod went back to an older generation");
  for (const std::string& broken : check_structure(*read)) return fail("a pod read what is not sound: " + broken);
  pod.ownership = pod.tracker->adopt(read, have == 0 ? pod.started : wall());
  pod.assignment = read;
}

void World::note_state(Pod& pod) {
  if (pod.state == PodState::kStarting && now_ >= pod.ready_at_ns)
    pod.state = PodState::kReady, pod.report_at_ns = now_;
  if (pod.state == PodState::kDraining && pod.ownership->owned() == 0 && pod.knows_that_it_drains()) {
    int64_t done_ns = pod.ownership->last_given_up_ns() == Interval::kBegin
                          ? 0
                          : pod.ownership->last_given_up_ns() + (kWindowS + kGraceS + 1) * kSecondNs;
    if (wall().ns >= done_ns)
      pod.state = PodState::kDrained, pod.report_at_ns = now_, pod.stop_at_ns = now_ + random_s(1, 5);
  }
  if (pod.state == PodState::kDrained && now_ >= pod.stop_at_ns) {
    pod.revision = pod.revision == "1" ? "2" : "1";
    pod.stop(pod.retire ? 0 : now_ + random_s(1, 20));
  }
}

void World::emit(Pod& pod) {
  for (; pod.next_window_s + kWindowS + kGraceS <= wall_s(); pod.next_window_s += kWindowS) {
    int64_t begin = pod.next_window_s * kSecondNs, end = begin + kWindowS * kSecondNs;
    for (size_t k = 0; k < keys_.size(); k++) {
      const Tenure& tenure = pod.ownership->tenure_of(keys_[k]);
      if (options_.bug == Bug::kFormerOwnerStops && !tenure.current()) continue;
      const Interval* interval = tenure.interval_of(begin, end);
      if (!interval || (options_.bug == Bug::kHeirKeepsQuiet && begin < interval->from_ns)) continue;
      bool whole = begin >= std::max(pod.started.ns, interval->since_ns);
      Emitted& emitted = emitted_[k][pod.next_window_s];
      (whole ? emitted.whole : emitted.incomplete)++;
      emitted.by += fmt::format("{}{} at {} s", emitted.by.empty() ? "" : ", ", pod.name, wall_s() - kBeginS);
      // Where the directory went away between one pod's look and another's, they cannot agree; nor where one that lives
      // hears too late that it was taken for dead.
      auto concerns = [&](const Upset& u) {
        return u.to_s >= pod.next_window_s && u.from_s <= pod.next_window_s + kWindowS;
      };
      bool unavoidable =
          std::any_of(late_deaths_.begin(), late_deaths_.end(), concerns) ||
          std::any_of(upsets_.begin(), upsets_.end(), [&](const Upset& u) { return u.pod.empty() && concerns(u); });
      if (emitted.whole + emitted.incomplete > 1 && !unavoidable)
        fail(fmt::format("window {} of key {:016x} was emitted twice: {}", pod.next_window_s - kBeginS, keys_[k],
                         emitted.by) +
             story(k, pod.next_window_s));
    }
  }
}

void World::tick_pod(Pod& pod) {
  if (!pod.up && pod.up_at_ns != 0 && now_ >= pod.up_at_ns) pod.start(now_, wall(), random_s(0, 3));
  if (!pod.awake(now_)) return;
  bool woke = pod.asleep_until_ns != 0;
  pod.asleep_until_ns = 0;
  pod.must_look |= woke;
  if (woke && options_.bug == Bug::kWakesAndEmits) emit(pod);
  if (woke || now_ >= pod.look_at_ns) look(pod);
  note_state(pod);
  if (pod.up && now_ >= pod.report_at_ns && directory_.readable) {
    pod.report_at_ns = now_ + kReportNs;
    pod.sequence++;
    if (now_ >= pod.mute_until_ns) directory_.reports[pod.name] = pod.report(load_, noise_, r_);
  }
  if (pod.up && !pod.must_look) emit(pod);
}

void World::tick() {
  now_ += kTickNs;
  directory_.tick(now_);
  inject();
  for (Pod& pod : pods_) tick_pod(pod);
  for (SharderNode& node : sharders_) tick_sharder(node);
  if (now_ % (10 * kSecondNs) == 0) check_lines();
  std::erase_if(pods_, [](const Pod& pod) { return !pod.up && pod.up_at_ns == 0; });
}

// What happened to a key around a time, for who looks into a failure.
std::string World::story(size_t key, int64_t begin_s) const {
  std::string text;
  for (size_t i = 0; i < owners_[key].size(); i++)
    if (const auto& [since, owner, how] = owners_[key][i];
        since < begin_s + 120 && (i + 1 == owners_[key].size() || owners_[key][i + 1].since_s > begin_s - 120))
      text += fmt::format("\n    {} s: belongs to {}, {}", since - kBeginS, owner, how);
  for (const Upset& u : upsets_)
    if (u.from_s < begin_s + 120 && u.to_s > begin_s - 120)
      text += fmt::format("\n    {} to {} s: {} disturbed", u.from_s + kUpsetBeforeS - kBeginS,
                          u.to_s - kUpsetAfterS - kBeginS, u.pod.empty() ? "everybody" : u.pod);
  return text;
}

// Whoever had the key around that time was disturbed.
bool World::excused(size_t key, int64_t begin_s) const {
  int64_t from = begin_s - kUpsetBeforeS, to = begin_s + kWindowS + kUpsetAfterS;
  for (const Upset& upset : upsets_) {
    if (upset.to_s < begin_s || upset.from_s > begin_s + kWindowS) continue;
    if (upset.pod.empty()) return true;
    for (size_t i = 0; i < owners_[key].size(); i++) {
      int64_t since = owners_[key][i].since_s,
              until = i + 1 < owners_[key].size() ? owners_[key][i + 1].since_s : INT64_MAX;
      if (owners_[key][i].pod == upset.pod && since <= to && until >= from) return true;
    }
  }
  return false;
}

void World::check_windows() {
  if (settled_s_ == 0) return fail("no generation ever came");
  for (size_t k = 0; k < keys_.size(); k++) {
    for (int64_t begin = (settled_s_ / kWindowS + 2) * kWindowS; begin + kWindowS + 20 < wall_s(); begin += kWindowS) {
      out_.windows++;
      const Emitted& emitted = emitted_[k][begin];
      if (emitted.whole == 1) continue;
      if (excused(k, begin))
        out_.excused++;
      else
        fail(fmt::format("window {} of key {:016x}: emitted {} times, {} times in part ({}), and nobody died",
                         begin - kBeginS, keys_[k], emitted.whole, emitted.incomplete, emitted.by) +
             story(k, begin));
    }
  }
}

// Where everybody is there and knows the same, a line of whatever age is written back by one pod.
void World::check_lines() {
  AssignmentPtr newest = directory_.newest();
  // Of what a full file leaves out not everybody knows the same.
  if (!newest || has_small_file()) return;
  auto knows = [&](const Pod& pod) { return pod.awake(now_) && pod.ownership->generation() == newest->generation; };
  for (const Pod& pod : pods_)
    if (pod.up && !knows(pod)) return;
  std::set<uint32_t> owners(newest->slices.owner.begin(), newest->slices.owner.end());
  for (uint32_t i = 0; i < newest->pods.size(); i++) {
    const AssignedPod& entry = newest->pods[i];
    bool there = std::any_of(pods_.begin(), pods_.end(), [&](const Pod& p) { return p.name == entry.name && p.up; });
    // Under the brake the dead keep their slices.
    bool may_go = entry.state == PodState::kDead || entry.state == PodState::kDrained;
    if (!there && (!may_go || owners.contains(i))) return;
  }
  for (size_t k = 0; k < keys_.size(); k++) {
    for (int64_t age_s : {0, 5, 60, 600, 7200}) {
      int64_t time_ns = wall().ns - age_s * kSecondNs;
      std::string by;
      size_t writers = 0;
      for (const Pod& pod : pods_) {
        if (!pod.up) continue;
        const Tenure& tenure = pod.ownership->tenure_of(keys_[k]);
        bool owns = pod.ownership->owns_line(keys_[k], time_ns, wall().ns);
        if (options_.bug == Bug::kOldLinesAreLost)
          owns = std::ranges::any_of(tenure.intervals(), [&](const Interval& i) {
            return time_ns >= (i.after_death ? i.inherited_ns : i.from_ns) && time_ns < i.to_ns;
          });
        if (owns) writers++, by += " " + pod.name;
      }
      out_.lines++;
      if (writers != 1)
        return fail(fmt::format("a line of {} s ago with the key {:016x} is written back by {} pods:{}", age_s,
                                keys_[k], writers, by) +
                    story(k, wall_s() - age_s));
    }
  }
}

// Windows in progress at a death are emitted by the heir, with what it has of them.
void World::check_heirs() {
  for (const Inheritance& in : inheritances_) {
    // Who died had to have the window: its own cutover lay before.
    bool had = false;
    for (size_t i = 0; i + 1 < owners_[in.key].size(); i++) {
      const auto& [since, owner, how] = owners_[in.key][i];
      const auto& [until, heir, why] = owners_[in.key][i + 1];
      bool in_window = until >= in.begin_s && until <= in.begin_s + kWindowS + 1;
      bool this_death = owner == in.dead && heir == in.heir && in_window;
      had |= this_death && since + 12 <= in.begin_s;
    }
    if (!had || in.begin_s + kWindowS + 20 >= wall_s()) continue;
    auto concerns = [&](const Upset& u) {
      return (u.pod.empty() || u.pod == in.heir) && u.to_s >= in.begin_s && u.from_s <= in.begin_s + kWindowS;
    };
    bool disturbed =
        std::any_of(upsets_.begin(), upsets_.end(), concerns) || std::any_of(lags_.begin(), lags_.end(), concerns);
    const Emitted& emitted = emitted_[in.key][in.begin_s];
    if (!disturbed && emitted.whole + emitted.incomplete == 0)
      fail(fmt::format("window {} of key {:016x}: its owner died, and the heir {} did not emit it",
                       in.begin_s - kBeginS, keys_[in.key], in.heir) +
           story(in.key, in.begin_s));
  }
}

Outcome World::run() {
  while (events_ < options_.events && out_.violations.empty()) tick();
  for (int i = 0; i < 120 && out_.violations.empty(); i++) tick();
  if (out_.violations.empty()) check_windows();
  if (out_.violations.empty()) check_heirs();
  out_.seconds = static_cast<double>(now_) * 1e-9 - 1000;
  return out_;
}

}  // namespace

std::string_view to_string(Fault fault) {
  constexpr std::string_view kNames[] = {
      "restart",      "drain-restart", "crash",           "add",           "retire",         "zone-loss",
      "sleep",        "lag",           "sharder-restart", "sharder-sleep", "second-sharder", "publish-sleep",
      "head-garbled", "head-old",      "unreadable",      "reports-stop",  "hot-key",        "noise",
      "calm"};
  static_assert(std::size(kNames) == kFaults);
  return kNames[static_cast<size_t>(fault)];
}

std::string_view to_string(Bug bug) {
  constexpr std::string_view kNames[] = {"none",
                                         "gap",
                                         "unknown-owner",
                                         "generation-repeats",
                                         "undetermined",
                                         "never-at-rest",
                                         "moves-the-innocent",
                                         "no-budget",
                                         "feeds-the-draining",
                                         "standby-passed-over",
                                         "cutover-at-once",
                                         "moves-forgotten",
                                         "no-brake",
                                         "no-listening",
                                         "overwrites",
                                         "publishes-late",
                                         "reader-goes-back",
                                         "wakes-and-emits",
                                         "heir-keeps-quiet",
                                         "former-owner-stops",
                                         "old-lines-are-lost"};
  static_assert(std::size(kNames) == kBugs);
  return kNames[static_cast<size_t>(bug)];
}

Outcome run(const Options& options) { return World(options).run(); }

}  // namespace limpet::sim
