#include "io/assignment_directory.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "io/stderr_log.h"
#include "sharding/assignment_codec.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/sharding/assignments.h"

using namespace limpet;
namespace fs = std::filesystem;

namespace {

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> names(const std::string& path) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(path)) found.push_back(entry.path().filename());
  std::sort(found.begin(), found.end());
  return found;
}

constexpr WallTime kAnyTime{INT64_MAX};

// A prepared directory with one user of it.
struct Place {
  TemporaryDirectory root;
  std::string path = root.path("d");
  AssignmentDirectory directory{path};

  Place() { REQUIRE(directory.prepare().has_value()); }
  SwapOutcome publish(uint64_t generation) {
    auto done = directory.compare_and_swap(some_assignment(generation), kAnyTime);
    REQUIRE_MESSAGE(done.has_value(), done.error());
    return *done;
  }
  uint64_t read() {
    AssignmentRead read = directory.read();
    return read.assignment ? read.assignment->generation : 0;
  }
  std::string head() const { return path + "/assignment.json"; }
  std::string numbered(uint64_t n) const { return fmt::format("{}/assignments/{}.json", path, n); }
};

bool contains(const std::vector<std::string>& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& t) { return t.find(part) != t.npos; });
}

}  // namespace

TEST_CASE("a generation is published whole, at its number and at the head") {
  Place place;
  CHECK(place.read() == 0);
  CHECK(place.publish(5) == SwapOutcome::kDone);
  CHECK(content(place.head()) == encode(some_assignment(5)));
  CHECK(content(place.numbered(5)) == encode(some_assignment(5)));
  AssignmentRead read = place.directory.read();
  REQUIRE(read.assignment);
  CHECK(*read.assignment == some_assignment(5));
  CHECK(read.head_valid);
  CHECK(read.rejected.empty());
  CHECK(read.error.empty());
  CHECK(place.directory.read_generation(5) == some_assignment(5));
  CHECK(names(place.path) == std::vector<std::string>{"assignment.json", "assignments", "reports"});
  CHECK(names(place.path + "/assignments") == std::vector<std::string>{"5.json"});
}

TEST_CASE("a number that is taken, or below the highest, is lost") {
  Place place;
  place.publish(5);
  CHECK(place.publish(5) == SwapOutcome::kLost);
  CHECK(place.publish(4) == SwapOutcome::kLost);
  CHECK(place.publish(6) == SwapOutcome::kDone);
  CHECK(place.read() == 6);
  // Also where the number was free when it looked, and taken when it linked.
  place.directory.link = [](const char* from, const char* to) {
    write(to, encode(some_assignment(7)));
    return ::link(from, to);
  };
  CHECK(place.publish(7) == SwapOutcome::kLost);
  CHECK(place.read() == 7);
}

TEST_CASE("the last few are kept, and never is the newest removed") {
  Place place;
  for (uint64_t n = 1; n <= 30; n++) CHECK(place.publish(n) == SwapOutcome::kDone);
  CHECK(place.directory.generations() == std::vector<uint64_t>{23, 24, 25, 26, 27, 28, 29, 30});
}

TEST_CASE("a reader reads again what changed, and nothing else") {
  Place place;
  place.publish(5);
  AssignmentRead first = place.directory.read(), second = place.directory.read();
  CHECK(first.assignment == second.assignment);
  place.publish(6);
  CHECK(place.read() == 6);
  // Of two files with the same bytes one is decoded.
  AssignmentDirectory other(place.path);
  CHECK(other.read().assignment->generation == 6);
}

