#include "io/process_usage.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>
#include <string_view>

#include "io/files.h"

namespace limpet {
namespace {

// The n-th number of a text of numbers and blanks; 0 if it is none.
uint64_t number_at(std::string_view text, size_t n) {
  for (; n > 0; n--) text.remove_prefix(std::min(text.find(' '), text.size() - 1) + 1);
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Without a limit the kernel says "max", or a number that no machine has.
uint64_t cgroup_limit() {
  constexpr uint64_t kNoLimit = uint64_t{1} << 60;
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"})
    if (auto text = read_file(path, 4096))
      if (uint64_t limit = number_at(*text, 0); limit > 0 && limit < kNoLimit) return limit;
  return 0;
}

}  // namespace

double process_cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

MemoryUse memory_use() {
  static const uint64_t limit = cgroup_limit();
  MemoryUse use;
  use.limit_bytes = limit;
  if (auto text = read_file("/proc/self/statm", 4096))
    use.resident_bytes = number_at(*text, 1) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return use;
}

}  // namespace limpet
