// How the bare loops print a pass: one JSON object per line, read by scripts/bench.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

inline void report(int pass, uint64_t bytes, uint64_t lines, uint64_t samples, uint64_t series, double seconds) {
  printf("{\"pass\":%d,\"bytes\":%llu,\"lines\":%llu,\"samples\":%llu,\"series\":%llu,\"seconds\":%.6f}\n", pass,
         static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(lines),
         static_cast<unsigned long long>(samples), static_cast<unsigned long long>(series), seconds);
  fflush(stdout);
}
