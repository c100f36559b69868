// When and how the process stops: pure, events and monotonic time in, a phase out.
//
//   running --(stdin ends)--> flushing --(all written)--> emptying --(all taken by the reader)--> lingering --> ended
//      \--(SIGTERM first)--> draining --(stdin ends, or 30 s)--^
//
// Telegraf sends SIGTERM 5 s after it closed stdin and SIGKILL 5 s later. So the stop aims at 4 s: from then on it goes
// on only while the reader still takes something, and ends after 9 s in any case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace limpet {

class Lifecycle {
 public:
  enum class Phase : uint8_t {
    kRunning,
    kDraining,   // SIGTERM came first: reading goes on to the end of stdin
    kFlushing,   // no more input; results are written
    kEmptying,   // everything is in the pipe; the reader has not taken it all
    kLingering,  // stdout is closed
    kEnded
  };
  struct Input {
    bool lines = true;    // stdin brings lines; false: listeners only
    bool is_pipe = true;  // its end will come, and means stop
  };
  // What has not reached the reader yet.
  struct Remaining {
    bool engine_pending = false;  // the engine still has results to render
    size_t queued_bytes = 0;      // waiting to be written
    size_t unread_bytes = 0;      // in the pipe
    bool operator==(const Remaining&) const = default;
  };

  explicit Lifecycle(Input input) : input_(input) {}

  void on_stdin_end(MonoTime now);
  void on_sigterm(MonoTime now);
  void on_sigint(MonoTime now);
  void on_stdout_broken();  // nobody reads any more: nothing to wait for
  // In the phases from kFlushing on: how it stands. Moves on to the next phase when it is time.
  void on_remaining(const Remaining& remaining, MonoTime now);
  void tick(MonoTime now);

  Phase phase() const { return phase_; }
  bool reading() const { return phase_ <= Phase::kDraining; }
  // True at the end if the reader had not taken everything in time.
  bool gave_up() const { return gave_up_; }
  // When tick() has something to do; none: only events count.
  std::optional<MonoTime> deadline() const;

  static constexpr int64_t kDrainNs = 30 * kSecondNs;
  static constexpr int64_t kAimNs = 4 * kSecondNs;
  static constexpr int64_t kAtMostNs = 9 * kSecondNs;
  static constexpr int64_t kStalledNs = kSecondNs;  // without progress for so long the reader counts as stuck
  static constexpr int64_t kLingerNs =
      30 * kMillisecondNs;                                // so that the reader sees the end before the process is gone
  static constexpr int64_t kPollNs = 2 * kMillisecondNs;  // between two looks into the pipe

 private:
  void flush(MonoTime now);

  Input input_;
  Phase phase_ = Phase::kRunning;
  MonoTime since_{};     // of the phase kDraining or kLingering
  MonoTime stopping_{};  // since when
  MonoTime progress_{};  // when the reader last took something
  Remaining last_{};
  bool gave_up_ = false;
};

}  // namespace limpet
