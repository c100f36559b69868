// Writes line protocol for the benchmarks, the same bytes for the same arguments.
//
//   generate_lines fixed2 LINES SERIES    two fields in fixed order; each series once, then at random. SERIES is
//                                         rounded to a multiple of 200
//
//   generate_lines churn LINES SERIES     the same, 1 % of the series replaced by new ones every second of their time
//
//   generate_lines births LINES           the same, every line a series of its own
//
//   generate_lines random2 LINES          two fields in random order, 10 000 series
//
//   generate_lines random20 LINES         twenty fields of 12 to 17 digits in random order, 10 000 series
//
//   generate_lines host LINES FILE.gz     recorded lines again and again, each time with later times
//
// Time begins at 1763640000 s and moves on by 0.1 ms a line on average, whole lines only.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int64_t kBeginNs = 1'763'640'000'000'000'000;
constexpr uint64_t kMeanStepNs = 100'000;
constexpr int64_t kSecondNs = 1'000'000'000;

// Collects text and writes it in large pieces.
class Output {
 public:
  ~Output() { flush(); }
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Args>(args)...);
    if (buffer_.size() > kFlushBytes) flush();
  }

 private:
  static constexpr size_t kFlushBytes = size_t{1} << 20;
  void flush() {
    fwrite(buffer_.data(), 1, buffer_.size(), stdout);
    buffer_.clear();
  }
  fmt::memory_buffer buffer_;
};

// The common source of chance and time.
struct Source {
  std::mt19937_64 random{42};
  std::lognormal_distribution<double> latency_s{-3, 1};
  int64_t now_ns = kBeginNs;

  int64_t step() { return now_ns += static_cast<int64_t>(random() % (2 * kMeanStepNs)); }
};

// 50 services, each with as many pods as needed, each pod with four series. `life` tells the pods of a replaced series
// apart.
std::string http_series(uint64_t number, uint64_t life) {
  constexpr std::array<const char*, 4> kStatus = {"200", "404", "500", "302"};
  constexpr std::array<const char*, 2> kMethod = {"GET", "POST"};
  const uint64_t kind = number % 4, service = number / 4 % 50, pod = number / 200;
  return fmt::format(
      "http_request_duration,cluster=prod-us-east-1,method={},namespace=ns-{},pod_id=svc{}-7d9f8b6c5d-{:05x},service="
      "svc{},status={}",
      kMethod[kind % 2], service % 7, service, (pod * 4096 + life) & 0xfffffff, service, kStatus[kind]);
}

void print_http(Output& out, Source& source, std::string_view series) {
  const double seconds = source.latency_s(source.random);
  const uint64_t bytes = source.random() % 100'000;
  out.print("{} seconds={:.6f},bytes={}i {}\n", series, seconds, bytes, source.step());
}

void fixed2(uint64_t lines, uint64_t series_count) {
  Output out;
  Source source;
  std::vector<std::string> series;
  for (uint64_t i = 0; i < std::max<uint64_t>(series_count / 200, 1) * 200; i++) series.push_back(http_series(i, 0));
  std::shuffle(series.begin(), series.end(), source.random);
  for (uint64_t i = 0; i < lines; i++) {
    print_http(out, source, series[i < series.size() ? i : source.random() % series.size()]);
  }
}

void churn(uint64_t lines, uint64_t series_count) {
  Output out;
  Source source;
  std::vector<std::string> series;
  for (uint64_t i = 0; i < series_count; i++) series.push_back(http_series(i, 0));
  int64_t next_ns = kBeginNs + kSecondNs;
  uint64_t replaced = 0;
  for (uint64_t i = 0; i < lines; i++) {
    print_http(out, source, series[source.random() % series.size()]);
    if (source.now_ns < next_ns) continue;
    next_ns += kSecondNs;
    for (uint64_t k = 0; k < series_count / 100; k++, replaced++) {
      series[replaced % series_count] = http_series(replaced % series_count, 1 + replaced / series_count);
    }
  }
}

void births(uint64_t lines) {
  Output out;
  Source source;
  for (uint64_t i = 0; i < lines; i++) print_http(out, source, http_series(i, 0));
}

