// The process `limpet aggregate`: one thread with a poll(2) loop around the pipeline, beside it the listeners' and the
// rules watcher's thread.
//
//   stdin ──▶ LineBuffer ──▶ Pipeline (engine, output queue, pace) ──▶ stdout
//   Network (HTTP, streams) ──▶ Inbox ──▶    ▲ Lifecycle says when to stop
//   RulesWatcher ──▶ Inbox ──▶
//
// stdin is read always, whatever stdout does. Nothing on this thread waits for a disk but the start and the stats file
// at the end.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "io/network.h"
#include "io/stderr_log.h"
#include "service/assignment_follower.h"
#include "service/config.h"
#include "service/http_api.h"
#include "service/inbox.h"
#include "service/lifecycle.h"
#include "service/line_buffer.h"
#include "service/pipeline.h"
#include "service/rules_watcher.h"
#include "service/slice_loads.h"
#include "service/status.h"

namespace limpet {

struct AggregatorStreams {
  int in = 0;
  int out = 1;       // closed at the end
  int signals = -1;  // a signalfd for SIGTERM, SIGINT, SIGHUP; negative: none
};

class Aggregator {
 public:
  // REQUIRES: SIGPIPE is ignored. `log_dropped` says how many log lines were lost.
  Aggregator(LoadedConfig config, AggregatorStreams streams, Log& log, std::function<uint64_t()> log_dropped);
  ~Aggregator();

  // Works until it has to stop; returns the exit code. Call once.
  int run();

  // Thread-safe: as if the signal had come.
  void signal(int number);
  // Thread-safe: the addresses that the listeners are bound to.
  std::vector<std::string> bound() const { return network_ ? network_->bound() : std::vector<std::string>(); }

 private:
  struct Stream {
    LineSource source;
    LineBuffer buffer{size_t{64} << 10};
  };

  static constexpr int64_t kWaitMaxNs = kSecondNs;  // a wall clock that was set is noticed after this

  struct Held {
    Work work;
    MonoTime since;
  };

  void start();
  void load_rules();
  void make_listeners();
  void turn();
  void wait();
  void read_stdin();
  void handle_signals();
  void handle_signal(int number);
  void take_work(bool all);
  void take(WriteBody& body);
  void take(StreamBytes& bytes);
  void take(StatusRequest& request);
  void take(RuleFiles& files);
  void resume_streams();
  void put_in_force(std::shared_ptr<const RuleSet> rules, bool reload);
  void refuse(const RuleFiles& files);
  void write_output();
  void write_metrics();
  void write_last_metrics();
  void follow_lifecycle();
  void follow_assignment();
  void heed_assignment();
  void take(const AssignmentNews& news);
  bool holding();
  void refuse_waiting();
  std::string passes_through() const;
  std::optional<Work> next_work();
  void report();
  PodState pod_state();
  void begin_flush();
  void report_lateness();
  void finish();
  ProcessStatus process_status();

  const AggregateConfig config_;
  const bool pass_everything_;
  AggregatorStreams streams_;
  Log& log_;
  std::function<uint64_t()> log_dropped_;
  const std::string incarnation_;
  const WallTime started_;
  const MonoTime began_ = monotonic_now();
  const bool stdin_is_pipe_, stdout_is_pipe_;
  Lifecycle lifecycle_;
  Pipeline pipeline_;
  Inbox inbox_;
  Health health_;
  HttpApi api_;
  std::unique_ptr<Network> network_;  // made with the object, started by run(); null: no listeners
  std::unique_ptr<RulesWatcher> watcher_;
  std::unique_ptr<AssignmentFollower> follower_;  // null: keys are not shared
  int64_t longest_window_ns_ = 0;                 // of all rules there were: Rule::window_life_ns()
  AssignmentNews assignment_;
  MonoTime drain_since_{};  // when it heard that it shall drain
  WallTime adopted_{};      // when it came in force
  SliceLoads loads_;
  std::deque<Held> held_work_;  // came before it was known what is this pod's
  size_t held_bytes_ = 0;       // of its HTTP bodies
  bool held_ = false;           // holding() was over
  PodState reported_ = PodState::kStarting;
  int64_t drained_of_ns_ = 0;  // what had been given up by then when it was drained
  uint64_t report_sequence_ = 0;
  MonoTime report_due_{}, turned_{};

  LineBuffer stdin_buffer_;
  LineSource stdin_source_;
  LineSource http_source_;
  bool stdin_open_ = true;
  bool flushed_ = false;  // begin_flush() was called
  bool last_metrics_written_ = false;
  bool stdout_full_ = false;  // the last write would have blocked
  std::optional<Work> body_;  // a body of which a part is applied
  std::map<uint64_t, Stream> stream_sources_;
  std::vector<uint64_t> held_streams_;  // are not read on until there is room
  std::atomic<uint32_t> signals_{0};    // bits of signal()
  std::string rules_error_;             // of the last files read
  bool has_rules_ = false;              // those in force, though the last files read may be bad
  uint64_t reloads_ = 0, reload_errors_ = 0;
  MonoTime metrics_due_{};
};

}  // namespace limpet