TEST_CASE("the highest valid file is taken, and of every other it is said why not") {
  Place place;
  place.publish(5);
  std::string good = encode(some_assignment(5)), next = encode(some_assignment(6));
  std::string garbled = next;
  garbled[garbled.size() / 2] ^= 1;
  struct Case {
    const char* what;
    std::string text, reason;
  };
  const Case cases[] = {
      {"empty", "", "line 1: is not a whole header"},
      {"cut off in the header", next.substr(0, 40), "line 1: is not a whole header"},
      {"cut off in the body", next.substr(0, next.size() - 7), "line 2: expected"},
      {"garbled", garbled, "line 2: its checksum is"},
      {"foreign", "{\"format\":\"other\",\"version\":1}\n{}\n", "expected \"limpet-assignment\", not \"other\""},
      {"of a version to come", "{\"format\":\"limpet-assignment\",\"version\":9}\n{}\n", "version: 9 is not known"},
      {"no JSON", "hello\nworld\n", "line 1: "},
      {"oversized", next + std::string(kAssignmentBytesMax, ' '), "longer than 67108864 bytes"},
      {"with another number in it", good, "holds generation 5"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    write(place.numbered(6), c.text);
    AssignmentRead read = place.directory.read();
    REQUIRE(read.assignment);
    CHECK(read.assignment->generation == 5);
    CHECK(read.head_valid);
    REQUIRE(read.rejected.size() == 1);
    CHECK(read.rejected[0].starts_with(place.numbered(6) + ": "));
    CHECK_MESSAGE(contains(read.rejected, c.reason), read.rejected[0]);
    // Nothing changed: the same answer.
    CHECK(place.directory.read().rejected == read.rejected);
  }
  write(place.numbered(6), next);
  CHECK(place.read() == 6);
}

TEST_CASE("the head may be bad, older or away: the numbered files stand in, and the other way round") {
  Place place;
  place.publish(5), place.publish(6);
  write(place.head(), encode(some_assignment(5)));
  CHECK(place.read() == 6);
  CHECK(place.directory.read().head_valid);
  write(place.head(), "garbage");
  CHECK(place.read() == 6);
  CHECK_FALSE(place.directory.read().head_valid);
  CHECK(contains(place.directory.read().rejected, "assignment.json"));
  fs::remove(place.head());
  CHECK(place.read() == 6);
  CHECK(place.directory.read().rejected.empty());
  write(place.head(), encode(some_assignment(7)));
  CHECK(place.read() == 7);
  fs::remove_all(place.path + "/assignments");
  CHECK(place.read() == 7);
  CHECK(place.directory.read().error.empty());
}

TEST_CASE("names that are no generations are passed over") {
  Place place;
  place.publish(5);
  for (const char* name : {"6.json.bak", "06.json", "+6.json", "-6.json", "x.json", ".json", "6",
                           "9007199254740992.json", "99999999999999999999999.json", ".tmp-6.json"})
    write(place.path + "/assignments/" + name, encode(some_assignment(6)));
  CHECK(place.read() == 5);
  CHECK(place.directory.generations() == std::vector<uint64_t>{5});
  CHECK(place.publish(6) == SwapOutcome::kDone);
}

TEST_CASE("what is no plain file is never opened for long") {
  Place place;
  place.publish(5);
  fs::create_symlink("/dev/zero", place.numbered(6));
  REQUIRE(::mkfifo(place.numbered(7).c_str(), 0644) == 0);
  fs::create_directory(place.numbered(8));
  AssignmentRead read = place.directory.read();
  CHECK(read.assignment->generation == 5);
  CHECK(read.rejected.size() == 3);
}

TEST_CASE("a writer that slept between link and rename withdraws what it linked") {
  Place place;
  place.publish(5);
  AssignmentDirectory sleeper(place.path);
  sleeper.after_link = [&] {
    CHECK(place.read() == 6);
    CHECK(place.publish(7) == SwapOutcome::kDone);
  };
  CHECK(sleeper.compare_and_swap(some_assignment(6), kAnyTime) == SwapOutcome::kLost);
  CHECK(place.directory.generations() == std::vector<uint64_t>{5, 7});
  CHECK(place.read() == 7);
  CHECK(content(place.head()) == encode(some_assignment(7)));
}

TEST_CASE("what comes too late does not appear, and leaves nothing behind") {
  Place place;
  place.publish(5);
  CHECK(place.directory.compare_and_swap(some_assignment(6), {wall_now().ns - 1}) == SwapOutcome::kLate);
  CHECK(names(place.path + "/assignments") == std::vector<std::string>{"5.json"});
  CHECK(place.read() == 5);
  CHECK(place.directory.compare_and_swap(some_assignment(6), {wall_now().ns + kMinuteNs}) == SwapOutcome::kDone);
}

TEST_CASE("a link whose reply is lost has won if it is there") {
  Place place;
  place.directory.link = [](const char* from, const char* to) {
    (void)::link(from, to);
    errno = EIO;
    return -1;
  };
  CHECK(place.publish(5) == SwapOutcome::kDone);
  // Sent again by the client, it finds the name taken, by itself.
  place.directory.link = [](const char* from, const char* to) {
    (void)::link(from, to);
    return ::link(from, to);
  };
  CHECK(place.publish(6) == SwapOutcome::kDone);
  CHECK(place.read() == 6);
  place.directory.link = [](const char*, const char*) {
    errno = EIO;
    return -1;
  };
  auto failed = place.directory.compare_and_swap(some_assignment(7), kAnyTime);
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error() == place.numbered(7) + ": Input/output error");
  CHECK(place.directory.generations() == std::vector<uint64_t>{5, 6});
  CHECK(names(place.path + "/assignments").size() == 2);
}