void print_random2(Output& out, Source& source, bool swapped) {
  const double seconds = source.latency_s(source.random);
  const uint64_t bytes = source.random() % 100'000;
  if (swapped)
    out.print("bytes={}i,seconds={:.6f}", bytes, seconds);
  else
    out.print("seconds={:.6f},bytes={}i", seconds, bytes);
}

void random2(uint64_t lines) {
  Output out;
  Source source;
  for (uint64_t i = 0; i < lines; i++) {
    const uint64_t s = source.random() % 10'000, service = s % 50;
    out.print(
        "http_request_duration,cluster=prod-us-east-1,method=GET,namespace=ns-{},pod_id=svc{}-7d9f8b6c5d-{:05x},"
        "service=svc{},status=200 ",
        service % 7, service, s * 7919 & 0xfffff, service);
    print_random2(out, source, source.random() % 2);
    out.print(" {}\n", source.step());
  }
}

void print_random20(Output& out, Source& source, char letter) {
  if ((letter - 'a') % 3 == 0)
    out.print("counter_{}={}i", letter, source.random() % 100'000'000'000);
  else
    out.print("usage_{}={:.17g}", letter,
              static_cast<double>(source.random() >> 11) / static_cast<double>(1ull << 53) * 100);
}

void random20(uint64_t lines) {
  Output out;
  Source source;
  std::array<char, 20> letters;
  std::iota(letters.begin(), letters.end(), 'a');
  for (uint64_t i = 0; i < lines; i++) {
    const uint64_t s = source.random() % 10'000;
    out.print("cpu,cluster=prod-us-east-1,cpu=cpu{},host=host-{}-{:05x},rack=r{} ", s % 7, s % 50, s * 7919 & 0xfffff,
              s % 50);
    std::shuffle(letters.begin(), letters.end(), source.random);
    for (char letter : letters) {
      if (letter != letters.front()) out.print(",");
      print_random20(out, source, letter);
    }
    out.print(" {}\n", source.step());
  }
}

std::string read_gzip(const char* path) {
  std::string text;
  gzFile file = gzopen(path, "rb");
  if (!file) return text;
  std::array<char, 65536> buffer;
  for (int n; (n = gzread(file, buffer.data(), buffer.size())) > 0;) text.append(buffer.data(), static_cast<size_t>(n));
  gzclose(file);
  return text;
}

struct Recorded {
  std::string_view text;  // up to the space before the time
  int64_t time_ns;
};

std::vector<Recorded> split(std::string_view text) {
  std::vector<Recorded> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const size_t space = line.rfind(' ');
    lines.push_back({line.substr(0, space), strtoll(line.data() + space + 1, nullptr, 10)});
    text.remove_prefix(end + 1);
  }
  return lines;
}

int host(uint64_t count, const char* path) {
  const std::string text = read_gzip(path);
  const std::vector<Recorded> lines = split(text);
  if (lines.empty()) return fmt::print(stderr, "generate_lines: no lines in {}\n", path), 1;
  auto [first, last] =
      std::minmax_element(lines.begin(), lines.end(), [](auto& a, auto& b) { return a.time_ns < b.time_ns; });
  const int64_t length_ns = last->time_ns - first->time_ns + kSecondNs;
  Output out;
  for (uint64_t i = 0; i < count; i++) {
    const Recorded& line = lines[i % lines.size()];
    out.print("{} {}\n", line.text, line.time_ns + length_ns * static_cast<int64_t>(i / lines.size()));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view shape = argc > 2 ? argv[1] : "";
  const uint64_t lines = argc > 2 ? strtoull(argv[2], nullptr, 10) : 0;
  if (shape == "fixed2" && argc == 4) return fixed2(lines, strtoull(argv[3], nullptr, 10)), 0;
  if (shape == "churn" && argc == 4) return churn(lines, strtoull(argv[3], nullptr, 10)), 0;
  if (shape == "births" && argc == 3) return births(lines), 0;
  if (shape == "random2" && argc == 3) return random2(lines), 0;
  if (shape == "random20" && argc == 3) return random20(lines), 0;
  if (shape == "host" && argc == 4) return host(lines, argv[3]);
  fmt::print(stderr,
             "usage: generate_lines fixed2|churn LINES SERIES | births|random2|random20 LINES | host LINES FILE.gz\n");
  return 2;
}
