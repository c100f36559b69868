// limpet test
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_test_command(CLI::App& app, int& exit_code);

}  // namespace limpet
