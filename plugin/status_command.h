// limpet status
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_status_command(CLI::App& app, int& exit_code);

}  // namespace limpet