TEST_CASE("a directory that somebody emptied is filled again") {
  Place place;
  place.publish(5);
  for (const auto& entry : fs::directory_iterator(place.path)) fs::remove_all(entry.path());
  CHECK(place.read() == 0);
  CHECK(place.publish(6) == SwapOutcome::kDone);
  CHECK(place.read() == 6);
}

TEST_CASE("a writer that dies between link and rename has published") {
  Place place;
  place.publish(5);
  struct Death {};
  AssignmentDirectory dying(place.path);
  dying.after_link = [] { throw Death(); };
  CHECK_THROWS_AS((void)dying.compare_and_swap(some_assignment(6), kAnyTime), Death);
  CHECK(content(place.head()) == encode(some_assignment(5)));
  CHECK(place.read() == 6);
  CHECK(place.publish(7) == SwapOutcome::kDone);
  CHECK(content(place.head()) == encode(some_assignment(7)));
}

TEST_CASE("the number of a writer that woke up after many others were pruned is not used again") {
  Place place;
  place.publish(5);
  AssignmentDirectory sleeper(place.path);
  sleeper.after_link = [&] {
    for (uint64_t n = 7; n < 40; n++) CHECK(place.publish(n) == SwapOutcome::kDone);
  };
  CHECK(sleeper.compare_and_swap(some_assignment(6), kAnyTime) == SwapOutcome::kLost);
  CHECK(place.read() == 39);
  CHECK(place.directory.generations().front() == 32);
}

TEST_CASE("of two that race for 200 generations one wins each, and readers only see higher ones") {
  Place place;
  constexpr uint64_t kLast = 200;
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> won[kLast + 1] = {};
  auto write_all = [&](uint64_t writer) {
    AssignmentDirectory directory(place.path);
    for (uint64_t n = 0; n < kLast;) {
      AssignmentRead read = directory.read();
      n = read.assignment ? read.assignment->generation : 0;
      if (n >= kLast) break;
      Assignment next = some_assignment(n + 1);
      next.cause = {fmt::format("writer {}", writer)};
      if (directory.compare_and_swap(next, kAnyTime) == SwapOutcome::kDone) won[n + 1] += writer;
    }
  };
  std::atomic<int> regressions = 0, rejections = 0;
  std::atomic<uint64_t> seen = 0;
  auto read_all = [&] {
    AssignmentDirectory directory(place.path);
    uint64_t last = 0;
    for (bool once_more = true; once_more;) {
      once_more = !stop;
      AssignmentRead read = directory.read();
      rejections += static_cast<int>(read.rejected.size());
      uint64_t generation = read.assignment ? read.assignment->generation : 0;
      if (generation < last) regressions++;
      last = std::max(last, generation);
    }
    seen = last;
  };
  std::thread reader(read_all), a(write_all, 1), b(write_all, 2);
  a.join(), b.join();
  stop = true;
  reader.join();
  // 0: nobody was told that it won, since a higher one was there before its writer looked again. 3: both were told.
  for (uint64_t n = 1; n <= kLast; n++) CHECK(won[n] != 3);
  CHECK(won[kLast] != 0);
  CHECK(regressions == 0);
  CHECK(rejections == 0);
  CHECK(seen == kLast);
  CHECK(place.read() == kLast);
  CHECK(content(place.head()) == encode(*place.directory.read().assignment));
}

