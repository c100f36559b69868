// Notices that something in some directories may have changed: files written, replaced, removed, links swapped. Only a
// hint: who relies on it also looks now and then, since shared file systems do not notify.
#pragma once

#include <string>
#include <vector>

#include "io/unique_fd.h"

namespace limpet {

class DirectoryWatch {
 public:
  DirectoryWatch();
  // Replaces what is watched; directories that do not exist are left out. Cheap where nothing is new.
  void set(const std::vector<std::string>& directories);
  int fd() const { return fd_.get(); }  // readable when something happened; negative: no inotify here
  // Takes what happened; true if there was anything.
  bool drain();

 private:
  UniqueFd fd_;
  std::vector<int> watches_;
};

}  // namespace limpet
