// Assignments and reports as text for people: `limpet inspect`.
#pragma once

#include <string>

#include "sharding/assignment.h"
#include "sharding/report.h"

namespace limpet {

// Several lines, each with its newline. O(slices + pods).
std::string describe(const Assignment& assignment);
std::string describe(const PodReport& report);

}  // namespace limpet
