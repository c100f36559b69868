// How commands that people start are told which cluster they are for: --assignment.directory, or the configuration file
// of any process of it.
#pragma once

#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace limpet {

struct DirectoryArguments {
  std::string config;
  std::string directory;
};
std::shared_ptr<DirectoryArguments> add_directory_flags(CLI::App& command);

struct ClusterPlace {
  std::string directory;  // empty: not found, and the reason was printed
  std::string pod;        // that the configuration names, if it is an aggregator's; else empty
};
// `command`: for messages.
ClusterPlace find_cluster(const DirectoryArguments& arguments, const std::string& command);

}  // namespace limpet
