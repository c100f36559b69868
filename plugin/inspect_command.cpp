#include "plugin/inspect_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/printable.h"
#include "io/assignment_directory.h"
#include "io/files.h"
#include "sharding/assignment_codec.h"
#include "sharding/describe.h"

namespace limpet {
namespace {

constexpr const char* kHelp =
    R"(Prints assignments and reports as text: what the files of a cluster's directory say. Verifies them as every reader does; of a bad
one the reason is printed.

Exit code 1 if a file is bad or cannot be read.)";

constexpr const char* kExamples = R"(
Examples:
  limpet inspect /run/limpet/assignment.json
  limpet inspect /run/limpet/assignments/*.json | less
  limpet inspect /run/limpet/reports/agg-0.json)";

template <typename Decoded>
std::expected<std::string, std::string> described(const std::string& file, const Decoded& decoded) {
  if (!decoded) return std::unexpected(decoded.error());
  if (std::string fault = misplaced(file, *decoded); !fault.empty()) return std::unexpected(fault);
  return describe(*decoded);
}

std::expected<std::string, std::string> inspect(const std::string& file) {
  auto text = read_file(file, kAssignmentBytesMax);
  if (!text) return std::unexpected(text.error());
  auto shown = looks_like_assignment(*text) ? described(file, decode_assignment(*text))
               : looks_like_report(*text)   ? described(file, decode_report(*text))
                                            : std::unexpected(std::string("is neither an assignment nor a report"));
  if (!shown) return std::unexpected(file + ": " + shown.error());
  return shown;
}

int inspect_all(const std::vector<std::string>& files) {
  int bad = 0;
  const char* between = "";
  for (const std::string& file : files) {
    auto shown = inspect(file);
    if (!shown) {
      std::fflush(stdout);
      fmt::print(stderr, "limpet inspect: {}\n", printable(shown.error()));
      bad = 1;
      continue;
    }
    if (files.size() > 1) fmt::print("{}{}:\n", between, printable(file));
    std::fwrite(shown->data(), 1, shown->size(), stdout);
    between = "\n";
  }
  return bad;
}

}  // namespace

void add_inspect_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("inspect", "Print assignments and reports as text");
  command->footer(std::string(kHelp) + "\n" + kExamples);
  auto files = std::make_shared<std::vector<std::string>>();
  command->add_option("files", *files, "Assignments and reports")->type_name("FILE")->required();
  command->callback([files, &exit_code] { exit_code = inspect_all(*files); });
}

}  // namespace limpet
