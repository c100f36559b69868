#include "service/rules_watcher.h"

#include <glob.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "io/files.h"
#include "io/wake.h"
#include "io/watch.h"

namespace limpet {
namespace {

// Writers touch several files, or one file several times: wait until it is quiet.
constexpr int kSettleMs = 100;
constexpr int kSettlesMax = 10;

bool same(const std::vector<SourceFile>& a, const std::vector<SourceFile>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const SourceFile& x, const SourceFile& y) { return x.path == y.path && x.text == y.text; });
}

// The directories that hold, or may come to hold, files of the patterns; of links to files also where they lead.
std::vector<std::string> directories_of(const std::vector<std::string>& patterns, const std::string& directory,
                                        const std::vector<SourceFile>& files) {
  std::vector<std::string> result;
  for (const std::string& pattern : patterns) {
    std::string parent = directory_of(join_path(directory, pattern));
    glob_t found{};
    if (::glob(parent.c_str(), 0, nullptr, &found) == 0)
      for (size_t i = 0; i < found.gl_pathc; i++) result.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
  }
  for (const SourceFile& file : files)
    if (char* real = ::realpath(file.path.c_str(), nullptr)) {
      result.push_back(directory_of(real));
      ::free(real);
    }
  return result;
}

}  // namespace

struct RulesWatcher::Impl {
  std::vector<std::string> patterns;
  std::string directory;
  std::vector<SourceFile> known;
  bool known_unread = false;  // the last look found files that cannot be read
  std::function<void(RuleFiles)> changed;
  int poll_ms = 0;
  Wake wake;
  DirectoryWatch watch;
  std::atomic<bool> stopping{false};
  std::thread thread;

  void look() {
    RuleFiles files = load_rule_files(patterns, directory);
    watch.set(directories_of(patterns, directory, files.sources));
    if (same(files.sources, known) && files.unread == known_unread) return;
    known = files.sources;
    known_unread = files.unread;
    changed(std::move(files));
  }

  void run() {
    watch.set(directories_of(patterns, directory, known));
    while (!stopping) {
      pollfd fds[] = {{.fd = wake.fd(), .events = POLLIN, .revents = 0},
                      {.fd = watch.fd(), .events = POLLIN, .revents = 0}};
      ::poll(fds, 2, poll_ms);
      bool asked = wake.heard();
      if (stopping) return;
      for (int i = 0; i < kSettlesMax && !asked && !stopping && watch.drain(); i++) ::poll(fds, 1, kSettleMs);
      if (!stopping) look();
    }
  }
};

RulesWatcher::RulesWatcher(std::vector<std::string> patterns, std::string directory, const RuleFiles& known,
                           std::function<void(RuleFiles)> changed, int64_t poll_ns)
    : impl_(std::make_unique<Impl>()) {
  impl_->patterns = std::move(patterns);
  impl_->directory = std::move(directory);
  impl_->known_unread = known.unread;
  impl_->known = known.sources;
  impl_->changed = std::move(changed);
  impl_->poll_ms = static_cast<int>(poll_ns / kMillisecondNs);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

RulesWatcher::~RulesWatcher() {
  impl_->stopping = true;
  impl_->wake.ring();
  impl_->thread.join();
}

void RulesWatcher::reload() { impl_->wake.ring(); }

}  // namespace limpet
