// Watches rules files and says when they changed, already read and validated, so that the engine's thread never waits
// for a disk. A thread of its own: woken by inotify on the files' directories (a ConfigMap swaps links there), by
// reload(), and every few seconds anyway, since shared file systems do not notify.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/load_rule_files.h"

namespace limpet {

class RulesWatcher {
 public:
  // `changed` is called on the watcher's thread, each time the files' content is another than before; first compared
  // with `known`.
  RulesWatcher(std::vector<std::string> patterns, std::string directory, const RuleFiles& known,
               std::function<void(RuleFiles)> changed, int64_t poll_ns);
  // Stops and waits for the thread.
  ~RulesWatcher();
  RulesWatcher(const RulesWatcher&) = delete;
  RulesWatcher& operator=(const RulesWatcher&) = delete;

  // Looks at once. Thread-safe.
  void reload();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace limpet
