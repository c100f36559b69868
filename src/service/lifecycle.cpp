#include "service/lifecycle.h"

#include <algorithm>

namespace limpet {

void Lifecycle::flush(MonoTime now) {
  phase_ = Phase::kFlushing;
  stopping_ = progress_ = now;
}

void Lifecycle::on_stdin_end(MonoTime now) {
  if (reading()) flush(now);
}

void Lifecycle::on_sigterm(MonoTime now) {
  if (phase_ != Phase::kRunning) return;
  if (!input_.lines || !input_.is_pipe) return flush(now);
  phase_ = Phase::kDraining;
  since_ = now;
}

void Lifecycle::on_sigint(MonoTime now) {
  // Ctrl-C in Telegraf's terminal reaches its children, too; Telegraf will close stdin.
  if (input_.lines && input_.is_pipe) return;
  if (reading()) flush(now);
}

void Lifecycle::on_stdout_broken() { phase_ = Phase::kEnded; }

void Lifecycle::on_remaining(const Remaining& remaining, MonoTime now) {
  if (!(remaining == last_)) progress_ = now, last_ = remaining;
  bool written = !remaining.engine_pending && remaining.queued_bytes == 0;
  if (phase_ == Phase::kFlushing && written) phase_ = Phase::kEmptying;
  if (phase_ == Phase::kEmptying && remaining.unread_bytes == 0) phase_ = Phase::kLingering, since_ = now;
  tick(now);
}

void Lifecycle::tick(MonoTime now) {
  if (auto due = deadline(); !due || now < *due) return;
  switch (phase_) {
    case Phase::kDraining:
      return flush(now);
    case Phase::kFlushing:
    case Phase::kEmptying:
      gave_up_ = true;
      phase_ = Phase::kEnded;
      return;
    case Phase::kLingering:
      phase_ = Phase::kEnded;
      return;
    case Phase::kRunning:
    case Phase::kEnded:
      return;
  }
}

std::optional<MonoTime> Lifecycle::deadline() const {
  switch (phase_) {
    case Phase::kDraining:
      return MonoTime{since_.ns + kDrainNs};
    case Phase::kFlushing:
    case Phase::kEmptying:
      return MonoTime{std::min(std::max(stopping_.ns + kAimNs, progress_.ns + kStalledNs), stopping_.ns + kAtMostNs)};
    case Phase::kLingering:
      return MonoTime{since_.ns + kLingerNs};
    case Phase::kRunning:
    case Phase::kEnded:
      break;
  }
  return std::nullopt;
}

}  // namespace limpet
