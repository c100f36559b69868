#include "plugin/directory_flags.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "io/files.h"
#include "service/config.h"
#include "service/sharder_config.h"

namespace limpet {
namespace {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

// Other errors of the file are `limpet check`'s matter: who drains a pod wants it drained.
ClusterPlace place_in(const SourceFile& file) {
  if (looks_like_shard_config(file)) return {load_shard_config(file, {}).config.directory, ""};
  LoadedConfig loaded = load_config(file, {});
  std::string pod = loaded.config.pod.empty() ? host_name() : loaded.config.pod;
  if (!loaded.config.assignment.directory.empty()) return {loaded.config.assignment.directory, pod};
  return {load_shard_config(file, {}).config.directory, ""};
}

}  // namespace

std::shared_ptr<DirectoryArguments> add_directory_flags(CLI::App& command) {
  auto arguments = std::make_shared<DirectoryArguments>();
  auto* directory =
      command.add_option("--assignment.directory", arguments->directory, "Directory that the cluster shares");
  directory->type_name("DIRECTORY");
  command.add_option("--config", arguments->config, "Configuration file (TOML) that names it")
      ->type_name("FILE")
      ->excludes(directory);
  return arguments;
}

ClusterPlace find_cluster(const DirectoryArguments& arguments, const std::string& command) {
  if (!arguments.directory.empty()) return {arguments.directory, ""};
  if (arguments.config.empty()) {
    fmt::print(stderr,
               "limpet {}: which cluster? Name its directory with --assignment.directory, or a configuration "
               "with --config\n",
               command);
    return {};
  }
  auto text = read_file(arguments.config);
  if (!text) {
    fmt::print(stderr, "limpet {}: {}\n", command, text.error());
    return {};
  }
  ClusterPlace place = place_in({arguments.config, std::move(*text)});
  if (place.directory.empty())
    fmt::print(stderr, "limpet {}: {} names no [assignment] directory\n", command, arguments.config);
  return place;
}

}  // namespace limpet
