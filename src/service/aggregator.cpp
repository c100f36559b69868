#include "service/aggregator.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include "base/limits.h"
#include "io/files.h"
#include "io/process_usage.h"
#include "io/stdio.h"
#include "service/lateness.h"

namespace limpet {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kPipeBytes = size_t{1} << 20;
constexpr size_t kFileChunkBytes = size_t{256} << 10;
constexpr size_t kWriteBytesPerTurn = size_t{1} << 20;  // then stdin has its turn again
constexpr int kWorkPerTurn = 16;
constexpr int64_t kRulesPollNs = 5 * kSecondNs;

std::string random_id() {
  uint64_t bits = 0;
  [[maybe_unused]] ssize_t n = ::getrandom(&bits, sizeof bits, 0);
  return fmt::format("{:016x}", bits);
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] ? name : "limpet";
}

AggregateConfig with_names(AggregateConfig config) {
  if (config.pod.empty()) config.pod = host_name();
  if (config.assignment.host.empty()) config.assignment.host = host_name();
  return config;
}

Pipeline::Options pipeline_options(const AggregateConfig& config, const std::string& incarnation, WallTime started,
                                   bool stdout_is_pipe) {
  Pipeline::Options options;
  options.engine.dialect = config.dialect;
  options.engine.pod = config.pod;
  options.engine.incarnation = incarnation;
  options.engine.started = started;
  options.engine.shared = config.assignment.configured;
  options.emit_rate_lines_per_s = config.emit_rate_lines_per_s;
  options.chunk_bytes = stdout_is_pipe ? size_t{PIPE_BUF} : kFileChunkBytes;
  return options;
}

}  // namespace

Aggregator::Aggregator(LoadedConfig config, AggregatorStreams streams, Log& log, std::function<uint64_t()> log_dropped)
    : config_(with_names(std::move(config.config))),
      pass_everything_(config.pass_everything),
      streams_(streams),
      log_(log),
      log_dropped_(std::move(log_dropped)),
      incarnation_(random_id()),
      started_(wall_now()),
      stdin_is_pipe_(is_stream(streams.in)),
      stdout_is_pipe_(is_stream(streams.out)),
      lifecycle_({.lines = config_.read_lines && !is_null_device(streams.in), .is_pipe = stdin_is_pipe_}),
      pipeline_(pipeline_options(config_, incarnation_, started_, stdout_is_pipe_), log, monotonic_now()),
      api_(inbox_, health_),
      stdin_buffer_(kReadBytes),
      stdin_source_{.name = "stdin", .may_shed = true},
      http_source_{.name = "http", .rewrite_time = true} {
  for (const Diagnostic& diagnostic : config.diagnostics) {
    std::string text = to_string(diagnostic);
    diagnostic.severity == Diagnostic::Severity::kError ? log_.error(text) : log_.warning(text);
  }
  make_listeners();
}

Aggregator::~Aggregator() = default;

int Aggregator::run() {
  start();
  while (lifecycle_.phase() != Lifecycle::Phase::kEnded) {
    wait();
    turn();
  }
  finish();
  return 0;
}

void Aggregator::start() {
  health_.heartbeat_ns = monotonic_now().ns;
  load_rules();
  enlarge_pipe(streams_.in, kPipeBytes);
  enlarge_pipe(streams_.out, kPipeBytes);
  if (stdout_is_pipe_) set_nonblocking(streams_.out, true);
  // /dev/null has no end worth waiting for; what is no pipe and brings no lines is not read either.
  bool lines = config_.read_lines && !is_null_device(streams_.in);
  stdin_open_ = lines || stdin_is_pipe_;
  if (config_.assignment.configured) follow_assignment();
  if (network_) network_->start();
  if (!stdin_open_ && config_.http.empty() && config_.sockets.empty())
    log_.error("nothing to do: stdin brings no lines, and no listener is configured below [listen]");
  metrics_due_ = {monotonic_now().ns + config_.metrics_interval_ns};
}

