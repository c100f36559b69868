#include "sharding/ownership.h"

#include <doctest/doctest.h>

using namespace limpet;

namespace {

constexpr uint64_t kHalf = uint64_t{1} << 63;

// Two slices: [0, half) of `first`, the rest of `second`.
Assignment halves(uint64_t generation, const std::string& first, const std::string& second, int64_t first_cutover_s = 0,
                  int64_t second_cutover_s = 0) {
  Assignment a;
  a.generation = generation;
  a.pods = {{.name = "a", .incarnation = "1"}, {.name = "b", .incarnation = "1"}, {.name = "c", .incarnation = "1"}};
  auto index = [&](const std::string& name) { return static_cast<uint32_t>(a.find_pod(name)); };
  a.slices.low = {0, kHalf};
  a.slices.owner = {index(first), index(second)};
  a.slices.standby = {kNoPod, kNoPod};
  a.slices.since = {1, 1};
  a.slices.cutover_s = {first_cutover_s, second_cutover_s};
  return a;
}

Move move(uint64_t low, uint64_t high, int64_t cutover_s, const std::string& from, const std::string& to,
          MoveCause cause = MoveCause::kBalance) {
  return {low, high, cutover_s - (cause == MoveCause::kDeath ? 0 : 10), cutover_s, cause, from, to};
}

WallTime at(int64_t s) { return {s * kSecondNs}; }
bool window(const Tenure& t, int64_t begin_s, int64_t end_s) {
  return t.owns_window(begin_s * kSecondNs, end_s * kSecondNs);
}

}  // namespace

TEST_CASE("who is not named, or has read nothing, owns nothing") {
  CHECK(Ownership().tenure_of(7).empty());
  CHECK(Ownership().slices() == 0);
  OwnershipTracker stranger("x");
  auto owned = stranger.adopt(halves(1, "a", "b"), at(100));
  CHECK(owned->generation() == 1);
  CHECK(owned->owned() == 0);
  CHECK(owned->tenure_of(0).empty());
  CHECK_FALSE(owned->concerns(0));
}

TEST_CASE("what nobody had before is owned from ever") {
  auto owned = OwnershipTracker("a").adopt(halves(1, "a", "b"), at(100));
  CHECK(window(owned->tenure_of(5), 0, 10));
  CHECK(owned->tenure_of(5).owns_line(-1));
  CHECK(owned->tenure_of(kHalf).empty());
  CHECK(owned->slice_of(kHalf) == 1);
  CHECK(owned->owned() == 1);
}

TEST_CASE("a window belongs to the owner at its start") {
  OwnershipTracker a("a"), b("b");
  a.adopt(halves(1, "a", "b"), at(100));
  b.adopt(halves(1, "a", "b"), at(100));
  Assignment next = halves(2, "b", "b", 210);
  next.moved = {move(0, kHalf, 210, "a", "b")};
  auto of_a = a.adopt(next, at(201)), of_b = b.adopt(next, at(202));
  for (int64_t begin = 190; begin < 230; begin += 5) {
    CHECK(window(of_a->tenure_of(5), begin, begin + 20) == (begin < 210));
    CHECK(window(of_b->tenure_of(5), begin, begin + 20) == (begin >= 210));
  }
  CHECK(of_a->tenure_of(5).owns_line(at(209).ns));
  CHECK_FALSE(of_a->tenure_of(5).owns_line(at(210).ns));
  CHECK(of_a->owned() == 0);
  CHECK(of_a->concerns(0));
  CHECK(of_a->last_given_up_ns() == at(210).ns);
  CHECK(of_b->tenure_of(5).intervals().back().since_ns == at(202).ns);
  CHECK(of_b->owned() == 2);
  // Later generations change nothing of it.
  next.generation = 3;
  CHECK(b.adopt(next, at(300))->tenure_of(5) == of_b->tenure_of(5));
}

TEST_CASE("generations in between may be missed: the file names the moves") {
  OwnershipTracker b("b");
  b.adopt(halves(1, "a", "a"), at(100));
  Assignment next = halves(9, "c", "a", 225);
  next.moved = {move(0, kHalf, 210, "a", "b"), move(0, kHalf, 225, "b", "c")};
  const Tenure tenure = b.adopt(next, at(216))->tenure_of(5);
  CHECK_FALSE(window(tenure, 205, 215));
  CHECK(window(tenure, 210, 220));
  CHECK(window(tenure, 220, 230));
  CHECK_FALSE(window(tenure, 225, 235));
}

