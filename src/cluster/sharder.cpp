#include "cluster/sharder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "sharding/invariants.h"

namespace limpet {
namespace {

constexpr size_t kDecisionsMax = 64;  // kinds that are counted apart

constexpr int64_t seconds_of(WallTime time) { return floor_div(time.ns, kSecondNs); }

constexpr const char* kUsedUp =
    "no generation is left below 2^53: nothing is published until the files of the highest numbers are removed, and "
    "all pods and sharders started anew";

// "balance" of "balance: waits for the hour's budget".
std::string kind_of(const std::string& note) { return note.substr(0, note.find(':')); }

// "agg-1, agg-2 and 7 more".
std::string first_of(std::span<const std::string> names) {
  constexpr size_t kNamed = 5;
  std::string text = fmt::format("{}", fmt::join(names.first(std::min(kNamed, names.size())), ", "));
  return names.size() <= kNamed ? text : fmt::format("{} and {} more", text, names.size() - kNamed);
}

auto identity(const Move& move) { return std::tie(move.low, move.high, move.at_s, move.from, move.to); }

std::string text_of(const Liveness::News& news) {
  double silent_s = static_cast<double>(news.silent_ns) / kSecondNs;
  switch (news.what) {
    case Liveness::News::What::kNew:
      return fmt::format("pod {} is here", news.pod);
    case Liveness::News::What::kDead:
      return fmt::format("pod {} is dead: silent for {:.1f} s", news.pod, silent_s);
    case Liveness::News::What::kBack:
      return fmt::format("pod {} is back: it was silent for {:.1f} s", news.pod, silent_s);
    case Liveness::News::What::kRestarted:
      return fmt::format("pod {} began a new life", news.pod);
    case Liveness::News::What::kState:
      return fmt::format("pod {} changed", news.pod);
  }
  return {};
}

}  // namespace

std::string_view to_string(Liveness::News::What what) {
  constexpr std::string_view kNames[] = {"new", "dead", "back", "restarted", "changed"};
  return kNames[static_cast<size_t>(what)];
}

Sharder::Sharder(SharderConfig config, Planner planner)
    : config_(std::move(config)), planner_(std::move(planner)), liveness_(config_.dead_after_ns) {}

SharderActions Sharder::step(const SharderInput& input, WallTime wall, MonoTime now) {
  SharderActions actions;
  stats_.steps++;
  proposed_ = nullptr;
  note_time(actions, now);
  adopt(input, now);
  wanted_ |= liveness_.observe(input.reports, base_.get(), now);
  unready_ = liveness_.unready(now, kUnreadyNs);
  tell_news(actions);
  watch_generations(input.reports, now);
  if (foreign_.empty()) actions.remove_reports = liveness_.gone(now);
  if (may_plan(now) && is_due(now)) make_plan(actions, wall, now);
  if (!actions.publish) restore(actions, wall, now);
  actions.publish_until = {wall.ns + std::min(kPublishWithinNs, config_.planner.cutover_delay_s * kSecondNs / 2)};
  actions.again = next_step(now);
  return actions;
}

void Sharder::note_time(SharderActions& actions, MonoTime now) {
  bool late = last_step_ && now.ns - last_step_->ns > kHeldUpNs;
  if (late) {
    stats_.held_up++;
    held_up_ = true;
    actions.log.emplace_back(
        LogLevel::kWarning,
        fmt::format("held up for {:.1f} s: listening anew, nothing is moved for {} s",
                    static_cast<double>(now.ns - last_step_->ns) / kSecondNs, config_.dead_after_ns / kSecondNs));
  }
  if (late || !last_step_) {
    liveness_.listen_anew(now);
    wanted_ = true;  // whatever happened meanwhile
    if (!last_step_) last_round_ = now, last_change_ = {now.ns - kCoalesceNs};
  }
  last_step_ = now;
  held_up_ &= listening(now);
}

void Sharder::adopt(const SharderInput& input, MonoTime now) {
  const Assignment* read = input.assignment.get();
  foreign_ = read && read->cluster != config_.planner.cluster ? read->cluster : "";
  if (!foreign_.empty()) return;
  if (read && (!base_ || read->generation > base_->generation)) {
    if (base_) {
      // Another sharder was at work: its round counts for ours.
      last_change_ = now;
      if (!wanted_) last_round_ = now;
    }
    base_ = input.assignment;
  }
  bool damaged = base_ && (input.damaged || !read || read->generation < base_->generation);
  if (!damaged)
    damaged_since_.reset();
  else if (!damaged_since_)
    damaged_since_ = now;
}

// Reports may name a generation that we cannot read: it was published a moment ago, or it is lost. In doubt nothing is
// published; when the doubt has lasted, what is published goes beyond it.
void Sharder::watch_generations(std::span<const PodReport> reports, MonoTime now) {
  uint64_t ours = std::max(base_ ? base_->generation : 0, floor_);
  ahead_ = lost_to_ > ours ? lost_to_ : 0;
  for (const PodReport& report : reports)
    if (report.generation > ours && report.generation <= kReportedGenerationMax)
      ahead_ = std::max(ahead_, report.generation);
  if (ahead_ == 0) {
    ahead_since_.reset();
    return;
  }
  if (!ahead_since_) ahead_since_ = now;
  if (now.ns - ahead_since_->ns < config_.dead_after_ns) return;
  floor_ = ahead_;
  ahead_ = 0;
  ahead_since_.reset();
}

void Sharder::tell_news(SharderActions& actions) {
  for (const Liveness::News& news : liveness_.news()) {
    bool bad = news.what == Liveness::News::What::kDead;
    if (bad) stats_.deaths++;
    actions.log.emplace_back(bad ? LogLevel::kWarning : LogLevel::kInfo, text_of(news));
  }
}

bool Sharder::may_plan(MonoTime now) const {
  if (!foreign_.empty() || now < not_before_ || liveness_.death_waits(now)) return false;
  if (!liveness_.listened(now)) {
    bool settled = now.ns - liveness_.last_newcomer().ns >= kSettleNs;
    return !base_ && ahead_ == 0 && settled;
  }
  // A first generation waits only for a number that is taken.
  return ahead_ == 0 || (!base_ && lost_to_ <= floor_);
}

bool Sharder::is_due(MonoTime now) const {
  return (wanted_ || is_round(now)) && now.ns - last_change_.ns >= kCoalesceNs;
}

void Sharder::make_plan(SharderActions& actions, WallTime wall, MonoTime now) {
  Assignment previous;
  previous.cluster = config_.planner.cluster;
  if (base_) previous = *base_;
  previous.generation = std::max(previous.generation, floor_);
  PlanInput input{.pods = liveness_.views(!liveness_.listened(now)), .now_s = seconds_of(wall)};
  PlannerConfig config = config_.planner;
  bool round = is_round(now) && !wanted_;  // else it comes next
  if (round)
    last_round_ = now;
  else
    config.hour_budget = 0;
  stats_.plans++;
  Plan made = planner_(previous, input, config);
  broken_.clear();
  frozen_ = made.frozen;
  stats_.frozen_plans += made.frozen ? 1 : 0;
  notes_ = std::move(made.notes);
  note_decisions(round);
  PlannedFor planned{previous, input, config};
  if (made.next)
    propose(std::move(*made.next), &planned, actions);
  else
    wanted_ = false;
}

void Sharder::note_decisions(bool is_round) {
  // Outside of a round that is no news.
  if (!is_round) std::erase_if(notes_, [](const std::string& note) { return kind_of(note) == "balance"; });
  stats_.decisions[wanted_ ? "pods changed" : "round"]++;
  for (const std::string& note : notes_) {
    std::string kind = kind_of(note);
    if (stats_.decisions.size() < kDecisionsMax || stats_.decisions.contains(kind)) stats_.decisions[kind]++;
  }
}

// planned: null if nothing was planned.
void Sharder::propose(Assignment next, const PlannedFor* planned, SharderActions& actions) {
  bool told = used_up_;
  used_up_ = next.generation > kGenerationMax;
  if (used_up_) {
    if (!told) actions.log.emplace_back(LogLevel::kError, kUsedUp);
    wanted_ = false;
    return;
  }
  broken_ = check_structure(next);
  if (planned && broken_.empty()) broken_ = check_step(planned->previous, next, planned->input, planned->config);
  if (!broken_.empty()) {
    stats_.bugs++;
    wanted_ = false;  // the next change or round plans anew
    actions.log.emplace_back(LogLevel::kError, fmt::format("bug: generation {} is not published, since it breaks {} "
                                                           "invariants; the first: {}",
                                                           next.generation, broken_.size(), broken_.front()));
    return;
  }
  proposed_ = std::make_shared<const Assignment>(std::move(next));
  actions.publish = proposed_;
}

void Sharder::restore(SharderActions& actions, WallTime wall, MonoTime now) {
  bool lasting = damaged_since_ && now.ns - damaged_since_->ns >= kSettleNs;
  if (!lasting || !foreign_.empty() || ahead_ != 0 || now < not_before_) return;
  Assignment next = *base_;
  next.generation = std::max(next.generation, floor_) + 1;
  next.created_s = seconds_of(wall);
  next.cause = {fmt::format("generation {} was lost or damaged: published again", base_->generation)};
  propose(std::move(next), nullptr, actions);
  stats_.restored += actions.publish ? 1 : 0;
  damaged_since_ = now;  // and again, if it does not help
}

void Sharder::on_published(PublishOutcome outcome, MonoTime now, uint64_t taken) {
  if (!proposed_) return;
  if (outcome == PublishOutcome::kDone) {
    count_moves(base_ ? *base_ : Assignment{}, *proposed_);
    stats_.published++;
    base_ = proposed_;
    last_change_ = now;
    damaged_since_.reset();
    wanted_ = false;
  } else if (outcome == PublishOutcome::kLost) {
    stats_.conflicts++;
    lost_to_ = std::max(taken, proposed_->generation);
    wanted_ = true;
  } else if (outcome == PublishOutcome::kLate) {
    stats_.publish_errors++;
    wanted_ = true;
  } else {
    stats_.publish_errors++;
    not_before_ = {now.ns + kRetryNs};
    wanted_ = true;
  }
  proposed_ = nullptr;
}

void Sharder::count_moves(const Assignment& previous, const Assignment& next) {
  std::set<decltype(identity(std::declval<const Move&>()))> known;
  for (const Move& move : previous.moved) known.insert(identity(move));
  for (const Move& move : next.moved) {
    if (known.contains(identity(move))) continue;
    auto cause = static_cast<size_t>(move.cause);
    stats_.moves[cause]++;
    stats_.churn[cause] += key_share(move.low, move.high);
  }
  count_standbys(previous, next);
}

// Range by range; what the first generation places is no change.
void Sharder::count_standbys(const Assignment& previous, const Assignment& next) {
  auto name = [](const Assignment& a, size_t i) {
    int32_t pod = a.slices.standby[i];
    return pod == kNoPod ? std::string_view() : std::string_view(a.pods[static_cast<size_t>(pod)].name);
  };
  const auto& lows = previous.slices.low;
  for (size_t i = 0, j = 0; j < next.slices.size() && !lows.empty(); j++) {
    while (i + 1 < lows.size() && lows[i + 1] <= next.slices.low[j]) i++;
    if (name(previous, i) == name(next, j)) continue;
    stats_.standby_moves++;
    stats_.standby_churn += next.slices.share(j);
  }
}

MonoTime Sharder::next_step(MonoTime now) const {
  MonoTime next = liveness_.next_death({last_round_.ns + config_.planner.round_s * kSecondNs});
  auto at = [&](int64_t ns) { next.ns = std::min(next.ns, ns); };
  if (listening(now)) at(liveness_.listening_since().ns + config_.dead_after_ns);
  if (!base_) at(liveness_.last_newcomer().ns + kSettleNs);
  if (wanted_) at(last_change_.ns + kCoalesceNs);
  if (damaged_since_) at(damaged_since_->ns + kSettleNs);
  next.ns = std::max(next.ns, not_before_.ns);
  // What is due and waits for something else is looked at again soon.
  return {std::max(next.ns, now.ns + 100 * kMillisecondNs)};
}

std::vector<Alarm> Sharder::alarms() const {
  std::vector<Alarm> alarms;
  if (!foreign_.empty())
    alarms.push_back({"cluster", fmt::format("the assignment belongs to cluster \"{}\", this sharder to \"{}\": it "
                                             "publishes nothing",
                                             foreign_, config_.planner.cluster)});
  if (frozen_)
    alarms.push_back(
        {"frozen", "more pods died at once than can be believed: their slices are not moved until pods come back"});
  if (!broken_.empty()) alarms.push_back({"bug", "a plan was not published: " + broken_.front()});
  if (used_up_) alarms.push_back({"generations", kUsedUp});
  if (damaged_since_) alarms.push_back({"damaged", "assignment.json is missing or damaged; it will be written again"});
  if (ahead_ != 0 && base_)
    alarms.push_back(
        {"ahead", fmt::format("generation {} is taken, as pods or its file say, and cannot be read here", ahead_)});
  if (held_up_) alarms.push_back({"held-up", "this sharder was held up: it listens anew and moves nothing"});
  size_t alive = 0, ready = 0;
  for (const auto& [name, pod] : liveness_.pods()) {
    alive += pod.alive;
    ready += pod.alive && pod.report.state == PodState::kReady;
  }
  if (base_ && alive == 0) alarms.push_back({"no-pods", "no pod is alive: nobody aggregates"});
  if (alive > 0 && ready == 0)
    alarms.push_back({"not-ready", fmt::format("of {} pods that are alive none is ready: no slice can be given to "
                                               "anybody (all drain, or their rules have errors)",
                                               alive)});
  if (ready > 0 && !unready_.empty())
    alarms.push_back({"owner-not-ready", fmt::format("not ready for over {} s, and own slices: {}. The slices stay "
                                                     "theirs, and nobody aggregates them (have they started with rules "
                                                     "that have errors?)",
                                                     kUnreadyNs / kSecondNs, first_of(unready_))});
  return alarms;
}

}  // namespace limpet
