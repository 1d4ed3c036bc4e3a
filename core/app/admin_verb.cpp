#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/app/exit_code.hpp"
#include "core/app/listener_status.hpp"
#include "core/app/verb.hpp"
#include "core/config/config.hpp"
#include "core/runtime/admin_desk.hpp"
#include "core/runtime/admin_json.hpp"
#include "core/transport/keyring.hpp"

namespace cambium::app {
namespace {

struct Options {
  std::string config = "cambium.toml", admin;
  transport::KeyFiles keys;
  bool json = false;
  runtime::AdminCall call;
};

// A swap prepares within a second or so; shadow and probation take as long as they are asked for.
constexpr base::Nanoseconds kTimeout = 10 * 60 * base::kSecond;
constexpr base::Nanoseconds kStatusTimeout = 2 * base::kSecond;

int complain(const Options& options, const Error& error) {
  if (options.json) {
    fmt::print("{}\n",
               runtime::line_of(
                   {{"ok", false}, {"code", to_string(error.code)}, {"error", error.message}}));
  }
  fmt::print(stderr, "cambium {}: {}\n", options.call.verb, error.message);
  return exit_code_of(error.code);
}

void make_absolute(std::string& path) {
  if (!path.empty()) path = std::filesystem::absolute(path).lexically_normal().string();
}

// What is special about a robot, in words: "isolated, memory kept (1200 steps), lost 1 time".
std::string note_of(const nlohmann::json& robot) {
  std::string note;
  const auto add = [&](const std::string& text) { note += (note.empty() ? "" : ", ") + text; };
  if (robot.value("bundle", "").empty()) add("no policy");
  if (robot.value("recording", false)) add("recording");
  if (robot.value("isolated", false)) add("isolated");
  if (const auto stage = robot.value("swapping", ""); !stage.empty()) add("swap: " + stage);
  if (const auto memory = robot.value("memory", "none"); memory != "none")
    add(fmt::format("memory {} ({} steps)", memory, robot.value("memory_steps", std::uint64_t{0})));
  if (const auto lost = robot.value("memory_lost", std::uint64_t{0}); lost != 0)
    add(fmt::format("lost {} time{}", lost, lost == 1 ? "" : "s"));
  return note;
}

void print_status(const nlohmann::json& status) {
  const auto& trunk = status["trunk"];
  const std::string stock = status.value("trunk_id", ""), running = trunk.value("id", "");
  if (!trunk.value("alive", false)) {
    fmt::print("trunk not there, expected {} at {}\n", stock.substr(0, 16),
               trunk.value("endpoint", ""));
    if (const auto trouble = trunk.value("trouble", ""); !trouble.empty())
      fmt::print("      it refuses this host: {}\n", trouble);
  } else {
    fmt::print("trunk {}  {} on {}, {} requests served\n", running.substr(0, 16),
               trunk.value("architecture", ""), trunk.value("backend", ""),
               trunk.value("served", 0));
  }
  if (!running.empty() && !stock.empty() && running != stock) {
    fmt::print("      but the host's stock is {}: its bundles do not work with this trunk\n",
               stock.substr(0, 16));
  }
  for (const auto& id : trunk.value("ids", nlohmann::json::array())) {
    if (id != running)
      fmt::print("      beside it {}, until nobody needs it\n",
                 id.get<std::string>().substr(0, 16));
  }
  fmt::print("{:<12} {:<12} {:>3} {:>4} {:<12} {:>9} {:>7} {:>8} {:>8} {:>8}\n", "robot",
             "embodiment", "dof", "gen", "drive", "ticks", "missed", "limited", "p50 us", "p99 us");
  for (const auto& robot : status["robots"]) {
    const std::string note = note_of(robot);
    fmt::print("{:<12} {:<12} {:>3} {:>4} {:<12} {:>9} {:>7} {:>8} {:>8.0f} {:>8.0f}  {}\n",
               robot.value("name", ""), robot.value("embodiment", ""), robot.value("dof", 0),
               robot.value("generation", 0),
               robot.value("controller", false) ? robot.value("drive", "") : "-",
               robot.value("ticks", 0), robot.value("missed", 0), robot.value("limited", 0),
               robot.value("tick_us_p50", 0.0), robot.value("tick_us_p99", 0.0), note);
    if (const auto said = robot.value("trunk_said", ""); !said.empty())
      fmt::print("             the trunk says: {}\n", said);
  }
  if (const auto keys = status.find("keys"); keys != status.end()) {
    fmt::print(
        "{} keys are allowed; {} connections of others were denied, {} messages of revoked ones "
        "dropped\n",
        keys->value("allowed", 0), keys->value("denied", 0), keys->value("dropped", 0));
    if (const auto problem = keys->value("problem", ""); !problem.empty())
      fmt::print("      {}\n", problem);
  }
  print_listeners(status);
  for (const auto& library : status["libraries"]["kept"]) {
    fmt::print("library '{}' stays mapped for ever: {}\n", library.value("file", ""),
               library.value("reason", ""));
  }
}

void print_swaps(const nlohmann::json& answer) {
  fmt::print("{:<19} {:>9} {:<11} {:<12} {:>9} {:>9}  {}\n", "time", "gen", "kind", "end",
             "commit us", "total ms", "reason");
  for (const auto& swap : answer["swaps"]) {
    const std::time_t time = swap.value("time_s", std::int64_t{0});
    std::string reason = swap.value("reason", "");
    if (swap.value("memory", "") == "fresh")
      reason +=
          (reason.empty() ? "" : "; ") + ("memory begun anew: " + swap.value("memory_reason", ""));
    fmt::print("{:%Y-%m-%d %H:%M:%S} {:>4}->{:<4}{:<11} {:<12} {:>9.1f} {:>9.1f}  {}\n",
               fmt::localtime(time), swap.value("from", 0), swap.value("generation", 0),
               swap.value("kind", ""), swap.value("end", ""), swap.value("commit_us", 0.0),
               swap.value("total_ms", 0.0), reason);
  }
}

int run(Options options) {
  for (auto* path : {&options.call.plugin, &options.call.stem_plugin, &options.call.head_plugin,
                     &options.call.bundle, &options.call.stock}) {
    make_absolute(*path);
  }
  for (auto& given : options.call.bundles) {  // "ROBOT=FILE"
    const auto file = given.find('=') + 1;    // 0 if there is none, which the host refuses
    std::string path = given.substr(file);
    if (file != 0) make_absolute(path);
    given = given.substr(0, file) + path;
  }
  std::string endpoint = options.admin;
  if (endpoint.empty()) {
    const auto config = config::load_config(options.config);
    if (!config) return complain(options, config.error());
    endpoint = config->host.admin;
    const auto& security = config->security;
    if (options.keys.key.empty()) options.keys.key = security.key;
    if (options.keys.server.empty()) options.keys.server = security.host_key;
  }
  const auto keyring = transport::Keyring::open(options.keys);
  if (!keyring) return complain(options, keyring.error());
  const bool status = options.call.verb == "status";
  const auto answer = runtime::ask_admin(endpoint, options.call, status ? kStatusTimeout : kTimeout,
                                         keyring->get());
  if (!answer) return complain(options, answer.error());
  if (answer->code != Code::ok && !options.json)
    return complain(options, {answer->code, answer->text});
  const auto object = nlohmann::json::parse(answer->json, nullptr, /*allow_exceptions=*/false);
  if (options.json) {
    fmt::print("{}\n", answer->json);
  } else if (object.is_discarded()) {
    return complain(options, {Code::bad_data, "the host's answer is not JSON"});
  } else if (options.call.verb == "swaps") {
    print_swaps(object);
  } else if (status) {
    print_status(object);
  } else {
    fmt::print("{}\n", answer->text);
  }
  return exit_code_of(answer->code);
}

struct Verb {
  const char *name, *summary, *example;
  bool robot, parts, swap, trunk = false;
};

constexpr Verb kVerbs[] = {
    {"status", "Show trunk and robots of a running host.", "cambium status --json", false, false,
     false},
    {"add", "Add a robot to a running host.",
     "cambium add left --plugin lib/libpanda7.so --bundle models/panda7.safetensors", true, true,
     false},
    {"remove", "Remove a robot from a running host.", "cambium remove left", true, false, false},
    {"swap", "Swap embodiment, head or weights of a robot while it moves.",
     "cambium swap left --bundle models/panda7_new.safetensors --shadow 200 --probation 100", true,
     true, true},
    {"reload", "Read a robot's libraries and bundle again, and swap to what they hold now.",
     "cambium reload left", true, false, true},
    {"rollback", "Go back to the generation before the last swap, as it stepped back then.",
     "cambium rollback left", true, false, false},
    {"swaps", "Show the last swaps of a robot, with their reasons.", "cambium swaps left", true,
     false, false},
    {"trunk-swap",
     "Load another trunk beside the one that serves, and move all robots to it at once.",
     "cambium trunk-swap models/stock_new.safetensors --bundle left=models/panda7_new.safetensors "
     "--bundle right=models/ur5e_new.safetensors",
     false, false, false, true},
};

void add_trunk_swap(CLI::App& command, runtime::AdminCall& call) {
  command.add_option("stock", call.stock, "Stock file of the new trunk")->required();
  command.add_option("--bundle", call.bundles,
                     "ROBOT=FILE: what was learned for a robot on the new trunk; without it, the "
                     "file that the robot uses is read again");
  command.add_option("--probation", call.probation,
                     "Ticks in which a fault of one robot brings all back; 0: none; else as each "
                     "robot's configuration says");
  command.add_option("--drop-old-after", call.keep_old_s,
                     "Seconds that the old trunk stays loaded for `cambium rollback ROBOT`");
  command.add_flag("--dry-run", call.dry_run, "Do everything but move the robots");
}

}  // namespace

void add_admin(CLI::App& program, int& exit_code) {
  for (const Verb& verb : kVerbs) {
    auto* command = program.add_subcommand(verb.name, verb.summary);
    auto options = std::make_shared<Options>();
    options->call.verb = verb.name;
    command
        ->add_option("-c,--config", options->config,
                     "Configuration file that names the admin endpoint")
        ->capture_default_str();
    command->add_option("--admin", options->admin,
                        "Admin endpoint of the host, instead of --config");
    command->add_option("--key", options->keys.key,
                        "Own secret key for a tcp endpoint, instead of --config");
    command->add_option("--host-key", options->keys.server,
                        "Public key of the host, instead of --config");
    command->add_flag("--json", options->json, "Print one JSON object");
    if (verb.robot)
      command->add_option("robot", options->call.robot, "Name of the robot")->required();
    if (verb.parts) {
      auto& call = options->call;
      auto* plugin =
          command->add_option("--plugin", call.plugin, "Library with embodiment, stems and head");
      if (std::string(verb.name) == "add") plugin->required();
      command->add_option("--embodiment", call.embodiment,
                          "Embodiment of a plugin that has several");
      command->add_option("--stem-plugin", call.stem_plugin,
                          "Library to take the stems from instead");
      command->add_option("--head-plugin", call.head_plugin,
                          "Library to take the head from instead");
      command->add_option("--head", call.head,
                          "Head to use instead of the one that the bundle names");
      command->add_option("--bundle", call.bundle, "What was learned for the embodiment");
    }
    if (verb.swap) {
      auto& call = options->call;
      command->add_option("--shadow", call.shadow,
                          "Run the new generation beside the old one for so many ticks first, and "
                          "tell how far they differ; 0: do not");
      command->add_option("--shadow-bound", call.shadow_bound,
                          "Largest difference that is let through, as a fraction of each joint's "
                          "limit");
      command->add_option("--probation", call.probation,
                          "Keep the old generation at hand for so many ticks; the first fault of "
                          "the new one brings it back; 0: do not");
      command->add_flag("--fresh", call.fresh,
                        "Let the trunk forget the robot, even if the new generation could go on "
                        "with its memory");
      command->add_flag("--dry-run", call.dry_run, "Do everything but move the robot");
    }
    if (verb.trunk) add_trunk_swap(*command, options->call);
    if (verb.swap || verb.trunk || std::string(verb.name) == "rollback")
      command->add_flag(
          "--no-wait", options->call.no_wait,
          "Be refused, rather than wait, while another swap of the robot is under way");
    if (std::string(verb.name) == "add") {
      command->add_flag("--isolate", options->call.isolate,
                        "Run stems and head in a process of their own");
      command->add_option("--session", options->call.session,
                          "Name by which the trunk remembers the robot, instead of its own");
    }
    command->footer(std::string("Example:\n  ") + verb.example);
    command->callback([options, &exit_code] { exit_code = run(*options); });
  }
}

}  // namespace cambium::app
