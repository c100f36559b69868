// The last values of one cumulative counter: what one (rule, input series, field) makes of each sample. Resets, small
// falls, first samples. State is (first, last, increase between); two states of one series join by the step from the
// end of the earlier to the start of the later, so that a pod may count before its predecessor's state arrives.
#pragma once

#include <cstdint>
#include <optional>

#include "base/codec.h"
#include "window/sample.h"

namespace limpet {

struct CounterEvents {  // for the ledger
  uint64_t resets = 0;
  uint64_t falls = 0;
};

class CounterSeries {
 public:
  bool known() const { return known_; }
  int64_t last_time_ns() const { return last_time_ns_; }
  Number last() const { return last_; }
  DoubleDouble between() const { return between_; }

  // The series' first sample. `from_zero`: it counts from zero; else it is only a starting value.
  CounterStep start(Number value, int64_t time_ns, bool from_zero);
  // A further sample. Not counted if older than the newest; equal times go by arrival. REQUIRES: known().
  CounterStep step(Number value, int64_t time_ns, CounterEvents& events);
  // The step from value u to value v: v - u if v >= u (integers as integers); 0 for a fall of at most 1 % of u (`kept`:
  // u stays the last value); else v, a reset.
  static Number increase(Number u, Number v, bool& kept, CounterEvents& events);

  // Joins the state of the same series from another contributor: afterwards this is what one contributor would hold.
  // Returns the step between the two and the time of the sample in whose pane it belongs; nullopt where there is none
  // (one of them unknown; or they overlap in time: this stays as it is). Commutative.
  // The sum of both contributors' increases and the step is what one contributor would have counted, except where the
  // step is a small fall, from u: the later part counted on from the lower value. That gives up to 1 % of u more when
  // the counter rises again. Where it falls further instead, a little at a time, below 99 % of u, one contributor saw a
  // reset and counted that value, and the later part saw small falls and counted nothing: up to u less. REQUIRES: the
  // later part's first sample was only a starting value, not counted from zero.
  struct Joint {
    Number increase;
    int64_t time_ns;
  };
  std::optional<Joint> join(const CounterSeries& other, CounterEvents& events);

  void encode(Writer& out) const;
  bool decode(Reader& in);

 private:
  static bool precedes(const CounterSeries& a, const CounterSeries& b);
  bool was_reset() const;  // between first and last; REQUIRES: first > 0

  bool known_ = false;
  Number first_, last_;
  int64_t first_time_ns_ = 0, last_time_ns_ = 0;
  DoubleDouble between_;
};

}  // namespace limpet
