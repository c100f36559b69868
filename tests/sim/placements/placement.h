// Ways to place keys on pods by hashing alone: what Limpet's planner is compared with. Pods are numbers; a scheme is
// made with the pods 0 to n - 1 and then told who comes and goes. Everything hangs on the seed alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "load_model.h"

namespace limpet::sim {

class Placement {
 public:
  virtual ~Placement() = default;
  // REQUIRES: it is not there yet.
  virtual void add(uint32_t pod) = 0;
  // REQUIRES: it is there, and not the only one.
  virtual void remove(uint32_t pod) = 0;

  // The pod of each key, in the order of Keys.
  const std::vector<uint32_t>& owner() const { return owner_; }

 protected:
  std::vector<uint32_t> owner_;
};

struct Scheme {
  std::string name;
  // Refers to the keys, which must outlive the placement.
  std::function<std::unique_ptr<Placement>(const Keys& keys, uint32_t pods, uint64_t seed)> make;
  bool hashes_every_pod = false;  // O(keys * pods) to make
};

// The key's place modulo the number of pods, which stand in order of their names.
std::unique_ptr<Placement> make_mod_n(const Keys& keys, uint32_t pods);
// Karger et al., STOC 1997: a key belongs to the next point on the ring; a pod has `points` of them.
std::unique_ptr<Placement> make_ring(const Keys& keys, uint32_t pods, uint64_t seed, uint32_t points);
// Mirrokni, Thorup and Zadimoghaddam, SODA 2018: a ring on which no pod has more than ceil(bound * keys / pods) keys;
// the rest goes on to the next that has room. Keys come in order of their ranks.
std::unique_ptr<Placement> make_bounded_ring(const Keys& keys, uint32_t pods, uint64_t seed, uint32_t points,
                                             double bound);
// Thaler and Ravishankar, 1998 (highest random weight): a key belongs to the pod whose hash with it is highest.
std::unique_ptr<Placement> make_rendezvous(const Keys& keys, uint32_t pods, uint64_t seed);
// Lamping and Veach, 2014. It knows only numbered buckets: who leaves gives its bucket to the holder of the last one.
// Who comes gets a new last bucket, or (`keeps_bucket`) takes back what it had, and its holder returns to the end.
std::unique_ptr<Placement> make_jump(const Keys& keys, uint32_t pods, bool keeps_bucket = false);
// Eisenbud et al., NSDI 2016: pods take turns to fill a table. `table`: its size, a prime; 0: the first prime from 100
// times the pods on, which the paper recommends.
std::unique_ptr<Placement> make_maglev(const Keys& keys, uint32_t pods, uint64_t seed, uint32_t table = 0);

uint32_t prime_from(uint32_t at_least);

// All of them, as the comparison prints them.
std::vector<Scheme> all_schemes();

}  // namespace limpet::sim
