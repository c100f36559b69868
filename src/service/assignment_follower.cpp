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
        tracker(options.pod),
        began(monotonic_now()) {
    news.ownership = std::make_shared<Ownership>();
  }

  const Options options;
  const std::function<void()> ring;
  Log& log;
  AssignmentDirectory directory;
  OwnershipTracker tracker;
  const MonoTime began;
  std::optional<PodLock> lock;
  uint64_t generation = 0;
  std::string read_error;      // of the last look at the directory
  std::set<std::string> told;  // other errors, each logged once
  std::atomic<bool> stopping{false};
  Wake wake;
  std::thread thread;

  std::mutex mutex;  // guards what follows
  std::condition_variable looked;
  AssignmentNews news;
  bool fresh = false;
  std::optional<PodReport> report;
  uint64_t looks_begun = 0, looks_done = 0;

  void tell_once(const std::string& text) {
    if (told.insert(text).second) log.error(text);
  }

  void hold_lock(AssignmentNews& next) {
    if (lock) return;
    auto held = directory.lock_pod(options.pod);
    if (held) lock = std::move(*held);
    next.twin = !lock;
    if (!lock) tell_once(held.error());
  }

  bool read_assignment(AssignmentNews& next) {
    AssignmentRead read = directory.read();
    if (read.error != read_error && !read.error.empty()) log.error(read.error);
    if (read.error.empty() && !read_error.empty()) log.info(directory.path() + " can be read again");
    read_error = read.error;
    for (const std::string& reason : read.rejected)
      if (told.insert(reason).second) {
        log.error(reason + (generation ? fmt::format(": generation {} stays in force", generation) : ""));
        next.rejected++;
      }
    if (!read.assignment || read.assignment->generation <= generation || !lock || !options.may_own)
      return read.error.empty();
    const Assignment& assignment = *read.assignment;
    // Lines that wait since the start are aggregated as if it had been known then.
    bool first = generation == 0 && monotonic_now().ns - began.ns < options.held_ns;
    next.ownership = tracker.adopt(assignment, first ? options.started : wall_now());
    int32_t me = assignment.find_pod(options.pod);
    if (me != kNoPod) {
      const AssignedPod& pod = assignment.pods[static_cast<size_t>(me)];
      bool drains = pod.state == PodState::kDraining || pod.state == PodState::kDrained;
      next.drain_known = drains && pod.incarnation == options.incarnation;
    }
    next.listed = next.listed || assignment.find_pod(options.pod) != kNoPod;
    next.created_s = assignment.created_s;
    generation = assignment.generation;
    log.debug(
        fmt::format("generation {}: {} of {} slices", generation, next.ownership->owned(), next.ownership->slices()));
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
    if (auto written = directory.write_report(*next); !written) tell_once(written.error());
  }

  void run() {
    if (auto made = directory.prepare(); !made) tell_once(made.error());
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

bool AssignmentFollower::look_now(int64_t wait_ns) {
  std::unique_lock guard(impl_->mutex);
  uint64_t number = ++impl_->looks_begun;
  impl_->wake.ring();
  return impl_->looked.wait_for(guard, std::chrono::nanoseconds(wait_ns), [&] { return impl_->looks_done >= number; });
}

}  // namespace limpet
