#include "plugin/config_flags.h"

#include <CLI/CLI.hpp>

#include "io/files.h"

namespace limpet {
namespace {

// What CLI11 did not know: `--name value`, `--name=value`, or a value too many.
void add_unknown(const std::vector<std::string>& rest, ConfigSource& source) {
  bool behind_flag = false;
  for (const std::string& text : rest) {
    std::string name = text.substr(0, text.find('='));
    size_t dashes = name.find_first_not_of('-');
    if (dashes != 0)
      source.flags.push_back({dashes == name.npos ? name : name.substr(dashes), {}}), behind_flag = true;
    else if (!behind_flag)
      source.unread.push_back({text, 0, 0, "belongs to no flag: each value needs its own, as in --rules A --rules B"});
  }
}

}  // namespace

std::shared_ptr<ConfigArguments> add_config_flags(CLI::App& command, std::span<const ConfigKey> keys) {
  auto arguments = std::make_shared<ConfigArguments>();
  command.allow_extras();
  // A value that is missing is an error like others of a configuration, which Telegraf's child must survive.
  auto store_config = [arguments](const std::string& file) {
    arguments->config_asked = true, arguments->config = file;
  };
  command.add_option_function<std::string>("--config", store_config, "Configuration file (TOML)")
      ->type_name("FILE")
      ->expected(0, 1);
  for (const ConfigKey& key : keys) {
    std::string name(key.name);
    auto store = [arguments, name](const std::vector<std::string>& values) { arguments->flags[name] = values; };
    CLI::Option* option =
        command.add_option_function<std::vector<std::string>>("--" + name, store, std::string(key.help));
    option->type_name(std::string(key.value))
        ->expected(0, 1)
        ->allow_extra_args(key.kind == ConfigKey::Kind::kTexts);  // a pattern that the shell has expanded
    option->multi_option_policy(key.kind == ConfigKey::Kind::kTexts ? CLI::MultiOptionPolicy::TakeAll
                                                                    : CLI::MultiOptionPolicy::TakeLast);
  }
  return arguments;
}

ConfigSource read_config_source(const ConfigArguments& arguments, const std::vector<std::string>& rest) {
  ConfigSource source;
  if (arguments.config_asked && arguments.config.empty()) source.unread.push_back({"--config", 0, 0, "needs a value"});
  if (!arguments.config.empty()) {
    auto text = read_file(arguments.config);
    if (text)
      source.file = {arguments.config, std::move(*text)};
    else
      source.unread.push_back({arguments.config, 0, 0, text.error().substr(arguments.config.size() + 2)});
  }
  source.flags.assign(arguments.flags.begin(), arguments.flags.end());
  add_unknown(rest, source);
  return source;
}

}  // namespace limpet