void Aggregator::load_rules() {
  RuleFiles files;
  if (pass_everything_ || config_.rules.empty()) {
    rules_error_ =
        pass_everything_ ? "the configuration asks for what this version does not do" : "no rules are configured";
    log_.error(rules_error_ + ": " + passes_through());
    return put_in_force(std::make_shared<RuleSet>(), false);
  }
  files = load_rule_files(config_.rules, config_.rules_directory);
  watcher_ = std::make_unique<RulesWatcher>(
      config_.rules, config_.rules_directory, files, [this](RuleFiles changed) { inbox_.push(std::move(changed)); },
      kRulesPollNs);
  if (files.loaded.ok()) {
    has_rules_ = true;
    return put_in_force(files.loaded.rules, false);
  }
  refuse(files);
  put_in_force(std::make_shared<RuleSet>(), false);
}

void Aggregator::refuse(const RuleFiles& files) {
  for (const Diagnostic& diagnostic : files.loaded.diagnostics)
    if (diagnostic.severity == Diagnostic::Severity::kError) log_.error(to_string(diagnostic));
  rules_error_ = to_string(files.loaded.diagnostics.front());
  log_.warning("the rules have errors: " +
               (has_rules_ ? "those before stay in force" : passes_through() + " until they are mended"));
}

void Aggregator::put_in_force(std::shared_ptr<const RuleSet> rules, bool reload) {
  size_t count = rules->rules().size();
  for (const Rule& rule : rules->rules()) longest_window_ns_ = std::max(longest_window_ns_, rule.window_life_ns());
  if (follower_) follower_->keep_moves(longest_window_ns_);
  std::vector<PlannedChange> plan = pipeline_.set_rules(std::move(rules), wall_now());
  health_.rules_ok = rules_error_.empty();
  if (count == 0 && rules_error_.empty()) log_.warning("the rules files hold no rule: " + passes_through());
  if (!reload) return log_.debug(fmt::format("{} rules", count));
  reloads_++;
  std::string text = render_plan(plan);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (size_t at = 0; (at = text.find('\n', at)) != text.npos;) text.replace(at, 1, "; ");
  log_.info("rules reloaded: " + text);
}

void Aggregator::take(RuleFiles& files) {
  if (!files.loaded.ok()) {
    reload_errors_++;
    return refuse(files);
  }
  rules_error_.clear();
  has_rules_ = true;
  put_in_force(files.loaded.rules, true);
}

std::string Aggregator::passes_through() const {
  return config_.assignment.configured ? "of the lines those whose own key is this pod's pass through"
                                       : "every line passes through";
}

void Aggregator::make_listeners() {
  if (config_.http.empty() && config_.sockets.empty()) return;
  NetworkHandlers handlers;
  handlers.http = [this](HttpRequest request, HttpReply reply) { api_.handle(std::move(request), std::move(reply)); };
  handlers.stream = [this](uint64_t connection, std::string bytes) {
    inbox_.push(StreamBytes{connection, std::move(bytes)});
  };
  network_ = std::make_unique<Network>(std::move(handlers), log_);
  for (const Endpoint& endpoint : config_.http) network_->listen_http(endpoint);
  for (const Endpoint& endpoint : config_.sockets) network_->listen_stream(endpoint);
}

