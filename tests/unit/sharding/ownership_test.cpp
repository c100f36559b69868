#include "sharding/ownership.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

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
  CHECK(owned->tenure_of(5).owns_line(-1, at(100).ns));
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
  CHECK(of_a->tenure_of(5).owns_line(at(209).ns, at(211).ns));
  CHECK_FALSE(of_a->tenure_of(5).owns_line(at(210).ns, at(211).ns));
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
  CHECK(heir.owns_line(at(250).ns, at(301).ns));
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
    CHECK_FALSE(owned->tenure_of(5).owns_line(at(9'000'000'000).ns, at(100).ns));
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
  CHECK_FALSE(heir.owns_line(at(209).ns, at(226).ns));
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

TEST_CASE("lines from before a cutover are the former owner's for an hour, or until it is gone") {
  auto owns = [](const std::shared_ptr<const Ownership>& o, int64_t line_s, int64_t now_s) {
    return o->tenure_of(5).owns_line(at(line_s).ns, at(now_s).ns);
  };
  OwnershipTracker a("a"), b("b"), c("c");
  for (OwnershipTracker* pod : {&a, &b, &c}) pod->adopt(halves(1, "a", "a"), at(100));
  Assignment next = halves(2, "b", "a", 10'010);
  next.moved = {move(0, kHalf, 10'010, "a", "b")};
  auto of_a = a.adopt(next, at(10'001)), of_b = b.adopt(next, at(10'001));
  for (int64_t line_s : {0, 5'000, 10'009, 10'010, 13'000})
    for (int64_t now_s : {10'011, 13'609, 13'610, 20'000}) {
      CHECK(owns(of_a, line_s, now_s) == (line_s < 10'010 && now_s < 13'610));
      CHECK(owns(of_b, line_s, now_s) == !owns(of_a, line_s, now_s));
    }
  // A process that knows only a file without the move.
  next.moved.clear(), next.generation = 3;
  CHECK(owns(OwnershipTracker("b").adopt(next, at(20'000)), 9'000, 20'000));
  SUBCASE("it stopped") {
    next.moved = {move(0, kHalf, 10'010, "a", "b")};
    next.pods[0].state = PodState::kDrained;
    CHECK(owns(b.adopt(next, at(10'020)), 9'000, 10'021));
    of_a = a.adopt(next, at(10'020));
    CHECK_FALSE(of_a->owns_line(5, at(9'000).ns, at(10'021).ns));
    next.pods[0].state = PodState::kReady, next.generation = 4;
    CHECK_FALSE(owns(b.adopt(next, at(10'030)), 9'000, 10'031));
  }
  SUBCASE("it stopped, and had what was another's") {
    Assignment chain = halves(3, "c", "a", 10'100);
    chain.moved = {move(0, kHalf, 10'010, "a", "b"), move(0, kHalf, 10'100, "b", "c")};
    chain.pods[1].state = PodState::kDead;
    auto of_c = c.adopt(chain, at(10'091));
    of_a = a.adopt(chain, at(10'091));
    for (int64_t line_s : {9'000, 10'009, 10'010, 10'099, 10'100})
      CHECK(owns(of_c, line_s, 10'101) == !owns(of_a, line_s, 10'101));
    CHECK(owns(of_c, 10'010, 10'101));
    chain.pods[0].state = PodState::kDead, chain.generation = 4;
    CHECK(owns(c.adopt(chain, at(10'110)), 9'000, 10'111));
  }
}

TEST_CASE("windows that are longer than a day are finished by the former owner") {
  OwnershipTracker a("a");
  a.keep_moves(72 * kHourNs);
  a.adopt(halves(1, "a", "b"), at(100));
  Assignment next = halves(2, "b", "b", 210);
  next.moved = {move(0, kHalf, 210, "a", "b")};
  a.adopt(next, at(200));
  next.moved.clear(), next.generation = 3;
  CHECK(window(a.adopt(next, at(30 * 3600))->tenure_of(5), 200, 200 + 48 * 3600));
  next.generation = 4;
  CHECK(a.adopt(next, at(80 * 3600))->tenure_of(5).empty());
}

TEST_CASE("a day after a death its heir has what it had") {
  OwnershipTracker b("b");
  b.adopt(halves(1, "a", "b"), at(100));
  Assignment next = halves(2, "b", "b", 300);
  next.moved = {move(0, kHalf, 300, "a", "b", MoveCause::kDeath)};
  const Tenure heir = b.adopt(next, at(301))->tenure_of(5);
  next.moved.clear(), next.generation = 3;
  CHECK(b.adopt(next, at(100'000))->tenure_of(5) == heir);
  // And so has who loses it then, until it is finished.
  Assignment lost = halves(4, "c", "b", 200'010);
  lost.moved = {move(0, kHalf, 200'010, "b", "c")};
  for (int64_t now_s : {200'001, 200'020}) {
    const Tenure former = b.adopt(lost, at(now_s))->tenure_of(5);
    CHECK(former.intervals().size() == 1);
    CHECK(former.intervals()[0].since_ns == at(301).ns);
    CHECK(former.intervals()[0].to_ns == at(200'010).ns);
    lost.generation++;
  }
}

// Slices move, are split and joined for hours, as the planner may; what the file forgot after an hour the pods know.
TEST_CASE("each window and each line is one pod's, through moves, splits and joins") {
  constexpr uint64_t kKeys = 32;
  const std::vector<std::string> names{"a", "b", "c"};
  for (uint32_t seed = 0; seed < 200; seed++) {
    CAPTURE(seed);
    std::mt19937 r(seed);
    auto random = [&](uint64_t n) { return r() % n; };
    struct Slice {
      uint64_t low;
      uint32_t owner;
      uint64_t since;
      int64_t cutover_s;
    };
    std::vector<Slice> slices;
    for (uint64_t i = 0; i < 4; i++) slices.push_back({i * (kKeys / 4), static_cast<uint32_t>(random(3)), 1, 0});
    std::vector<Move> moved;
    std::vector<OwnershipTracker> pods;
    for (const std::string& name : names) pods.emplace_back(name, 2 * kHourNs);
    std::vector<std::shared_ptr<const Ownership>> owned(3);
    // By key: since when its owner has it, as that one knows.
    std::vector<int64_t> since_s(kKeys, 1000);
    int64_t now_s = 1000;
    for (uint64_t generation = 1; generation < 60;
         generation++, now_s += 20 + static_cast<int64_t>(random(10) ? random(300) : random(9000))) {
      auto high = [&](size_t i) { return i + 1 < slices.size() ? slices[i + 1].low : 0; };
      auto at_rest = [&](size_t i) { return slices[i].cutover_s + 3600 < now_s; };
      std::erase_if(moved, [&](const Move& m) { return m.at_s + 3600 < now_s; });
      for (size_t i = 0; i < slices.size() && generation > 1; i++) {
        uint64_t end = high(i) ? high(i) : kKeys;
        if (random(6) == 0 && end - slices[i].low > 1) {  // split
          Slice upper = slices[i];
          upper.low += (end - slices[i].low) / 2;
          slices.insert(slices.begin() + static_cast<ptrdiff_t>(i) + 1, upper);
        }
        while (random(2) == 0 && i + 1 < slices.size() && slices[i].owner == slices[i + 1].owner && at_rest(i) &&
               at_rest(i + 1)) {
          slices[i].since = std::max(slices[i].since, slices[i + 1].since);
          slices[i].cutover_s = std::max(slices[i].cutover_s, slices[i + 1].cutover_s);
          slices.erase(slices.begin() + static_cast<ptrdiff_t>(i) + 1);
        }
        if (random(20) == 0 && slices[i].cutover_s + 300 < now_s) {
          auto to = static_cast<uint32_t>((slices[i].owner + 1 + random(2)) % 3);
          moved.push_back(
              {slices[i].low, high(i), now_s, now_s + 10, MoveCause::kBalance, names[slices[i].owner], names[to]});
          slices[i].owner = to, slices[i].since = generation, slices[i].cutover_s = now_s + 10;
          for (uint64_t key = slices[i].low; key < (high(i) ? high(i) : kKeys); key++) since_s[key] = now_s;
        }
      }
      Assignment next;
      next.generation = generation;
      for (const std::string& name : names) next.pods.push_back({.name = name, .incarnation = "1"});
      for (const Slice& s : slices) {
        next.slices.low.push_back(s.low), next.slices.owner.push_back(s.owner), next.slices.standby.push_back(kNoPod);
        next.slices.since.push_back(s.since), next.slices.cutover_s.push_back(s.cutover_s);
      }
      next.moved = moved;
      for (size_t p = 0; p < 3; p++) owned[p] = pods[p].adopt(next, at(now_s));
      for (uint64_t key = 0; key < kKeys; key++) {
        for (int n = 0; n < 8; n++) {
          int64_t begin = 1000 + static_cast<int64_t>(random(static_cast<uint64_t>(now_s - 900)));
          int64_t length = n % 2 ? 60 : 3000;
          size_t owners = 0, writers = 0;
          for (const auto& o : owned) {
            owners += window(o->tenure_of(key), begin, begin + length);
            writers += o->tenure_of(key).owns_line(at(begin).ns, at(now_s).ns);
          }
          if (begin > now_s - 7000) CHECK(owners == 1);  // the older ones are done
          CHECK(writers == 1);
        }
        size_t slice = owned[0]->slice_of(key);
        const Tenure& tenure = owned[next.slices.owner[slice]]->tenure_of(key);
        REQUIRE(tenure.current());
        int64_t known_s = tenure.intervals().back().since_ns / kSecondNs;
        CHECK((known_s == since_s[key] || std::max(known_s, since_s[key]) < now_s - 7200));
      }
    }
  }
}

TEST_CASE("old lines where the file does not name every move") {
  auto of = [](const std::string& pod, const std::string& owner, std::vector<Move> moved,
               std::map<std::string, PodState> states) {
    Assignment file = halves(7, owner, owner, moved.back().cutover_s);
    for (AssignedPod& each : file.pods)
      if (states.contains(each.name)) each.state = states[each.name];
    file.moved = std::move(moved);
    return OwnershipTracker(pod).adopt(file, at(500));
  };
  auto writers = [&](const std::string& owner, std::vector<Move> moved, std::map<std::string, PodState> states,
                     int64_t line_s) {
    std::string text;
    for (const char* pod : {"a", "b", "c"})
      if (of(pod, owner, moved, states)->owns_line(5, at(line_s).ns, at(500).ns)) text += pod;
    return text;
  };
  // b dies before it begins: both moves have one cutover, and a has the lines from before.
  Move given = move(0, kHalf, 210, "a", "b"), death = move(0, kHalf, 210, "b", "c", MoveCause::kDeath);
  for (int64_t line_s : {100, 209, 210, 499}) {
    CHECK(writers("c", {given, death}, {{"b", PodState::kDead}}, line_s) == (line_s < 210 ? "a" : "c"));
    CHECK(writers("c", {given, death}, {{"a", PodState::kDead}, {"b", PodState::kDead}}, line_s) == "c");
  }
  // How the dead one came to it is left out: a gave it away before, and who had it in between does not matter.
  for (int64_t line_s : {100, 209, 210, 399, 400})
    CHECK(writers("c", {given, move(0, kHalf, 400, "d", "c", MoveCause::kDeath)}, {}, line_s) ==
          (line_s < 210 ? "a" : "c"));
  // b lost what it had got in a way that is left out: not those from before it was a's.
  for (int64_t line_s : {100, 209, 210, 399, 400})
    CHECK(writers("c", {given, move(0, kHalf, 400, "b", "c")}, {}, line_s) == (line_s < 210   ? "a"
                                                                               : line_s < 400 ? "b"
                                                                                              : "c"));
}
