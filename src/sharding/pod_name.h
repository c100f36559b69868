// Names of pods: they become names of files, so they are checked wherever they come from.
#pragma once

#include <string>
#include <string_view>

namespace limpet {

// What is wrong with it, for people; empty: nothing. 1 to 249 letters, digits, `-`, `_` and `.`, the first of them a
// letter or digit (as Kubernetes names pods, and what hosts are called beside that).
std::string pod_name_error(std::string_view name);

}  // namespace limpet
