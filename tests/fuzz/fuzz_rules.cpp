// Rules files: never a crash; what loads answers for any line as a plain loop over its rules does.
#include <cstdlib>
#include <string>

#include "rules/rule_set.h"

using namespace limpet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  LoadedRules loaded = load_rules({{"rules.toml", text}});
  if (!loaded.ok()) {
    if (loaded.diagnostics.empty()) std::abort();
    return 0;
  }
  const std::vector<Tag> tags = {{"env", "prod"}, {"host", "a"}};
  for (const char* name : {"cpu", "m", "http_request_duration", ""}) {
    std::vector<uint32_t> found, wanted;
    loaded.rules->match(name, tags, found);
    for (uint32_t i = 0; i < loaded.rules->rules().size(); i++)
      if (loaded.rules->rules()[i].selector.matches(name, tags)) wanted.push_back(i);
    if (found != wanted) std::abort();
    for (const Rule& rule : loaded.rules->rules())
      for (const FunctionSpec& f : rule.functions_of(name)) (void)rule.result_field(name, f);
  }
  return 0;
}
