// Wakes a thread that sleeps in poll(2), from another thread: an eventfd.
#pragma once

#include <sys/eventfd.h>

#include <cstdint>

#include "io/unique_fd.h"

namespace limpet {

class Wake {
 public:
  Wake() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  int fd() const { return fd_.get(); }
  void ring() {
    uint64_t one = 1;
    [[maybe_unused]] ssize_t n = ::write(fd_.get(), &one, sizeof one);
  }
  // True if it was rung since the last call.
  bool heard() {
    uint64_t count = 0;
    return ::read(fd_.get(), &count, sizeof count) == sizeof count;
  }

 private:
  UniqueFd fd_;
};

}  // namespace limpet
