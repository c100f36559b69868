// An aggregator among others that share the keys: what of it is this pod's, lines that wait until that is known, the
// pod's state and its reports. The rest of the class is in aggregator.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "io/process_usage.h"
#include "service/aggregator.h"

namespace limpet {
namespace {

constexpr int64_t kReportEveryNs = 2 * kSecondNs;
// Before the first assignment lines wait so long, and take so much memory; then they are other pods'.
constexpr int64_t kHoldNs = 10 * kSecondNs;
constexpr size_t kHoldBytes = size_t{256} << 20;
// An HTTP request waits only so long for its answer: its sender would give up, and send the same again.
constexpr int64_t kHoldRequestNs = 3 * kSecondNs;
// Who slept so long may own less than before: the assignment is read before anything is emitted.
constexpr int64_t kSleptNs = kSecondNs;
constexpr int64_t kLookNs = 5 * kSecondNs;
constexpr int64_t kDrainUnseenNs = 30 * kSecondNs;
// After this it may have been declared dead, and others emit what it holds: rather late than twice.
constexpr int64_t kLongSleepNs = 8 * kSecondNs, kLongLookNs = 60 * kSecondNs;

}  // namespace

void Aggregator::follow_assignment() {
  const AssignmentConfig& a = config_.assignment;
  assignment_.ownership = std::make_shared<Ownership>();
  health_.assigned = false;
  // An error of the configuration: nothing is owned, and no sharder hears of this pod, which would give it something.
  if (a.directory.empty() || !a.may_own) return;
  follower_ = std::make_unique<AssignmentFollower>(
      AssignmentFollower::Options{.directory = a.directory,
                                  .pod = config_.pod,
                                  .incarnation = incarnation_,
                                  .started = started_,
                                  .held_ns = kHoldNs},
      [this] { inbox_.wake().ring(); }, log_);
  follower_->keep_moves(longest_window_ns_);
}

// What is this pod's is looked up before lines are applied or results are written.
void Aggregator::heed_assignment() {
  if (!follower_) return;
  int64_t slept_ns = turned_.ns == 0 ? 0 : monotonic_now().ns - turned_.ns;
  if (slept_ns > kWaitMaxNs + kSleptNs && !follower_->look_now(slept_ns > kLongSleepNs ? kLongLookNs : kLookNs))
    log_.warning("the assignment could not be read after this process had slept: it goes on with the last one");
  turned_ = monotonic_now();
  if (auto news = follower_->take()) take(*news);
}

void Aggregator::take(const AssignmentNews& news) {
  if (news.ownership != assignment_.ownership) {
    loads_.add(pipeline_.engine().slice_work(), process_cpu_s(), monotonic_now());
    loads_.adopt(news.ownership);
    adopted_ = wall_now();
    pipeline_.engine().set_ownership(news.ownership, adopted_);
  }
  if (news.drain && !assignment_.drain) drain_since_ = monotonic_now();
  assignment_ = news;
  health_.assigned = news.listed;
}

// Lines wait while it is not known which of them are this pod's.
bool Aggregator::holding() {
  if (held_ || !config_.assignment.configured) return false;
  bool known = assignment_.listed || !follower_;
  bool waited = monotonic_now().ns - began_.ns > kHoldNs || !lifecycle_.reading();
  bool full = stdin_buffer_.text().size() + held_bytes_ > kHoldBytes;
  if (!known && !waited && !full) return true;
  held_ = true;
  if (follower_) follower_->end_hold();
  if (!known && full) log_.error(fmt::format("more than {} MiB of lines wait for an assignment", kHoldBytes >> 20));
  if (!known && !assignment_.twin)
    log_.error(
        fmt::format("no assignment names the pod \"{}\": until one does, every line is another pod's", config_.pod));
  if (stdin_open_ && config_.read_lines) pipeline_.take_lines(stdin_source_, stdin_buffer_, wall_now());
  return false;
}

PodState Aggregator::pod_state() {
  if (assignment_.twin) return PodState::kStarting;
  // Where a reload failed the rules before it stay in force, and so does the pod.
  if (!assignment_.drain) return has_rules_ ? PodState::kReady : PodState::kStarting;
  const Ownership& ownership = *assignment_.ownership;
  // A sharder that has not seen a drain after so long is away, and gives nothing to anybody.
  bool unseen = monotonic_now().ns - drain_since_.ns > kDrainUnseenNs;
  bool owns_nothing = (assignment_.listed || unseen) && ownership.owned() == 0;
  // What it does from now on, results about itself, windows of others, is no work of its own.
  if (reported_ == PodState::kDrained && owns_nothing && ownership.last_given_up_ns() == drained_of_ns_)
    return reported_;
  bool empty =
      owns_nothing && !pipeline_.engine().finishing() && !pipeline_.results_pending() && pipeline_.output().empty();
  // Until the sharder has seen that it drains, it may be given something this very moment.
  return empty && (assignment_.drain_known || unseen) ? PodState::kDrained : PodState::kDraining;
}

void Aggregator::report() {
  if (!follower_) return;
  MonoTime now = monotonic_now();
  PodState state = pod_state();
  if (now.ns < report_due_.ns && state == reported_) return;
  if (now.ns >= report_due_.ns) {
    loads_.add(pipeline_.engine().slice_work(), process_cpu_s(), now);
    pipeline_.engine().age_hot_keys();
    report_due_.ns = now.ns + kReportEveryNs;
  }
  reported_ = state;
  drained_of_ns_ = assignment_.ownership->last_given_up_ns();
  const AssignmentConfig& a = config_.assignment;
  PodReport report;
  report.name = config_.pod, report.incarnation = incarnation_, report.sequence = ++report_sequence_;
  for (const std::string& address : bound())
    if (report.address.empty() && !address.starts_with("unix:")) report.address = address;
  report.zone = a.zone, report.host = a.host, report.revision = a.revision;
  report.weight = a.weight;
  report.rules = fmt::format("{:016x}", pipeline_.engine().rules().fingerprint());
  report.started_s = started_.ns / kSecondNs;
  MemoryUse memory = memory_use();
  report.memory = memory.resident_bytes, report.memory_limit = memory.limit_bytes;
  report.state = state;
  report.generation = assignment_.ownership->generation();
  loads_.describe(pipeline_.engine().slice_state(), pipeline_.engine().hot_keys(), report);
  follower_->write(std::move(report));
}

void Aggregator::refuse_waiting() {
  if (held_work_.empty() || !holding()) return;
  int64_t until_ns = monotonic_now().ns - kHoldRequestNs;
  std::erase_if(held_work_, [&](Held& held) {
    auto* body = std::get_if<WriteBody>(&held.work);
    if (!body || held.since.ns > until_ns) return false;
    held_bytes_ -= body->rest().size();
    body->reply(answer_overloaded("no assignment names this pod yet: nothing was applied"));
    return true;
  });
}

}  // namespace limpet
