// How many groups there are and how much memory they hold, counted as it changes: whoever asks for metrics must not
// hold up the lines for a walk over a million groups. What sketches hold beside the panes grows with any sample, and to
// count it there would cost each; so a few groups are looked at at each call of advance().
#include "engine/impl.h"

namespace limpet {
namespace {

constexpr size_t kGroupsPerCall = 1024;
constexpr int64_t kRoundEveryNs = 10 * kSecondNs;

}  // namespace

// Call it after any change of the group's panes or slots.
void Engine::Impl::account(Group& group) {
  uint64_t bytes = group.state_bytes();
  group.epoch.state_bytes += bytes - group.accounted_bytes;
  group.epoch.wide |= group.wide();
  group.accounted_bytes = bytes;
}

void Engine::Impl::count_heaps() {
  bool between_rounds = heap_epoch == 0 && heap_group == 0 && heaps_counted_ns != INT64_MIN;
  if (between_rounds && clock_ns >= heaps_counted_ns && clock_ns - heaps_counted_ns < kRoundEveryNs) return;
  heaps_counted_ns = clock_ns;
  for (size_t n = 0; n < kGroupsPerCall; n++) {
    while (heap_epoch < epochs.size() && (!epochs[heap_epoch]->wide || heap_group >= epochs[heap_epoch]->groups.size()))
      heap_epoch++, heap_group = 0;
    if (heap_epoch >= epochs.size()) return void(heap_epoch = heap_group = 0);
    Group& group = *epochs[heap_epoch]->groups[heap_group++];
    group.count_heap();
    account(group);
  }
}

const Ledger& Engine::Impl::refreshed_ledger() {
  for (auto& state : states) {
    uint64_t groups = 0, bytes = 0;
    for (const auto& epoch : state->epochs) groups += epoch->active_groups, bytes += epoch->state_bytes;
    state->ledger.groups = groups;
    state->ledger.state_bytes = bytes + state->counted_bytes();
  }
  return ledger;
}

std::map<std::string, StateCount> Engine::Impl::walk_state() const {
  std::map<std::string, StateCount> all;
  for (const auto& state : states) {
    StateCount& count = all[state->name];
    count.bytes = state->counted_bytes();
    for (const auto& epoch : state->epochs) {
      for (const Group* group : epoch->groups) {
        count.groups += group->active() && !group->overflow;
        count.bytes += group->walk_state_bytes();
      }
    }
  }
  return all;
}

}  // namespace limpet
