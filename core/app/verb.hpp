// core/app/verb.hpp: the verbs of the `cambium` program. Each has one file, parses its arguments
// and calls into a folder.
#pragma once

namespace CLI {
class App;
}

namespace cambium::app {

/// Adds one verb; its callback stores the program's exit code. Exit codes: 0 done, 1 it failed, 2
/// bad usage or input, 3 the other side is not there.
using AddVerb = void (*)(CLI::App& program, int& exit_code);

void add_up(CLI::App& program, int& exit_code);
void add_host(CLI::App& program, int& exit_code);
void add_trunk(CLI::App& program, int& exit_code);
void add_admin(CLI::App& program, int& exit_code);    // status add remove swap reload
void add_session(CLI::App& program, int& exit_code);  // list save load drop
void add_keys(CLI::App& program, int& exit_code);     // new show allow revoke
void add_new(CLI::App& program, int& exit_code);
void add_check(CLI::App& program, int& exit_code);
void add_convert(CLI::App& program, int& exit_code);
void add_pretrain(CLI::App& program, int& exit_code);
void add_graft(CLI::App& program, int& exit_code);
void add_record(CLI::App& program, int& exit_code);
void add_bench(CLI::App& program, int& exit_code);
void add_sign(CLI::App& program, int& exit_code);    // FILE… new verify
void add_policy(CLI::App& program, int& exit_code);  // hidden

}  // namespace cambium::app