TEST_CASE("what crashed writers left behind is removed in time") {
  Place place;
  std::string old = place.path + "/assignments/.tmp-old", fresh = place.path + "/reports/.tmp-fresh";
  write(old, "x"), write(fresh, "x");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  place.publish(5);
  CHECK_FALSE(fs::exists(old));
  CHECK(fs::exists(fresh));
}

TEST_CASE("a lost directory gives errors, and works again when it is back") {
  Place place;
  place.publish(5);
  std::string aside = place.root.path("aside");
  fs::rename(place.path, aside);
  CHECK(place.directory.read().error == place.path + ": No such file or directory");
  CHECK_FALSE(place.directory.read().assignment);
  CHECK(place.directory.read_reports().error == place.path + "/reports: No such file or directory");
  CHECK_FALSE(place.directory.compare_and_swap(some_assignment(6), kAnyTime).has_value());
  // The same words each time, so that a pod that says each error once says this one once.
  for (int i = 0; i < 2; i++)
    CHECK(place.directory.write_report(some_report()).error() == place.path + "/reports: No such file or directory");
  CHECK_FALSE(place.directory.lock_pod("agg-1").has_value());
  CHECK_FALSE(place.directory.request_drain("agg-1", "x").has_value());
  CHECK_FALSE(place.directory.drain_requested("agg-1", "x"));
  CHECK(place.directory.generations().empty());
  place.directory.watch(true);
  // Something else in its place.
  write(place.path, "");
  CHECK_FALSE(place.directory.read().error.empty());
  CHECK_FALSE(place.directory.compare_and_swap(some_assignment(6), kAnyTime).has_value());
  CHECK_FALSE(place.directory.prepare().has_value());
  fs::remove(place.path);
  fs::rename(aside, place.path);
  CHECK(place.read() == 5);
  CHECK(place.publish(6) == SwapOutcome::kDone);
}

TEST_CASE("a directory of which a part cannot be read says so, and gives what it can") {
  Place place;
  place.publish(5);
  fs::remove_all(place.path + "/assignments");
  write(place.path + "/assignments", "a file");
  AssignmentRead read = place.directory.read();
  CHECK(read.error == place.path + "/assignments: Not a directory");
  CHECK(read.assignment->generation == 5);
}

TEST_CASE("nothing is made before it is asked for") {
  TemporaryDirectory root;
  AssignmentDirectory directory(root.path("d"));
  (void)directory.read();
  CHECK_FALSE(fs::exists(root.path("d")));
}

TEST_CASE("reports: written, replaced, refused, removed") {
  Place place;
  CHECK(place.directory.read_reports().reports.empty());
  REQUIRE(place.directory.write_report(some_report("b")).has_value());
  REQUIRE(place.directory.write_report(some_report("a")).has_value());
  CHECK(place.directory.read_reports().reports == std::vector<PodReport>{some_report("a"), some_report("b")});
  PodReport next = some_report("a");
  next.sequence++;
  REQUIRE(place.directory.write_report(next).has_value());
  CHECK(place.directory.read_reports().reports[0] == next);
  write(place.path + "/reports/c.json", "{");
  write(place.path + "/reports/d.json", encode(some_report("a")));
  write(place.path + "/reports/.hidden.json", "{");
  write(place.path + "/reports/note.txt", "{");
  ReportsRead read = place.directory.read_reports();
  CHECK(read.reports.size() == 2);
  REQUIRE(read.rejected.size() == 2);
  CHECK(read.rejected[0].starts_with(place.path + "/reports/c.json: "));
  CHECK(read.rejected[1] == place.path + "/reports/d.json: is the report of \"a\"");
  place.directory.remove_report("a");
  CHECK(place.directory.read_reports().reports == std::vector<PodReport>{some_report("b")});
}

TEST_CASE("reports come by name, also where the names of their files stand in another order") {
  Place place;
  for (const char* name : {"agg", "agg-1", "agg.b"})
    REQUIRE(place.directory.write_report(some_report(name)).has_value());
  CHECK(place.directory.read_reports().reports ==
        std::vector<PodReport>{some_report("agg"), some_report("agg-1"), some_report("agg.b")});
}

