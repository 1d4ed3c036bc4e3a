// core/app/bench_trunk_verbs.hpp: those of `cambium bench` that measure the trunk alone.
#pragma once

namespace CLI {
class App;
}

namespace cambium::app {

/// Each adds its sub-command, which sets the code that the program ends with. [setup]
void add_bench_clients(CLI::App& bench, int& exit_code);
void add_bench_trunk(CLI::App& bench, int& exit_code);
void add_bench_forward(CLI::App& bench, int& exit_code);
void add_bench_mixed(CLI::App& bench, int& exit_code);
void add_bench_memory(CLI::App& bench, int& exit_code);
void add_bench_transfer(CLI::App& bench, int& exit_code);

}  // namespace cambium::app
