// limpet replay
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_replay_command(CLI::App& app, int& exit_code);

}  // namespace limpet