// Sleeps until a descriptor, a deadline or another thread has something.
void Aggregator::wait() {
  MonoTime now = monotonic_now();
  int64_t wait_ns = kWaitMaxNs;
  auto until = [&](int64_t ns) { wait_ns = std::clamp<int64_t>(ns, 0, wait_ns); };
  using Phase = Lifecycle::Phase;
  if (auto deadline = lifecycle_.deadline()) until(deadline->ns - now.ns);
  if (lifecycle_.phase() == Phase::kEmptying) until(Lifecycle::kPollNs);
  if (lifecycle_.phase() <= Phase::kFlushing && pipeline_.results_pending()) until(pipeline_.wait_ns(now));
  if (lifecycle_.reading()) {
    if (auto due = pipeline_.engine().next_deadline()) until(due->ns - wall_now().ns);
    if (config_.metrics_interval_ns > 0) until(metrics_due_.ns - now.ns);
    if (body_) until(0);
  }
  if (follower_) until(report_due_.ns - now.ns);
  bool output = !pipeline_.output().empty() && lifecycle_.phase() <= Phase::kEmptying;
  bool input = stdin_open_ && lifecycle_.reading();
  pollfd fds[] = {{.fd = input ? streams_.in : -1, .events = POLLIN, .revents = 0},
                  {.fd = streams_.out, .events = static_cast<short>(output ? POLLOUT : 0), .revents = 0},
                  {.fd = inbox_.wake().fd(), .events = POLLIN, .revents = 0},
                  {.fd = streams_.signals, .events = POLLIN, .revents = 0}};
  timespec timeout{.tv_sec = wait_ns / kSecondNs, .tv_nsec = wait_ns % kSecondNs};
  ::ppoll(fds, std::size(fds), &timeout, nullptr);
  heed_assignment();
  if (fds[0].revents != 0) read_stdin();
  if (stdout_is_pipe_ && (fds[1].revents & (POLLERR | POLLNVAL)) && lifecycle_.phase() < Phase::kLingering)
    lifecycle_.on_stdout_broken();
  stdout_full_ = output && fds[1].revents == 0;
}

void Aggregator::turn() {
  health_.heartbeat_ns = monotonic_now().ns;
  inbox_.wake().heard();
  handle_signals();
  take_work(false);
  refuse_waiting();
  if (lifecycle_.reading()) {
    resume_streams();
    write_metrics();
    report();
  }
  if (lifecycle_.phase() <= Lifecycle::Phase::kDraining) pipeline_.advance(wall_now(), monotonic_now());
  write_output();
  follow_lifecycle();
}

void Aggregator::read_stdin() {
  std::span<char> room = stdin_buffer_.room();
  ReadResult result = read_some(streams_.in, room.data(), room.size());
  bool lines = config_.read_lines;
  if (result.read > 0 && lines) {
    bool whole = stdin_buffer_.added(result.read);
    if ((whole || stdin_buffer_.text().size() > limits::kLineBytesMax) && !holding())
      pipeline_.take_lines(stdin_source_, stdin_buffer_, wall_now());
  }
  if (!result.ended) return;
  if (lines) pipeline_.take_lines(stdin_source_, stdin_buffer_, wall_now());
  if (lines) pipeline_.end_lines(stdin_source_, stdin_buffer_);
  stdin_open_ = false;
  lifecycle_.on_stdin_end(monotonic_now());
}

void Aggregator::signal(int number) {
  signals_ |= 1u << number;
  inbox_.wake().ring();
}

void Aggregator::handle_signals() {
  uint32_t bits = signals_.exchange(0);
  for (int number = 1; number < 32; number++)
    if (bits & (1u << number)) handle_signal(number);
  signalfd_siginfo info{};
  while (streams_.signals >= 0 && ::read(streams_.signals, &info, sizeof info) == sizeof info)
    handle_signal(static_cast<int>(info.ssi_signo));
}

void Aggregator::handle_signal(int number) {
  MonoTime now = monotonic_now();
  if (number == SIGTERM)
    lifecycle_.on_sigterm(now);
  else if (number == SIGINT)
    lifecycle_.on_sigint(now);
  else if (number == SIGHUP && watcher_)
    watcher_->reload();
}

void Aggregator::take_work(bool all) {
  for (int i = 0; all || i < kWorkPerTurn; i++) {
    if (!body_) body_ = next_work();
    if (!body_) return;
    std::visit([this](auto& work) { take(work); }, *body_);
    if (auto* body = std::get_if<WriteBody>(&*body_); body && body->at > 0 && !body->rest().empty()) continue;
    body_.reset();
  }
  inbox_.wake().ring();  // there may be more
}

std::optional<Work> Aggregator::next_work() {
  bool hold = holding();
  if (!hold && !held_work_.empty()) {
    std::optional<Work> work(std::move(held_work_.front().work));
    held_work_.pop_front();
    return work;
  }
  while (std::optional<Work> work = inbox_.pop()) {
    bool lines = std::holds_alternative<WriteBody>(*work) || std::holds_alternative<StreamBytes>(*work);
    if (!hold || !lines) return work;
    if (auto* body = std::get_if<WriteBody>(&*work)) held_bytes_ += body->rest().size();
    held_work_.push_back({std::move(*work), monotonic_now()});
  }
  return std::nullopt;
}

