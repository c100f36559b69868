// limpet explain
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_explain_command(CLI::App& app, int& exit_code);

}  // namespace limpet
