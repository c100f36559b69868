#include "placements/placement.h"

namespace limpet::sim {

std::vector<Scheme> all_schemes() {
  constexpr uint32_t kPoints = 100;
  return {
      {"hash mod N", [](const Keys& k, uint32_t n, uint64_t) { return make_mod_n(k, n); }},
      {"hash ring, 100 points a pod",
       [](const Keys& k, uint32_t n, uint64_t s) { return make_ring(k, n, s, kPoints); }},
      {"rendezvous (HRW)", [](const Keys& k, uint32_t n, uint64_t s) { return make_rendezvous(k, n, s); }, true},
      {"jump hash", [](const Keys& k, uint32_t n, uint64_t) { return make_jump(k, n); }},
      {"Maglev", [](const Keys& k, uint32_t n, uint64_t s) { return make_maglev(k, n, s); }},
      {"bounded-load ring, c = 1.25",
       [](const Keys& k, uint32_t n, uint64_t s) { return make_bounded_ring(k, n, s, kPoints, 1.25); }},
  };
}

}  // namespace limpet::sim