TEST_CASE("a pod's name is no path") {
  Place place;
  write(place.path + "/assignment.json", "x");
  for (const char* name : {"", ".", "..", "../assignment", "a/b", ".hidden"}) {
    CHECK_FALSE(place.directory.write_report(some_report(name)).has_value());
    CHECK_FALSE(place.directory.lock_pod(name).has_value());
    CHECK_FALSE(place.directory.request_drain(name, "x").has_value());
    CHECK_FALSE(place.directory.drain_requested(name, "x"));
    place.directory.remove_report(name), place.directory.clear_drain(name);
  }
  CHECK(fs::exists(place.head()));
  CHECK(names(place.path + "/reports").empty());
}

TEST_CASE("one process works under a name") {
  Place place;
  {
    auto lock = place.directory.lock_pod("agg-1");
    REQUIRE(lock.has_value());
    AssignmentDirectory twin(place.path);
    auto second = twin.lock_pod("agg-1");
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().held);
    CHECK(lock->locks_out());
    CHECK(second.error().text.find("another process works as pod \"agg-1\"") != std::string::npos);
    CHECK(twin.lock_pod("agg-2").has_value());
    // The report of a pod that lives may go, its lock may not.
    twin.remove_report("agg-1");
    CHECK_FALSE(twin.lock_pod("agg-1").has_value());
  }
  CHECK(place.directory.lock_pod("agg-1").has_value());
  place.directory.remove_report("agg-1");
  CHECK_FALSE(fs::exists(place.path + "/reports/agg-1.lock"));
  auto lock = place.directory.lock_pod("agg-1");
  REQUIRE(lock.has_value());
  // Somebody removes the file: what holds it locks nobody out any more.
  fs::remove(place.path + "/reports/agg-1.lock");
  CHECK_FALSE(lock->locks_out());
  CHECK(AssignmentDirectory(place.path).lock_pod("agg-1").has_value());
}

TEST_CASE("what could not be read is tried again, though the file does not change") {
  Place place;
  REQUIRE(place.publish(5) == SwapOutcome::kDone);
  for (const char* sub : {"/..", "", "/assignments"}) fs::permissions(place.path + sub, fs::perms::all);
  for (const std::string& file : {place.head(), place.numbered(5)}) fs::permissions(file, fs::perms::none);
  // Nothing is forbidden to root.
  bool root = ::geteuid() == 0;
  if (root) REQUIRE(::seteuid(65534) == 0);
  AssignmentRead before = place.directory.read();
  if (root) REQUIRE(::seteuid(0) == 0);
  CHECK_FALSE(before.assignment);
  CHECK(before.rejected.size() == 2);
  for (const std::string& file : {place.head(), place.numbered(5)}) fs::permissions(file, fs::perms::all);
  CHECK(place.read() == 5);
}

TEST_CASE("a drain request is for one incarnation, or for any") {
  Place place;
  CHECK_FALSE(place.directory.drain_requested("agg-1", "x"));
  REQUIRE(place.directory.request_drain("agg-1", "x").has_value());
  CHECK(place.directory.drain_requested("agg-1", "x"));
  CHECK_FALSE(place.directory.drain_requested("agg-1", "xy"));
  CHECK_FALSE(place.directory.drain_requested("agg-2", "x"));
  REQUIRE(place.directory.request_drain("agg-1", "*").has_value());
  CHECK(place.directory.drain_requested("agg-1", "xy"));
  place.directory.clear_drain("agg-1");
  CHECK_FALSE(place.directory.drain_requested("agg-1", "x"));
  // Written by hand, with or without an end of line.
  write(place.path + "/reports/agg-1.drain", "x");
  CHECK(place.directory.drain_requested("agg-1", "x"));
  write(place.path + "/reports/agg-1.drain", "");
  CHECK_FALSE(place.directory.drain_requested("agg-1", "x"));
}

TEST_CASE("a watch is rung by generations, and by reports if asked for") {
  Place place;
  AssignmentDirectory writer(place.path);
  auto rung = [&] {
    pollfd fd{.fd = place.directory.watch_fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 0);
    return place.directory.drain_watch();
  };
  place.directory.watch(false);
  CHECK_FALSE(rung());
  REQUIRE(writer.compare_and_swap(some_assignment(5), kAnyTime).has_value());
  CHECK(rung());
  REQUIRE(writer.write_report(some_report()).has_value());
  CHECK_FALSE(rung());
  place.directory.watch(true);
  REQUIRE(writer.write_report(some_report()).has_value());
  CHECK(rung());
}
