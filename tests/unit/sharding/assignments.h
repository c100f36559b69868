// Assignments and reports for tests: small ones that fill every member, and random ones.
#pragma once

#include <random>
#include <set>
#include <string>

#include "sharding/assignment.h"
#include "sharding/report.h"

namespace limpet {

inline PodReport some_report(const std::string& name = "agg-1") {
  PodReport p;
  p.name = name, p.incarnation = "9b1c", p.sequence = 7, p.address = "10.0.3.4:8087", p.zone = "a", p.host = "n12";
  p.revision = "5d9f", p.weight = 1.5, p.rules = "0f3c", p.started_s = 1763640000, p.capacity = 2, p.cpu = 0.25;
  p.memory = 50'000'000, p.memory_limit = 1'000'000'000, p.state = PodState::kReady, p.generation = 4182;
  p.slices = {{.low = 0, .samples_per_s = 1200.5, .cpu = 0.1, .state_bytes = 40000, .groups = 120},
              {.low = UINT64_MAX, .samples_per_s = 0, .cpu = 1e-9, .state_bytes = UINT64_MAX, .groups = 0}};
  p.hot_keys = {{.key = 0x3fa1, .samples_per_s = 900, .cpu = 0.07}};
  p.handoffs = {{.low = 1, .high = 0, .from_name = "agg-0", .from_incarnation = "x", .generation = 4182}};
  return p;
}

inline Assignment some_assignment(uint64_t generation = 4182) {
  Assignment a;
  a.generation = generation, a.created_s = 1763640000, a.cause = {"drain agg-17"};
  a.pods = {{.name = "agg-17",
             .incarnation = "9b1c",
             .address = "10.0.3.4:8087",
             .zone = "a",
             .host = "n12",
             .revision = "5d9f",
             .weight = 0.5,
             .state = PodState::kDraining,
             .since_s = 1763639990},
            {.name = "agg-3", .incarnation = "77aa", .address = "10.0.3.5:8087", .zone = "b"}};
  a.slices = {.low = {0, 0x0040000000000000, 0x0080000000000000},
              .owner = {0, 1, 0},
              .standby = {1, kNoPod, 1},
              .since = {generation - 1, generation, 0},
              .cutover_s = {0, 1763640010, 0}};
  a.handoffs = {{.low = 0x0040000000000000,
                 .high = 0x0080000000000000,
                 .from_name = "agg-17",
                 .from_incarnation = "9b1c",
                 .generation = generation}};
  a.moved = {{.low = 0x0040000000000000,
              .high = 0x0080000000000000,
              .at_s = 1763640000,
              .cutover_s = 1763640010,
              .cause = MoveCause::kDrain,
              .from = "agg-17",
              .to = "agg-3"},
             {.low = 0x0080000000000000,
              .high = 0,
              .at_s = 1763640001,
              .cutover_s = 1763640001,
              .cause = MoveCause::kBalance,
              .from = {},
              .to = {}}};
  return a;
}

// Sound, of up to 40 pods and 300 slices, with texts that need care.
inline Assignment random_assignment(std::mt19937_64& r) {
  constexpr const char* kTexts[] = {"", "a", "\"\\\n\t\x01", "zön€", "𝄞", "10.0.3.4:8087"};
  auto text = [&] { return std::string(kTexts[r() % std::size(kTexts)]); };
  auto seconds = [&] { return static_cast<int64_t>(r() % 253'402'300'800); };
  Assignment a;
  a.cluster = text(), a.generation = 1 + r() % ((uint64_t{1} << 53) - 1), a.created_s = seconds();
  for (size_t n = r() % 3; n > 0; n--) a.cause.push_back(text());
  std::set<std::string> names{"one"};
  for (size_t n = r() % 40; n > 0; n--) names.insert("agg-" + std::to_string(r() % 1000));
  for (const std::string& name : names)
    a.pods.push_back({.name = name,
                      .incarnation = text(),
                      .address = text(),
                      .zone = text(),
                      .host = text(),
                      .revision = text(),
                      .weight = r() % 2 ? 1 : static_cast<double>(r() % 1000) / 7,
                      .state = PodState(r() % 5),
                      .since_s = r() % 2 ? seconds() : 0});
  std::set<uint64_t> lows{0};
  for (size_t n = r() % 300; n > 0; n--) lows.insert(r() >> (r() % 64));
  auto pods = static_cast<int32_t>(a.pods.size());
  for (uint64_t low : lows) {
    auto owner = static_cast<int32_t>(r() % a.pods.size()), standby = static_cast<int32_t>(r() % a.pods.size());
    a.slices.low.push_back(low);
    a.slices.owner.push_back(static_cast<uint32_t>(owner));
    a.slices.standby.push_back(pods == 1 || standby == owner ? kNoPod : standby);
    a.slices.since.push_back(r() % (a.generation + 1));
    a.slices.cutover_s.push_back(seconds());
  }
  auto range = [&](uint64_t& low, uint64_t& high) {
    low = r(), high = r() % 3 == 0 || low >= UINT64_MAX - 1 ? 0 : low + 1 + r() % (UINT64_MAX - low);
  };
  for (size_t n = r() % 4; n > 0; n--) {
    Handoff h{.from_name = "agg-9", .from_incarnation = text(), .generation = 1 + r() % 1000};
    range(h.low, h.high);
    a.handoffs.push_back(h);
  }
  for (size_t n = r() % 4; n > 0; n--) {
    Move m{.at_s = seconds(), .cutover_s = seconds(), .cause = MoveCause(r() % 5), .from = text(), .to = text()};
    range(m.low, m.high);
    a.moved.push_back(m);
  }
  return a;
}

}  // namespace limpet
