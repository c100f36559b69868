// limpet aggregate
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_aggregate_command(CLI::App& app, int& exit_code);

}  // namespace limpet
