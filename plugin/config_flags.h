// The flags of a command that has a configuration file: `--config FILE`, and one flag for each key of it.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "rules/rule_set.h"
#include "service/config_keys.h"

namespace CLI {
class App;
}

namespace limpet {

struct ConfigArguments {
  bool config_asked = false;
  std::string config;                                     // file; empty: none
  std::map<std::string, std::vector<std::string>> flags;  // by key
};

// Adds them to the command, which then takes unknown flags, too: they are reported like wrong keys.
std::shared_ptr<ConfigArguments> add_config_flags(CLI::App& command, std::span<const ConfigKey> keys);

struct ConfigSource {
  SourceFile file;                 // without a path if there is none, or it could not be read
  std::vector<Flag> flags;         // the known ones, then the unknown
  std::vector<Diagnostic> unread;  // why the file could not be read; words that belong to no flag
};
// `rest`: what CLI11 did not know.
ConfigSource read_config_source(const ConfigArguments& arguments, const std::vector<std::string>& rest);

}  // namespace limpet
