#include "io/watch.h"

#include <sys/inotify.h>

#include <algorithm>

namespace limpet {

DirectoryWatch::DirectoryWatch() : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

void DirectoryWatch::set(const std::vector<std::string>& directories) {
  constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF |
                               IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR;
  std::vector<int> now;
  for (const std::string& directory : directories) {
    // The same directory gives the same number again.
    int watch = ::inotify_add_watch(fd_.get(), directory.c_str(), kEvents);
    if (watch >= 0) now.push_back(watch);
  }
  for (int old : watches_)
    if (std::find(now.begin(), now.end(), old) == now.end()) ::inotify_rm_watch(fd_.get(), old);
  watches_ = std::move(now);
}

bool DirectoryWatch::drain() {
  alignas(inotify_event) char events[16 * 1024];
  bool any = false;
  while (::read(fd_.get(), events, sizeof events) > 0) any = true;
  return any;
}

}  // namespace limpet
