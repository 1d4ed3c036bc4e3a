#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/app/exit_code.hpp"
#include "core/app/verb.hpp"
#include "core/config/config.hpp"
#include "core/config/endpoint.hpp"
#include "core/transport/trust.hpp"
#include "core/trunk/session_call.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;
using trunk::SessionVerb;

struct Options {
  std::string config, endpoint;
  transport::TrustFiles keys;
  bool json = false;
  trunk::SessionCall call;
};

constexpr base::Nanoseconds kListTimeout = 2 * base::kSecond;
constexpr base::Nanoseconds kFileTimeout = 60 * base::kSecond;  // of a large memory, a slow disk

int complain(const Options& options, const Error& error) {
  if (options.json)
    fmt::print(
        "{}\n",
        nlohmann::json{{"event", "error"}, {"code", to_string(error.code)}, {"text", error.message}}
            .dump());
  fmt::print(stderr, "cambium session: {}\n", error.message);
  return exit_code_of(error.code);
}

// The option, else what the configuration says or leaves to its default; so with the keys.
Result<std::string> endpoint_of(Options& options) {
  if (!options.endpoint.empty()) {
    auto checked = config::checked_endpoint(
        options.endpoint, fs::current_path(),
        options.keys.key.empty() ? config::Reach::loopback : config::Reach::anywhere);
    if (!checked) return Error{checked.error().code, "option --trunk: " + checked.error().message};
    return checked;
  }
  const fs::path usual = "cambium.toml";
  const auto config = !options.config.empty() ? config::load_config(options.config)
                      : fs::exists(usual)     ? config::load_config(usual)
                                              : config::parse_config("", usual);
  if (!config) return config.error();
  if (options.keys.key.empty()) options.keys.key = config->security.key;
  if (options.keys.server.empty()) options.keys.server = config->security.trunk_key;
  return config->trunk.endpoint;
}

nlohmann::ordered_json json_of(const trunk::SessionInfo& session) {
  return {{"name", session.name},
          {"trunk", base::to_hex(session.trunk)},
          {"architecture", session.architecture},
          {"bytes", session.bytes},
          {"steps", session.steps},
          {"unsaved_steps", session.unsaved_steps},
          {"episode", session.episode},
          {"idle_ms", session.idle_ms},
          {"robot_id", session.robot_id},
          {"client", session.client}};
}

std::string size_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  return bytes < 1'000'000 ? fmt::format("{:.1f} kB", value * 1e-3)
                           : fmt::format("{:.1f} MB", value * 1e-6);
}

std::string idle_text(std::uint64_t milliseconds) {
  const double seconds = static_cast<double>(milliseconds) * 1e-3;
  if (seconds < 100) return fmt::format("{:.1f} s", seconds);
  return seconds < 6000 ? fmt::format("{:.0f} min", seconds / 60)
                        : fmt::format("{:.0f} h", seconds / 3600);
}

void print_list(const trunk::SessionAnswer& answer) {
  if (!answer.sessions.empty())
    fmt::print("{:<24} {:>5} {:<16} {:>10} {:>9} {:>8} {:>8} {:>10}  {}\n", "session", "robot",
               "host", "steps", "unsaved", "episode", "idle", "size", "trunk");
  for (const auto& session : answer.sessions)
    fmt::print("{:<24} {:>5} {:<16} {:>10} {:>9} {:>8} {:>8} {:>10}  {} {}\n", session.name,
               session.robot_id, session.client.empty() ? "-" : session.client, session.steps,
               session.unsaved_steps, session.episode, idle_text(session.idle_ms),
               size_text(session.bytes), session.architecture,
               base::to_hex(session.trunk).substr(0, 16));
  if (answer.session_bytes > 0)
    fmt::print("{} session{} of {}, {} for all{}\n", answer.sessions.size(),
               answer.sessions.size() == 1 ? "" : "s", size_text(answer.session_bytes),
               size_text(answer.budget_bytes), answer.text.empty() ? "" : "; " + answer.text);
  else
    fmt::print("{}\n", answer.text);
}

