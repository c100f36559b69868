// limpet drain
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_drain_command(CLI::App& app, int& exit_code);

}  // namespace limpet
