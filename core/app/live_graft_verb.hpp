// core/app/live_graft_verb.hpp: what `cambium graft --live` takes and says.
#pragma once

#include "core/app/live_graft.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace cambium::app {

struct LiveGraftArguments {
  HostOptions host;
  LiveGraftJob job;
  std::string priority = "idle";
};

/// The options of a live graft beside those of any; returns --live. Borrows `arguments`.
CLI::Option* add_live_graft_options(CLI::App& verb, LiveGraftArguments& arguments);

/// Runs it with progress on stderr and Ctrl-C as an interruption; prints the report (JSON on stdout
/// if `json`) or the error; returns the exit code.
int run_live_graft(const LiveGraftArguments& arguments, const learn::GraftJob& graft, bool json);

}  // namespace cambium::app