void print_json(const Options& options, const trunk::SessionAnswer& answer) {
  constexpr const char* kEvents[] = {"sessions", "saved", "loaded", "dropped"};
  auto sessions = nlohmann::ordered_json::array();
  for (const auto& session : answer.sessions) sessions.push_back(json_of(session));
  nlohmann::ordered_json object = {{"event", kEvents[static_cast<std::size_t>(options.call.verb)]},
                                   {"text", answer.text}};
  if (!options.call.name.empty()) object["name"] = options.call.name;
  if (!options.call.file.empty()) object["file"] = options.call.file;
  object["sessions"] = std::move(sessions);
  object["session_bytes"] = answer.session_bytes;
  object["budget_bytes"] = answer.budget_bytes;
  fmt::print("{}\n", object.dump());
}

int run(Options options) {
  auto& call = options.call;
  // The trunk has a working folder of its own.
  if (!call.file.empty()) call.file = fs::absolute(call.file).lexically_normal().string();
  const auto endpoint = endpoint_of(options);
  if (!endpoint) return complain(options, endpoint.error());
  const auto trust = transport::Trust::open(options.keys);
  if (!trust) return complain(options, trust.error());
  transport::Context context(trust->get());
  const auto answer = trunk::call_sessions(
      context, *endpoint, call, call.verb == SessionVerb::list ? kListTimeout : kFileTimeout);
  if (!answer) return complain(options, answer.error());
  if (options.json)
    print_json(options, *answer);
  else if (call.verb == SessionVerb::list)
    print_list(*answer);
  else
    fmt::print("{}\n", answer->text);
  return kDone;
}

struct Verb {
  SessionVerb verb;
  const char *name, *summary, *example;
};

constexpr Verb kVerbs[] = {
    {SessionVerb::list, "list", "Show what the trunk remembers, robot by robot.",
     "cambium session list"},
    {SessionVerb::save, "save", "Write a robot's memory to a file, while it goes on.",
     "cambium session save left_arm left_arm.safetensors"},
    {SessionVerb::load, "load",
     "Take a robot's memory from a file, on any trunk process with the same weights.",
     "cambium session load left_arm.safetensors --as right_arm --trunk ipc:///run/other/trunk"},
    {SessionVerb::drop, "drop", "Forget a robot, and the trunk's own file of it.",
     "cambium session drop left_arm"},
};

}  // namespace

void add_session(CLI::App& program, int& exit_code) {
  auto* group = program.add_subcommand(
      "session", "List, save, load or drop what a running trunk remembers of its robots.");
  group->require_subcommand(1);
  group->footer(
      "Example: move a robot to another trunk process\n"
      "  cambium session save left_arm left_arm.safetensors\n"
      "  cambium session load left_arm.safetensors --trunk ipc:///run/other/trunk");
  for (const Verb& verb : kVerbs) {
    auto* command = group->add_subcommand(verb.name, verb.summary);
    auto options = std::make_shared<Options>();
    options->call.verb = verb.verb;
    if (verb.verb == SessionVerb::save || verb.verb == SessionVerb::drop)
      command->add_option("name", options->call.name, "Name of the session")->required();
    if (verb.verb == SessionVerb::save || verb.verb == SessionVerb::load)
      command->add_option("file", options->call.file, "File of the session")->required();
    if (verb.verb == SessionVerb::load)
      command->add_option("--as", options->call.name, "Another name than the one in the file");
    command->add_option(
        "-c,--config", options->config,
        "Configuration file that names the trunk's endpoint; without it ./cambium.toml if there "
        "is one, else defaults");
    command->add_option("--trunk", options->endpoint, "Endpoint of the trunk, instead of --config");
    command->add_option("--key", options->keys.key,
                        "Own secret key for a tcp endpoint, instead of --config");
    command->add_option("--trunk-key", options->keys.server,
                        "Public key of the trunk, instead of --config");
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(std::string("Example:\n  ") + verb.example);
    command->callback([options, &exit_code] { exit_code = run(*options); });
  }
}

}  // namespace cambium::app
