// limpet check
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_check_command(CLI::App& app, int& exit_code);

}  // namespace limpet
