// `--rules GLOB` of the commands that run rules without a configuration: one pattern each time, as often as wanted, so
// that what follows it is the command's own.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace limpet {

void add_rules_flag(CLI::App& command, std::vector<std::string>& patterns);

}  // namespace limpet
