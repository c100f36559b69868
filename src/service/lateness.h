// Which grace would have kept nearly all samples: the report that spares people guessing it.
#pragma once

#include <cstdint>
#include <string>

#include "engine/ledger.h"

namespace limpet {

// Seconds of grace with which `per_mille` of 1000 samples of the rule would have counted in all their windows; within 1
// %. 0: none was late.
double grace_needed_s(const RuleLedger& rule, uint64_t per_mille);

// What came too late, in words: "0.5 % of the samples came too late, others for 3 of their windows". Empty: nothing
// did.
std::string lateness_text(const RuleLedger& rule);

// "0s", "350ms", "3.2s", "2m10s", "1h5m": as a rules file takes it, rounded up to two or more figures.
std::string grace_text(double seconds);

}  // namespace limpet
