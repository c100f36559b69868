#include "io/stderr_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "io/stdio.h"

namespace limpet {
namespace {

constexpr size_t kKindBytes = 80;
constexpr uint64_t kOtherKinds = 0;
constexpr int kLastLookMs = 200;

// The words of a message, without what differs from one event to the next.
uint64_t kind_of(std::string_view text) {
  std::string words;
  bool quoted = false;
  for (char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted || (c >= '0' && c <= '9')) continue;
    words += c;
    if (words.size() >= kKindBytes) break;
  }
  return std::max<uint64_t>(hash64(words), 1);
}

std::string_view prefix(LogLevel level, LogStyle style) {
  static constexpr std::string_view kTelegrafPrefixes[] = {"E! ", "W! ", "I! ", "D! "};
  static constexpr std::string_view kConsolePrefixes[] = {
      "limpet: error: ", "limpet: warning: ", "limpet: ", "limpet: debug: "};
  return (style == LogStyle::kTelegraf ? kTelegrafPrefixes : kConsolePrefixes)[static_cast<int>(level)];
}

int64_t clock_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * kSecondNs + t.tv_nsec;
}

}  // namespace

MonoTime monotonic_now() { return {clock_ns(CLOCK_MONOTONIC)}; }
WallTime wall_now() { return {clock_ns(CLOCK_REALTIME)}; }

LogLimiter::Verdict LogLimiter::judge(std::string_view text, MonoTime now) {
  uint64_t id = kind_of(text);
  if (kinds_.size() >= kKindsMax && !kinds_.contains(id)) id = kOtherKinds;
  auto [it, fresh] = kinds_.try_emplace(id);
  Kind& kind = it->second;
  if (!fresh) {
    double earned = static_cast<double>(now.ns - kind.last.ns) / static_cast<double>(kEveryNs);
    kind.tokens = std::min<double>(kBurst, kind.tokens + std::max(earned, 0.0));
  }
  kind.last = now;
  if (kind.tokens < 1) {
    kind.held_back++;
    return {false, 0};
  }
  kind.tokens -= 1;
  return {true, std::exchange(kind.held_back, uint64_t{0})};
}

uint64_t LogLimiter::untold() const {
  uint64_t sum = 0;
  for (const auto& [id, kind] : kinds_) sum += kind.held_back;
  return sum;
}

StderrLog::StderrLog(int fd, LogStyle style, LogLevel level, std::function<MonoTime()> clock)
    : fd_(fd), style_(style), clock_(std::move(clock)), level_(level) {
  if (style == LogStyle::kTelegraf && is_stream(fd)) was_blocking_ = set_nonblocking(fd, true);
}

StderrLog::~StderrLog() { finish(); }

void StderrLog::finish() {
  std::lock_guard lock(mutex_);
  if (std::exchange(finished_, true)) return;
  if (uint64_t untold = limiter_.untold())
    print(LogLevel::kInfo, fmt::format("{} similar messages were held back", untold));
  if (style_ == LogStyle::kTelegraf && is_pipe(fd_))
    for (int i = 0; i < kLastLookMs && unread_bytes(fd_) > 0; i++) ::usleep(1000);
  if (was_blocking_) set_nonblocking(fd_, false);
}

void StderrLog::set_level(LogLevel level) {
  std::lock_guard lock(mutex_);
  level_ = level;
}

uint64_t StderrLog::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

void StderrLog::write(LogLevel level, std::string_view text) {
  std::lock_guard lock(mutex_);
  if (level > level_ || finished_) return;
  LogLimiter::Verdict verdict = limiter_.judge(text, clock_());
  if (!verdict.pass) return;
  if (verdict.held_back == 0) return print(level, text);
  print(level, fmt::format("{} ({} like this were held back)", text.substr(0, limits::kLogLineBytesMax - 128),
                           verdict.held_back));
}

void StderrLog::print(LogLevel level, std::string_view text) {
  std::string line(torn_ ? "\n" : "");
  line += prefix(level, style_);
  constexpr std::string_view kCut = " ... (cut)";
  bool cut = line.size() + text.size() + 1 > limits::kLogLineBytesMax;
  if (cut) text = text.substr(0, limits::kLogLineBytesMax - line.size() - kCut.size() - 1);
  for (char c : text) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  if (cut) line += kCut;
  line += '\n';
  if (untold_drops_ > 0 && line.size() + 64 < limits::kLogLineBytesMax) {
    line.pop_back();
    line += fmt::format(" ({} messages before were lost: stderr was full)\n", untold_drops_);
  }
  // Up to PIPE_BUF a pipe takes all or nothing. Of a longer line it may take a part: the next one then begins with the
  // missing newline.
  ssize_t n;
  do n = ::write(fd_, line.data(), line.size());
  while (n < 0 && errno == EINTR);
  if (n > 0) torn_ = n < static_cast<ssize_t>(line.size());
  if (n == static_cast<ssize_t>(line.size()))
    untold_drops_ = 0;
  else
    dropped_++, untold_drops_++;
}

}  // namespace limpet
