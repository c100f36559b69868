#include "service/assignment_follower.h"

#include <fmt/format.h>
#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>

#include "io/assignment_directory.h"
#include "io/stderr_log.h"
#include "io/wake.h"

namespace limpet {

struct AssignmentFollower::Impl {
  Impl(Options options_, std::function<void()> ring_, Log& log_)
      : options(std::move(options_)),
        ring(std::move(ring_)),
        log(log_),
        directory(options.directory),
        tracker(std::in_place, options.pod),
        began(monotonic_now()) {
    news.ownership = std::make_shared<Ownership>();
  }

  const Options options;
  const std::function<void()> ring;
  Log& log;
  AssignmentDirectory directory;
  std::optional<OwnershipTracker> tracker;
  const MonoTime began;
  std::optional<PodLock> lock;
  std::shared_ptr<const Assignment> adopted;         // the one in force
  std::set<std::string> faults;                      // what the last look found wrong
  std::string read_error, lock_error, report_error;  // the last of each
  std::atomic<bool> stopping{false}, hold_ended{false};
  std::atomic<int64_t> moves_kept_ns{0};
  Wake wake;
  std::thread thread;

  std::mutex mutex;  // guards what follows
  std::condition_variable looked;
  AssignmentNews news;
  bool fresh = false;
  std::optional<PodReport> report;
  uint64_t looks_begun = 0, looks_done = 0;

  // Of an error that lasts only the first time.
  void tell(const std::string& text, std::string& last) {
    if (text != last && !text.empty()) log.error(text);
    last = text;
  }

  void hold_lock(AssignmentNews& next) {
    if (lock && lock->locks_out()) return;
    auto held = directory.lock_pod(options.pod);
    if (!held && !held.error().held) {
      directory.repair();
      held = directory.lock_pod(options.pod);
    }
    tell(held ? "" : held.error().text, lock_error);
    if (held)
      lock = std::move(*held);
    else if (lock && held.error().held)
      become_twin(next);
    // Where it cannot be told who works under the name, whoever had the lock goes on.
    next.twin = !lock;
  }

  void become_twin(AssignmentNews& next) {
    lock.reset();
    tracker.emplace(options.pod);
    adopted = nullptr;
    next.ownership = std::make_shared<Ownership>();
    next.listed = next.drain_known = false;
  }

  uint64_t generation() const { return adopted ? adopted->generation : 0; }

  // What is wrong with what was read; the last good file stays in force.
  std::set<std::string> faults_of(const AssignmentRead& read) const {
    std::set<std::string> found(read.rejected.begin(), read.rejected.end());
    if (!read.error.empty()) found.insert(read.error);
    if (!adopted) return found;
    if (!read.assignment) {
      if (found.empty()) found.insert(directory.path() + ": there is no assignment any more");
      return found;
    }
    const Assignment& a = *read.assignment;
    if (a.generation < adopted->generation)
      found.insert(
          fmt::format("{}: the newest assignment there is the older generation {}", directory.path(), a.generation));
    else if (a.cluster != adopted->cluster)
      found.insert(fmt::format("{}: generation {} is of cluster \"{}\", not \"{}\"", directory.path(), a.generation,
                               a.cluster, adopted->cluster));
    else if (a.generation == adopted->generation && read.assignment != adopted && a != *adopted)
      found.insert(fmt::format("{}: generation {} is not what it was", directory.path(), a.generation));
    return found;
  }

  void tell_faults(const AssignmentRead& read, AssignmentNews& next) {
    std::set<std::string> found = faults_of(read);
    for (const std::string& fault : found)
      if (!faults.contains(fault)) {
        log.error(fault + (adopted ? fmt::format(": generation {} stays in force", generation()) : ""));
        next.rejected++;
      }
    if (read.error.empty() && !read_error.empty()) log.info(directory.path() + " can be read again");
    read_error = read.error;
    faults = std::move(found);
  }

