// limpet parse
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_parse_command(CLI::App& app, int& exit_code);

}  // namespace limpet