TEST_CASE("who comes back has two times, and what lies between is another's") {
  OwnershipTracker a("a");
  a.adopt(halves(1, "a", "b"), at(100));
  Assignment away = halves(2, "b", "b", 210);
  away.moved = {move(0, kHalf, 210, "a", "b")};
  a.adopt(away, at(200));
  Assignment back = halves(3, "a", "b", 250);
  back.moved = {away.moved[0], move(0, kHalf, 250, "b", "a")};
  const Tenure tenure = a.adopt(back, at(241))->tenure_of(5);
  CHECK(window(tenure, 209, 219));
  CHECK_FALSE(window(tenure, 210, 220));
  CHECK_FALSE(window(tenure, 249, 259));
  CHECK(window(tenure, 250, 260));
  CHECK(tenure.intervals()[0].since_ns == at(100).ns);
  CHECK(tenure.intervals()[1].since_ns == at(241).ns);
}

TEST_CASE("a death: the heir has the windows in progress, the dead one nothing") {
  OwnershipTracker a("a"), b("b");
  a.adopt(halves(1, "a", "b"), at(100));
  b.adopt(halves(1, "a", "b"), at(100));
  Assignment next = halves(2, "b", "b", 300);
  next.moved = {move(0, kHalf, 300, "a", "b", MoveCause::kDeath)};
  const Tenure heir = b.adopt(next, at(301))->tenure_of(5), dead = a.adopt(next, at(360))->tenure_of(5);
  CHECK(dead.empty());
  CHECK(window(heir, 295, 305));
  CHECK_FALSE(window(heir, 290, 300));
  CHECK(heir.owns_line(at(250).ns));
  CHECK(heir.intervals()[0].since_ns == at(301).ns);
}

TEST_CASE("moves that the file does not name, or not mention, are concluded from the file before") {
  for (bool mentioned : {true, false}) {
    OwnershipTracker a("a"), b("b");
    a.adopt(halves(1, "a", "b"), at(100));
    b.adopt(halves(1, "a", "b"), at(100));
    Assignment next = halves(2, "b", "b", 210);
    if (mentioned) next.moved = {move(0, kHalf, 210, "", "")};
    auto of_a = a.adopt(next, at(201)), of_b = b.adopt(next, at(202));
    for (int64_t begin = 190; begin < 230; begin += 5) {
      CHECK(window(of_a->tenure_of(5), begin, begin + 20) == (begin < 210));
      CHECK(window(of_b->tenure_of(5), begin, begin + 20) == (begin >= 210));
    }
    CHECK(of_a->last_given_up_ns() == at(210).ns);
    CHECK(of_a->tenure_of(kHalf).empty());
    // And back: the former windows are still finished, and the slice splits meanwhile.
    Assignment back = halves(3, "a", "b", 240);
    back.slices = {.low = {0, kHalf / 2, kHalf},
                   .owner = {0, 0, 1},
                   .standby = {kNoPod, kNoPod, kNoPod},
                   .since = {3, 3, 1},
                   .cutover_s = {240, 240, 0}};
    back.moved = next.moved;
    of_a = a.adopt(back, at(231)), of_b = b.adopt(back, at(231));
    for (uint64_t key : {uint64_t{5}, kHalf - 1})
      for (int64_t begin = 190; begin < 260; begin += 5) {
        CHECK(window(of_a->tenure_of(key), begin, begin + 20) == (begin < 210 || begin >= 240));
        CHECK(window(of_b->tenure_of(key), begin, begin + 20) == (begin >= 210 && begin < 240));
      }
  }
}

TEST_CASE("a death between whom the file does not say") {
  for (bool by_state : {false, true}) {
    OwnershipTracker a("a"), b("b");
    a.adopt(halves(1, "a", "b", 250), at(100));
    b.adopt(halves(1, "a", "b", 250), at(100));
    Assignment next = halves(2, "b", "b", 300);
    next.created_s = 300;
    next.moved = {move(0, kHalf, 300, "", "", MoveCause::kDeath)};
    // A pod that is dead has not given it away.
    if (by_state) next.pods[0].state = PodState::kDead, next.moved.clear();
    const Tenure heir = b.adopt(next, at(301))->tenure_of(5);
    CHECK(a.adopt(next, at(360))->tenure_of(5).empty());
    CHECK(window(heir, 295, 305));
    CHECK_FALSE(window(heir, 290, 300));
    CHECK_FALSE(window(heir, 245, 305));  // was not the dead one's either
  }
}