  bool read_assignment(AssignmentNews& next) {
    AssignmentRead read = directory.read();
    tell_faults(read, next);
    bool foreign = adopted && read.assignment && read.assignment->cluster != adopted->cluster;
    if (!read.assignment || read.assignment->generation <= generation() || !lock || foreign) return read.error.empty();
    const Assignment& assignment = *read.assignment;
    // Lines that wait since the start are aggregated as if it had been known then.
    bool first = !adopted && !hold_ended && monotonic_now().ns - began.ns < options.held_ns;
    tracker->keep_moves(moves_kept_ns);
    next.ownership = tracker->adopt(read.assignment, first ? options.started : wall_now());
    int32_t me = assignment.find_pod(options.pod);
    if (me != kNoPod) {
      const AssignedPod& pod = assignment.pods[static_cast<size_t>(me)];
      bool drains = pod.state == PodState::kDraining || pod.state == PodState::kDrained;
      next.drain_known = drains && pod.incarnation == options.incarnation;
    }
    next.listed = next.listed || me != kNoPod;
    next.created_s = assignment.created_s;
    adopted = read.assignment;
    log.debug(
        fmt::format("generation {}: {} of {} slices", generation(), next.ownership->owned(), next.ownership->slices()));
    return true;
  }

  // False: the directory could not be read.
  bool look() {
    AssignmentNews next;
    {
      std::lock_guard guard(mutex);
      next = news;
    }
    uint64_t rejected = next.rejected;
    bool was_twin = next.twin, drain = next.drain;
    auto before = next.ownership;
    hold_lock(next);
    bool could_read = read_assignment(next);
    next.drain = lock && directory.drain_requested(options.pod, options.incarnation);
    bool changed =
        next.ownership != before || next.twin != was_twin || next.drain != drain || next.rejected != rejected;
    std::lock_guard guard(mutex);
    news = next;
    fresh |= changed;
    if (changed) ring();
    return could_read;
  }

  void write_report() {
    std::optional<PodReport> next;
    {
      std::lock_guard guard(mutex);
      next = std::exchange(report, std::nullopt);
    }
    if (!next || !lock) return;
    auto written = directory.write_report(*next);
    tell(written ? "" : written.error(), report_error);
  }

  void run() {
    if (auto made = directory.prepare(); !made) log.error(made.error());
    while (!stopping) {
      directory.watch(false);
      uint64_t number = 0;
      {
        std::lock_guard guard(mutex);
        number = looks_begun;
      }
      if (look()) {
        std::lock_guard guard(mutex);
        looks_done = number;
      }
      looked.notify_all();
      write_report();
      pollfd fds[] = {{.fd = wake.fd(), .events = POLLIN, .revents = 0},
                      {.fd = directory.watch_fd(), .events = POLLIN, .revents = 0}};
      ::poll(fds, 2, static_cast<int>(options.poll_ns / kMillisecondNs));
      wake.heard();
      directory.drain_watch();
    }
    write_report();
  }
};

AssignmentFollower::AssignmentFollower(Options options, std::function<void()> ring, Log& log)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(ring), log)) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

AssignmentFollower::~AssignmentFollower() {
  impl_->stopping = true;
  impl_->wake.ring();
  impl_->thread.join();
}

std::optional<AssignmentNews> AssignmentFollower::take() {
  std::lock_guard guard(impl_->mutex);
  if (!impl_->fresh) return std::nullopt;
  impl_->fresh = false;
  return impl_->news;
}

void AssignmentFollower::write(PodReport report) {
  std::lock_guard guard(impl_->mutex);
  impl_->report = std::move(report);
  impl_->wake.ring();
}

void AssignmentFollower::keep_moves(int64_t at_least_ns) { impl_->moves_kept_ns = at_least_ns; }

void AssignmentFollower::end_hold() { impl_->hold_ended = true; }

bool AssignmentFollower::look_now(int64_t wait_ns) {
  std::unique_lock guard(impl_->mutex);
  uint64_t number = ++impl_->looks_begun;
  impl_->wake.ring();
  return impl_->looked.wait_for(guard, std::chrono::nanoseconds(wait_ns), [&] { return impl_->looks_done >= number; });
}

}  // namespace limpet
