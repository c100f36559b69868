#include "plugin/rules_flag.h"

#include <CLI/CLI.hpp>

namespace limpet {

void add_rules_flag(CLI::App& command, std::vector<std::string>& patterns) {
  command.add_option("--rules", patterns, "Rules files, a shell pattern; may be given several times")
      ->required()
      ->allow_extra_args(false)
      ->type_name("GLOB");
}

}  // namespace limpet