void Aggregator::take(WriteBody& body) {
  if (body.at == 0 && (!pipeline_.has_room() || flushed_))
    return body.reply(answer_overloaded("stdout is stuck: nothing was applied"));
  if (pipeline_.take_body(body, http_source_, wall_now())) body.reply(answer_write(body));
}

void Aggregator::take(StreamBytes& bytes) {
  auto [it, fresh] = stream_sources_.try_emplace(bytes.connection);
  Stream& stream = it->second;
  if (fresh) stream.source = {.name = "socket", .rewrite_time = true};
  if (bytes.bytes.empty()) {
    pipeline_.end_lines(stream.source, stream.buffer);
    stream_sources_.erase(it);
    return;
  }
  std::span<char> room = stream.buffer.room();
  std::copy(bytes.bytes.begin(), bytes.bytes.end(), room.begin());
  bool whole = stream.buffer.added(bytes.bytes.size());
  if (whole || stream.buffer.text().size() > limits::kLineBytesMax)
    pipeline_.take_lines(stream.source, stream.buffer, wall_now());
  held_streams_.push_back(bytes.connection);
}

void Aggregator::resume_streams() {
  if (!pipeline_.has_room()) return;
  for (uint64_t connection : held_streams_) network_->resume(connection);
  held_streams_.clear();
}

void Aggregator::take(StatusRequest& request) {
  ProcessStatus process = process_status();
  Status status{process, pipeline_.engine().ledger(), pipeline_.engine().gauges()};
  if (request.form == StatusRequest::Form::kPrometheus)
    request.reply(
        {.status = 200, .body = status_prometheus(status), .content_type = "text/plain; version=0.0.4; charset=utf-8"});
  else
    request.reply({.status = 200, .body = status_json(status)});
}

void Aggregator::write_metrics() {
  MonoTime now = monotonic_now();
  if (config_.metrics_interval_ns == 0 || now.ns < metrics_due_.ns) return;
  metrics_due_.ns = std::max(metrics_due_.ns + config_.metrics_interval_ns, now.ns);
  ProcessStatus process = process_status();
  std::string lines = status_lines({process, pipeline_.engine().ledger(), pipeline_.engine().gauges()});
  if (pipeline_.has_room()) pipeline_.add_own_lines(lines);
}

ProcessStatus Aggregator::process_status() {
  ProcessStatus status;
  status.pod = config_.pod;
  status.incarnation = incarnation_;
  status.phase = lifecycle_.phase() == Lifecycle::Phase::kRunning ? "running"
                 : lifecycle_.reading()                           ? "draining"
                                                                  : "stopping";
  status.started = started_;
  status.now = wall_now();
  status.listening = bound();
  status.rules = pipeline_.engine().rules().rules().size();
  status.rules_fingerprint = pipeline_.engine().rules().fingerprint();
  status.rules_error = rules_error_;
  status.reloads = reloads_, status.reload_errors = reload_errors_;
  status.output_bytes = pipeline_.output().bytes();
  status.results_waiting_bytes = pipeline_.results_waiting_bytes();
  status.results_dropped = pipeline_.results_dropped();
  if (network_) {
    NetworkCounts counts = network_->counts();
    status.connections = counts.connections, status.connections_refused = counts.connections_refused,
    status.requests = counts.requests;
  }
  status.log_dropped = log_dropped_();
  status.emit_rate_lines_per_s = pipeline_.emit_rate_lines_per_s();
  if ((status.shared = config_.assignment.configured)) {
    const Ownership& ownership = *assignment_.ownership;
    status.pod_state = to_string(pod_state());
    status.generation = ownership.generation();
    status.adopted_age_ns = adopted_.ns - nanoseconds_of(assignment_.created_s);
    status.slices = ownership.slices(), status.slices_owned = ownership.owned();
    status.assignments_rejected = assignment_.rejected, status.twin = assignment_.twin;
    status.slice_samples_per_s = loads_.samples_per_s(), status.slice_cpu = loads_.cpu();
  }
  return status;
}

