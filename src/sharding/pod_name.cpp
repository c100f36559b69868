#include "sharding/pod_name.h"

#include <algorithm>
#include <string>

namespace limpet {
namespace {

constexpr size_t kNameBytesMax = 249;  // with ".drain" no file's name is longer than 255

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

std::string pod_name_error(std::string_view name) {
  bool right = !name.empty() && name.size() <= kNameBytesMax && is_alphanumeric(name.front()) &&
               std::all_of(name.begin(), name.end(),
                           [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
  if (right) return {};
  return "a pod's name must be 1 to 249 letters, digits, '-', '_' and '.', and begin with a letter or digit, not \"" +
         std::string(name.substr(0, kNameBytesMax)) + "\"";
}

}  // namespace limpet