TEST_CASE("times beyond what nanoseconds can say come never") {
  for (int64_t cutover_s : {int64_t{9'223'372'037}, int64_t{253'402'300'799}}) {
    auto owned = OwnershipTracker("a").adopt(halves(1, "a", "b", cutover_s), at(100));
    CHECK(owned->tenure_of(5).current());
    CHECK_FALSE(owned->tenure_of(5).owns_line(at(9'000'000'000).ns));
  }
}

TEST_CASE("an heir has no windows that the dead one never had") {
  OwnershipTracker c("c");
  c.adopt(halves(1, "a", "b"), at(100));
  Assignment next = halves(5, "c", "b", 225);
  // a gave it to b, which died while a still finished.
  next.moved = {move(0, kHalf, 210, "a", "b"), move(0, kHalf, 225, "b", "c", MoveCause::kDeath)};
  const Tenure heir = c.adopt(next, at(226))->tenure_of(5);
  CHECK_FALSE(window(heir, 205, 265));
  CHECK(window(heir, 210, 270));
  CHECK_FALSE(window(heir, 210, 225));
  CHECK_FALSE(heir.owns_line(at(209).ns));
  // Of a chain of deaths it has what the first of them had.
  Assignment chain = halves(9, "c", "b", 230);
  chain.moved = {move(0, kHalf, 210, "a", "b"), move(0, kHalf, 225, "b", "d", MoveCause::kDeath),
                 move(0, kHalf, 230, "d", "c", MoveCause::kDeath)};
  const Tenure last = OwnershipTracker("c").adopt(chain, at(231))->tenure_of(5);
  CHECK_FALSE(window(last, 209, 269));
  CHECK(window(last, 210, 270));
}

TEST_CASE("a slice that goes to and fro with one cutover") {
  OwnershipTracker a("a"), b("b");
  a.adopt(halves(1, "a", "b"), at(100)), b.adopt(halves(1, "a", "b"), at(100));
  Assignment next = halves(2, "b", "b", 210);
  next.moved = {move(0, kHalf, 210, "a", "b")};
  next.moved[0].at_s = 200;
  a.adopt(next, at(200)), b.adopt(next, at(200));
  // b dies before it begins, and is back before a, which is taken for dead then.
  Assignment back = halves(3, "a", "b", 210);
  back.moved = {next.moved[0], move(0, kHalf, 210, "b", "a", MoveCause::kDeath)};
  back.moved[1].at_s = 202;
  CHECK(a.adopt(back, at(202))->tenure_of(5).current());
  CHECK_FALSE(b.adopt(back, at(202))->tenure_of(5).current());
  Assignment again = halves(4, "b", "b", 210);
  again.moved = {back.moved[0], back.moved[1], move(0, kHalf, 210, "a", "b", MoveCause::kDeath)};
  again.moved[2].at_s = 208;
  const Tenure former = a.adopt(again, at(208))->tenure_of(5), owner = b.adopt(again, at(208))->tenure_of(5);
  CHECK(owner.current());
  for (int64_t begin = 210; begin < 300; begin += 10) {
    CHECK(window(owner, begin, begin + 10));
    CHECK_FALSE(window(former, begin, begin + 10));
  }
}

TEST_CASE("moves outlive the hour that the file remembers them") {
  OwnershipTracker a("a");
  a.adopt(halves(1, "a", "b"), at(100));
  Assignment next = halves(2, "b", "b", 210);
  next.moved = {move(0, kHalf, 210, "a", "b")};
  a.adopt(next, at(200));
  next.generation = 3;
  next.moved.clear();
  CHECK(window(a.adopt(next, at(5000))->tenure_of(5), 200, 10'000));
  next.generation = 4;
  CHECK(a.adopt(next, at(100'000))->tenure_of(5).empty());
}

TEST_CASE("slices that are split or merged keep their time") {
  OwnershipTracker a("a");
  a.adopt(halves(1, "a", "a"), at(100));
  Assignment split = halves(2, "a", "b", 0, 0);
  split.slices = {.low = {0, 100, kHalf, kHalf + 9},
                  .owner = {0, 1, 0, 1},
                  .standby = {kNoPod, kNoPod, kNoPod, kNoPod},
                  .since = {1, 2, 1, 2},
                  .cutover_s = {0, 210, 0, 210}};
  split.moved = {move(100, kHalf, 210, "a", "b"), move(kHalf + 9, 0, 210, "a", "b")};
  auto owned = a.adopt(split, at(200));
  CHECK(owned->owned() == 2);
  for (uint64_t key : {uint64_t{0}, uint64_t{99}, kHalf, kHalf + 8}) CHECK(owned->tenure_of(key).current());
  for (uint64_t key : {uint64_t{100}, kHalf - 1, kHalf + 9, UINT64_MAX}) {
    CHECK_FALSE(owned->tenure_of(key).current());
    CHECK(window(owned->tenure_of(key), 209, 500));
  }
  CHECK(owned->tenure_of(0).intervals()[0].since_ns == at(100).ns);
}
