// limpet shard
#pragma once

namespace CLI {
class App;
}

namespace limpet {

void add_shard_command(CLI::App& app, int& exit_code);

}  // namespace limpet
