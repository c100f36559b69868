// TOML texts of any origin to tables: rules, configurations, rule tests. Whoever includes this links toml++.
#pragma once

#include <toml++/toml.h>

#include "rules/rule_set.h"

namespace limpet {

// Throws toml::parse_error, also for a key of more than limits::kTomlKeyPartsMax parts.
toml::table parse_toml(const SourceFile& file);

}  // namespace limpet