void Aggregator::write_output() {
  OutputQueue& output = pipeline_.output();
  if (stdout_full_ || lifecycle_.phase() > Lifecycle::Phase::kEmptying) return;
  for (size_t written = 0; !output.empty() && written < kWriteBytesPerTurn;) {
    WriteResult result = write_some(streams_.out, output.chunk());
    if (result.status == WriteStatus::kBroken) {
      if (errno != EPIPE) log_.error(fmt::format("stdout cannot be written: {}", std::strerror(errno)));
      return lifecycle_.on_stdout_broken();
    }
    if (result.status == WriteStatus::kFull || result.written == 0) return;
    output.pop(result.written);
    written += result.written;
  }
}

// What has to be done since the phase is another than before, and how far the flush has come.
void Aggregator::follow_lifecycle() {
  using Phase = Lifecycle::Phase;
  MonoTime now = monotonic_now();
  lifecycle_.tick(now);
  health_.stopping = lifecycle_.phase() != Phase::kRunning;
  if (lifecycle_.phase() < Phase::kFlushing || lifecycle_.phase() == Phase::kEnded) return;
  if (!flushed_) begin_flush();
  if (lifecycle_.phase() == Phase::kFlushing) {
    pipeline_.advance(wall_now(), now);
    if (!pipeline_.results_pending()) write_last_metrics();
    write_output();
  }
  if (lifecycle_.phase() == Phase::kLingering) return;
  lifecycle_.on_remaining({.engine_pending = pipeline_.results_pending(),
                           .queued_bytes = pipeline_.output().bytes(),
                           .unread_bytes = stdout_is_pipe_ ? unread_bytes(streams_.out) : 0},
                          now);
  if (lifecycle_.phase() == Phase::kLingering) ::close(std::exchange(streams_.out, -1));
}

// All that was promised to senders is applied before the windows are frozen.
void Aggregator::begin_flush() {
  watcher_.reset();
  held_ = true;
  if (network_) network_->stop_accepting();
  take_work(true);
  inbox_.close();
  take_work(true);
  for (auto& [connection, stream] : stream_sources_) pipeline_.end_lines(stream.source, stream.buffer);
  stream_sources_.clear();
  flushed_ = true;
  pipeline_.stop(wall_now());
}

// Once, when all results are counted.
void Aggregator::write_last_metrics() {
  if (config_.metrics_interval_ns == 0 || last_metrics_written_) return;
  last_metrics_written_ = true;
  metrics_due_ = {};
  write_metrics();
}

void Aggregator::report_lateness() {
  for (const auto& [name, rule] : pipeline_.engine().ledger().rules) {
    std::string late = lateness_text(rule);
    if (late.empty()) continue;
    log_.info(fmt::format("rule \"{}\": {}; grace = \"{}\" would have kept 99 % whole, \"{}\" 99.9 %", name, late,
                          grace_text(grace_needed_s(rule, 990)), grace_text(grace_needed_s(rule, 999))));
  }
}

void Aggregator::finish() {
  inbox_.close();
  body_.reset();
  while (inbox_.pop()) {
  }
  watcher_.reset();
  if (lifecycle_.gave_up())
    log_.error(
        fmt::format("stopped before everything was read from stdout: {} bytes in the pipe and {} bytes of lines and "
                    "results were lost",
                    unread_bytes(streams_.out), pipeline_.output().bytes() + pipeline_.results_waiting_bytes()));
  pipeline_.give_up();
  report_lateness();
  if (!config_.stats_file.empty()) {
    ProcessStatus process = process_status();
    auto written = write_file(config_.stats_file,
                              status_stats({process, pipeline_.engine().ledger(), pipeline_.engine().gauges()}));
    if (!written) log_.error("the stats file " + written.error());
  }
  follower_.reset();
  if (network_) network_->stop();
}

}  // namespace limpet
