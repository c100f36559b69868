// limpet inspect
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_inspect_command(CLI::App& app, int& exit_code);

}  // namespace limpet
