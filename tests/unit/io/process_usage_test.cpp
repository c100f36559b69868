#include "io/process_usage.h"

#include <doctest/doctest.h>

#include <string>

using namespace limpet;

TEST_CASE("CPU time rises with work") {
  double before = process_cpu_s();
  while (process_cpu_s() < before + 0.01) {
  }
  CHECK(process_cpu_s() >= before + 0.01);
}

TEST_CASE("memory that is written to is resident") {
  uint64_t before = memory_use().resident_bytes;
  CHECK(before > 100'000);
  std::string large(size_t{64} << 20, 'x');
  CHECK(memory_use().resident_bytes >= before + (large.size() / 2));
}
