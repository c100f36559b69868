#include "service/sharder_service.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "base/counted.h"
#include "io/stderr_log.h"

namespace limpet {

extern const std::string_view kStatusPage;

namespace {

constexpr size_t kToldMax = 1000;
constexpr int kLooksAtOnce = 5;

HttpAnswer plain(int status, std::string text) {
  return {.status = status, .body = std::move(text), .content_type = "text/plain"};
}

HttpAnswer not_found(const std::string& path) {
  constexpr std::string_view kPaths[] = {"/", "/api/cluster", "/api/status", "/healthz", "/readyz", "/metrics"};
  bool known = std::ranges::find(kPaths, path) != std::end(kPaths);
  return known ? plain(405, "GET it\n")
               : plain(404, "there are /, /api/cluster, /api/status, /healthz, /readyz, /metrics\n");
}

HttpAnswer answer_page() {
  // The page needs nothing from elsewhere, and may load nothing.
  return {.status = 200,
          .body = std::string(kStatusPage),
          .content_type = "text/html; charset=utf-8",
          .headers = {{"Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
                       "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"},
                      {"Cache-Control", "no-cache"}}};
}

std::string percent(double share) { return fmt::format("{:.2f} %", share * 100); }

}  // namespace

ShardService::ShardService(ShardConfig config, int signals, Log& log)
    : config_(std::move(config)),
      signals_(signals),
      log_(log),
      directory_(config_.directory),
      sharder_(config_.sharder,
               [this](const Assignment& previous, const PlanInput& input, const PlannerConfig& planner) {
                 Plan made =
                     plan_observed(previous, input, planner, [this](const char* phase) { clock_.begin(phase); });
                 clock_.begin("check");
                 return made;
               }),
      started_(wall_now()),
      network_(
          {.http = [this](HttpRequest request, HttpReply reply) { take_request(std::move(request), std::move(reply)); },
           .stream = nullptr},
          log) {
  for (const Endpoint& endpoint : config_.http) network_.listen_http(endpoint);
}

int ShardService::run() {
  if (auto made = directory_.prepare(); !made) directory_lost(made.error());
  seed_generations();
  heartbeat_ns_ = monotonic_now().ns;
  network_.start();
  for (const std::string& address : network_.bound()) log_.info("status page: http://" + address + "/");
  log_.info(fmt::format("directory {}, cluster {}: listening to who lives", config_.directory,
                        config_.sharder.planner.cluster));
  for (;;) {
    int64_t now_ns = monotonic_now().ns;
    if (now_ns >= next_look_ns_) {
      look();
      now_ns = monotonic_now().ns;
    }
    answer_requests();
    // What is heard while it rests is not lost: the descriptor stays readable.
    bool resting = now_ns < deaf_until_ns_;
    pollfd fds[] = {{.fd = signals_, .events = POLLIN, .revents = 0},
                    {.fd = wake_.fd(), .events = POLLIN, .revents = 0},
                    {.fd = resting ? -1 : directory_.watch_fd(), .events = POLLIN, .revents = 0}};
    int64_t until_ns = resting ? deaf_until_ns_ : next_look_ns_;
    ::poll(fds, 3, static_cast<int>(std::max<int64_t>(1, (until_ns - now_ns) / kMillisecondNs + 1)));
    if (fds[0].revents != 0) break;
    wake_.heard();
    if (fds[2].revents != 0 && directory_.drain_watch()) next_look_ns_ = 0;
  }
  network_.stop();
  return 0;
}

void ShardService::look() {
  int64_t begin_ns = monotonic_now().ns;
  for (int i = 0; i < kLooksAtOnce && !look_once(); i++) {
  }
  int64_t end_ns = monotonic_now().ns;
  heartbeat_ns_ = end_ns;
  process_.step_s = static_cast<double>(end_ns - begin_ns) / kSecondNs;
  process_.step_max_s = std::max(process_.step_max_s, process_.step_s);
  Rest rest = rest_after(end_ns - begin_ns);
  next_look_ns_ = end_ns + rest.ns;
  deaf_until_ns_ = end_ns + rest.deaf_ns;
}

bool ShardService::look_once() {
  AssignmentRead assignment;
  ReportsRead reports;
  clock_.begin("read");
  bool there = read(assignment, reports);
  clock_.begin(nullptr);
  if (!there) return true;
  uint64_t before = sharder_.assignment() ? sharder_.assignment()->generation : 0;
  SharderActions actions = sharder_.step(
      {.assignment = assignment.assignment, .reports = reports.reports, .damaged = !assignment.head_valid}, wall_now(),
      monotonic_now());
  clock_.begin(nullptr);
  for (const auto& [level, text] : actions.log) log_.write(level, text);
  for (const std::string& pod : actions.remove_reports) {
    log_.info(fmt::format("pod {} has been gone for an hour: its report is removed", pod));
    directory_.remove_report(pod);
  }
  auto now = sharder_.assignment();
  if (now && now->generation != before) note_generation(*now, before == 0);
  note_adoptions(reports.reports);
  clock_.begin("publish");
  bool done = !actions.publish || publish(actions.publish, actions.publish_until);
  clock_.begin(nullptr);
  note_alarms();
  return done;
}

bool ShardService::read(AssignmentRead& assignment, ReportsRead& reports) {
  directory_.watch(true);
  assignment = directory_.read();
  if (assignment.error.empty()) reports = directory_.read_reports();
  std::string error = assignment.error.empty() ? reports.error : assignment.error;
  // The directory is there, but not what belongs in it: somebody made it anew.
  if (assignment.error.empty() && !reports.error.empty() && directory_.prepare()) {
    reports = directory_.read_reports();
    error = reports.error;
  }
  if (!error.empty()) {
    directory_lost(error);
    note_alarms();
    return false;
  }
  directory_back();
  note_rejected(assignment.rejected, rejected_assignments_, process_.assignments_rejected);
  note_rejected(reports.rejected, rejected_reports_, process_.reports_rejected);
  return true;
}

bool ShardService::publish(const std::shared_ptr<const Assignment>& next, WallTime until) {
  auto swapped = directory_.compare_and_swap(*next, until);
  MonoTime now = monotonic_now();
  if (!swapped) {
    if (told_.size() > kToldMax) told_.clear();
    if (told_.insert(swapped.error()).second) log_.error("not published: " + swapped.error());
    sharder_.on_published(PublishOutcome::kFailed, now);
    return true;
  }
  if (*swapped == SwapOutcome::kDone) {
    sharder_.on_published(PublishOutcome::kDone, now);
    note_generation(*next, false);
    return true;
  }
  if (*swapped == SwapOutcome::kLate) {
    log_.warning(fmt::format("generation {}: not published, since too much time passed meanwhile; planned anew",
                             next->generation));
    sharder_.on_published(PublishOutcome::kLate, now);
    return false;
  }
  log_.info(fmt::format("generation {}: another sharder was first", next->generation));
  std::vector<uint64_t> taken = directory_.generations();
  sharder_.on_published(PublishOutcome::kLost, now, taken.empty() ? 0 : taken.back());
  return false;
}

void ShardService::directory_lost(const std::string& why) {
  process_.directory_errors++;
  if (process_.directory_ok)
    log_.error(fmt::format("{}: the pods go on with what they have, and nothing can be changed until it is back", why));
  process_.directory_ok = false;
}

void ShardService::directory_back() {
  if (!process_.directory_ok) log_.info(config_.directory + " can be read again");
  process_.directory_ok = true;
}

// `known`: those of the last look.
void ShardService::note_rejected(const std::vector<std::string>& reasons, std::set<std::string>& known,
                                 uint64_t& counter) {
  for (const std::string& reason : reasons)
    if (!known.contains(reason)) {
      counter++;
      log_.error(reason);
    }
  known = {reasons.begin(), reasons.end()};
}

void ShardService::note_generation(const Assignment& assignment, bool at_start) {
  GenerationNote note = note_of(assignment);
  std::string causes;
  for (const std::string& cause : note.cause) causes += (causes.empty() ? "" : ", ") + cause;
  log_.info(fmt::format("generation {}: {} ({} moved, {} of the keys)", note.generation, causes,
                        counted(note.moves, "slice"), percent(note.share)));
  // Of those before it saw them it is not known how long they took.
  if (!at_start) published_ns_[note.generation] = monotonic_now().ns;
  while (published_ns_.size() > kGenerationsKept) published_ns_.erase(published_ns_.begin());
  if (!generations_.empty() && generations_.front().generation >= note.generation) return;
  generations_.push_front(std::move(note));
  if (generations_.size() > kGenerationsKept) generations_.pop_back();
}

void ShardService::note_adoptions(const std::vector<PodReport>& reports) {
  int64_t now_ns = monotonic_now().ns;
  for (const PodReport& report : reports) {
    Adoption& known =
        adopted_.try_emplace(report.name, Adoption{.generation = report.generation, .seen_ns = now_ns}).first->second;
    if (report.generation <= known.generation) continue;
    known.generation = report.generation;
    // How long it took a pod that was not there yet says nothing.
    auto at = published_ns_.find(report.generation);
    if (at != published_ns_.end() && at->second >= known.seen_ns)
      propagation_.add(static_cast<double>(now_ns - at->second) / kSecondNs);
  }
}

void ShardService::note_alarms() {
  std::vector<Alarm> now = sharder_.alarms();
  if (!process_.directory_ok)
    now.push_back({"directory", config_.directory + " cannot be read: nothing can be changed until it is back"});
  std::vector<ActiveAlarm> next;
  for (Alarm& alarm : now) {
    auto before = std::ranges::find(alarms_, alarm.name, [](const ActiveAlarm& a) { return a.alarm.name; });
    bool is_new = before == alarms_.end();
    if (is_new) log_.warning("alarm " + alarm.name + ": " + alarm.text);
    int64_t since_s = is_new ? wall_now().ns / kSecondNs : before->since_s;
    next.push_back({std::move(alarm), since_s});
  }
  for (const ActiveAlarm& old : alarms_)
    if (std::ranges::find(next, old.alarm.name, [](const ActiveAlarm& a) { return a.alarm.name; }) == next.end())
      log_.info("alarm " + old.alarm.name + " is over");
  alarms_ = std::move(next);
}

void ShardService::seed_generations() {
  for (uint64_t generation : directory_.generations())
    if (auto assignment = directory_.read_generation(generation)) generations_.push_front(note_of(*assignment));
}

void ShardService::take_request(HttpRequest request, HttpReply reply) {
  if (request.path == "/healthz") {
    int64_t silent_ns = monotonic_now().ns - heartbeat_ns_;
    return reply(silent_ns > kHungNs
                     ? plain(503, fmt::format("no look at the directory for {} s\n", silent_ns / kSecondNs))
                     : plain(200, "ok\n"));
  }
  std::lock_guard guard(mutex_);
  requests_.push_back({std::move(request), std::move(reply)});
  wake_.ring();
}

void ShardService::answer_requests() {
  std::vector<Request> requests;
  {
    std::lock_guard guard(mutex_);
    requests.swap(requests_);
  }
  for (Request& each : requests) each.reply(answer(each.request));
}

HttpAnswer ShardService::answer(const HttpRequest& request) {
  const std::string& path = request.path;
  bool reads = request.method == "GET" || request.method == "HEAD";
  if (reads && path == "/") return answer_page();
  if (reads && path == "/readyz")
    return process_.directory_ok ? plain(200, "ready\n") : plain(503, "the directory cannot be read\n");
  if (!reads || (path != "/api/cluster" && path != "/api/status" && path != "/metrics")) return not_found(path);
  ClusterView view = make_view(sharder_.assignment(), sights());
  SharderProcess about = process();
  ClusterStatus status{.view = view,
                       .stats = sharder_.stats(),
                       .process = about,
                       .alarms = alarms_,
                       .notes = sharder_.notes(),
                       .generations = generations_,
                       .propagation = propagation_};
  if (path == "/metrics")
    return {.status = 200, .body = sharder_prometheus(status), .content_type = "text/plain; version=0.0.4"};
  if (path == "/api/status") return {.status = 200, .body = sharder_json(status)};
  return {.status = 200, .body = cluster_json(status, request.parameter("slices") != "0")};
}

SharderProcess ShardService::process() const {
  SharderProcess p = process_;
  MonoTime now = monotonic_now();
  p.directory = config_.directory;
  p.started = started_;
  p.now = wall_now();
  p.dead_after_s = static_cast<double>(config_.sharder.dead_after_ns) / kSecondNs;
  if (sharder_.listening(now))
    p.listening_s =
        static_cast<double>(sharder_.liveness().listening_since().ns + config_.sharder.dead_after_ns - now.ns) /
        kSecondNs;
  p.requests = network_.counts().requests;
  p.phases_s = clock_.totals();
  std::error_code none;
  auto bytes = std::filesystem::file_size(config_.directory + "/assignment.json", none);
  p.assignment_bytes = none ? 0 : bytes;
  return p;
}

std::vector<PodSight> ShardService::sights() const {
  std::vector<PodSight> sights;
  int64_t now_ns = monotonic_now().ns;
  for (const auto& [name, pod] : sharder_.liveness().pods())
    sights.push_back({.report = pod.report,
                      .alive = pod.alive,
                      .reported = pod.reported,
                      .report_age_s = static_cast<double>(now_ns - pod.silent_since.ns) / kSecondNs});
  return sights;
}

}  // namespace limpet
