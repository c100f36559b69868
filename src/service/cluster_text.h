// A cluster as a table for a terminal.
#pragma once

#include <cstdint>
#include <string>

#include "service/cluster_view.h"

namespace limpet {

// `now_s`: Unix seconds, for ages. Ends with a newline.
std::string cluster_text(const ClusterView& view, int64_t now_s);

}  // namespace limpet
