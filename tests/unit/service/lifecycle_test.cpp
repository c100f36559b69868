#include "service/lifecycle.h"

#include <doctest/doctest.h>

using namespace limpet;
using Phase = Lifecycle::Phase;

namespace {

constexpr MonoTime at(double seconds) { return {static_cast<int64_t>(seconds * 1e9)}; }

constexpr Lifecycle::Input kTelegraf = {.lines = true, .is_pipe = true};
constexpr Lifecycle::Input kService = {.lines = false, .is_pipe = false};  // stdin is /dev/null
constexpr Lifecycle::Input kServiceOfTelegraf = {.lines = false, .is_pipe = true};
constexpr Lifecycle::Input kTerminal = {.lines = true, .is_pipe = false};

}  // namespace

TEST_CASE("the end of stdin stops: written, taken by the reader, a short wait, the end") {
  Lifecycle l(kTelegraf);
  CHECK(l.reading());
  CHECK(!l.deadline());
  l.on_stdin_end(at(100));
  CHECK(l.phase() == Phase::kFlushing);
  CHECK(!l.reading());
  l.on_remaining({.engine_pending = true, .queued_bytes = 10, .unread_bytes = 0}, at(100));
  CHECK(l.phase() == Phase::kFlushing);
  l.on_remaining({.engine_pending = false, .queued_bytes = 0, .unread_bytes = 10}, at(100.1));
  CHECK(l.phase() == Phase::kEmptying);
  l.on_remaining({.engine_pending = false, .queued_bytes = 0, .unread_bytes = 1}, at(100.2));
  CHECK(l.phase() == Phase::kEmptying);
  l.on_remaining({}, at(100.3));
  CHECK(l.phase() == Phase::kLingering);
  CHECK(*l.deadline() == at(100.33));
  l.tick(at(100.32));
  CHECK(l.phase() == Phase::kLingering);
  l.tick(at(100.331));
  CHECK(l.phase() == Phase::kEnded);
  CHECK(!l.gave_up());
}

TEST_CASE("a reader that is stuck gets four seconds") {
  Lifecycle l(kTelegraf);
  l.on_stdin_end(at(0));
  for (double t = 0; t < 3.9; t += 0.1)
    l.on_remaining({.engine_pending = false, .queued_bytes = 500, .unread_bytes = 9}, at(t));
  CHECK(l.phase() == Phase::kFlushing);
  l.on_remaining({.engine_pending = false, .queued_bytes = 500, .unread_bytes = 9}, at(4.01));
  CHECK(l.phase() == Phase::kEnded);
  CHECK(l.gave_up());
}

TEST_CASE("a slow reader that still takes something gets nine seconds") {
  Lifecycle l(kTelegraf);
  l.on_stdin_end(at(0));
  size_t bytes = 1'000'000;
  for (double t = 0; t < 8.95; t += 0.1) {
    l.on_remaining({.engine_pending = true, .queued_bytes = bytes -= 10, .unread_bytes = 0}, at(t));
    REQUIRE(l.phase() == Phase::kFlushing);
  }
  l.on_remaining({.engine_pending = true, .queued_bytes = 5, .unread_bytes = 0}, at(9.01));
  CHECK(l.phase() == Phase::kEnded);
  CHECK(l.gave_up());
}

TEST_CASE("a reader that gets stuck after the fourth second has one more") {
  Lifecycle l(kTelegraf);
  l.on_stdin_end(at(0));
  for (double t = 0; t < 5; t += 0.1)
    l.on_remaining({.engine_pending = false, .queued_bytes = 0, .unread_bytes = size_t(9000 - t * 10)}, at(t));
  CHECK(l.phase() == Phase::kEmptying);
  l.tick(at(6.1));
  CHECK(l.phase() == Phase::kEnded);
}

TEST_CASE("SIGTERM first means: read on to the end of stdin") {
  Lifecycle l(kTelegraf);
  l.on_sigterm(at(0));
  CHECK(l.phase() == Phase::kDraining);
  CHECK(l.reading());
  l.on_sigterm(at(5));
  l.tick(at(20));
  CHECK(l.phase() == Phase::kDraining);
  l.on_stdin_end(at(21));
  CHECK(l.phase() == Phase::kFlushing);
}

TEST_CASE("SIGTERM first and stdin never ends: thirty seconds, counted from the first") {
  Lifecycle l(kTelegraf);
  l.on_sigterm(at(0));
  l.on_sigterm(at(29));
  CHECK(*l.deadline() == at(30));
  l.tick(at(30.01));
  CHECK(l.phase() == Phase::kFlushing);
  CHECK(l.deadline()->ns - at(30.01).ns == Lifecycle::kAimNs);
}

TEST_CASE("SIGTERM after the end of stdin does not cut the stop short") {
  Lifecycle l(kTelegraf);
  l.on_stdin_end(at(0));
  l.on_remaining({.engine_pending = false, .queued_bytes = 10, .unread_bytes = 0}, at(4.9));
  l.on_sigterm(at(5));
  CHECK(l.phase() == Phase::kFlushing);
}

TEST_CASE("SIGINT with a pipe on stdin is ignored") {
  Lifecycle l(kTelegraf);
  l.on_sigint(at(0));
  CHECK(l.phase() == Phase::kRunning);
}

TEST_CASE("SIGINT and SIGTERM stop a service at once, and one at a terminal") {
  for (Lifecycle::Input input : {kService, kServiceOfTelegraf, kTerminal}) {
    Lifecycle a(input), b(input);
    a.on_sigint(at(0));
    b.on_sigterm(at(0));
    CHECK(a.phase() == Phase::kFlushing);
    CHECK(b.phase() == Phase::kFlushing);
  }
}

TEST_CASE("the end of a pipe stops a service, too") {
  Lifecycle l(kServiceOfTelegraf);
  l.on_stdin_end(at(0));
  CHECK(l.phase() == Phase::kFlushing);
}

TEST_CASE("nobody reads stdout any more: the end, quietly") {
  Lifecycle l(kTelegraf);
  l.on_stdout_broken();
  CHECK(l.phase() == Phase::kEnded);
  CHECK(!l.gave_up());
}
