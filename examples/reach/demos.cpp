// examples/reach/demos.cpp: cambium-reach-demos: records what the expert does on one arm.
#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "examples/reach/embodiment.hpp"
#include "examples/reach/progress.hpp"
#include "examples/reach/record.hpp"

namespace {

volatile std::sig_atomic_t interrupted = 0;

int fail(const cambium::Error& error, int exit_code) {
  std::fprintf(stderr, "cambium-reach-demos: %s\n", error.message.c_str());
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cambium;
  CLI::App program{"Records demonstrations of the reach task by the expert of a simulated arm."};
  program.footer(
      "Examples:\n"
      "  cambium-reach-demos --arm panda7 --out panda7.safetensors\n"
      "  cambium-reach-demos --arm so101 --episodes 50 --seed 1 --out so101.safetensors --json");
  std::string arm, out, plugin_file;
  reach::RecordOptions options;
  bool json = false;
  program.add_option("--arm", arm, "planar3, scara4, so101, ur5e or panda7")->required();
  program.add_option("--out", out, "File to write (docs/files.md, Demonstrations)")->required();
  program.add_option("--episodes", options.episodes, "How many goals")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  program.add_option("--seed", options.seed, "Same seed, same file")->capture_default_str();
  program.add_option("--horizon", options.horizon, "Actions in a label")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  program
      .add_option("--noise", options.noise,
                  "Of every other episode, in parts of the velocity limit")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  program.add_option("--plugin", plugin_file, "Plugin to read the embodiment from");
  program.add_flag("--json", json, "One JSON object on stdout when done");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }

  if (plugin_file.empty()) {
    const auto found = reach::plugin_of(arm);
    if (!found) return fail(found.error(), 2);
    plugin_file = *found;
  }
  const auto library = reach::open_plugin(plugin_file);
  if (!library) return fail(library.error(), 2);
  const auto embodiment = (*library)->embodiment();
  if (!embodiment) return fail(embodiment.error(), 2);
  const auto model =
      reach::ArmModel::load(arm, reach::joints_of(*embodiment), embodiment->control_hz);
  if (!model) return fail(model.error(), 2);

  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  const auto start = std::chrono::steady_clock::now();
  reach::Recording recording;
  {
    reach::Progress progress(arm, options.episodes);
    recording = reach::record(*model, *embodiment, options, [&](std::uint32_t done) {
      progress.update(done);
      return interrupted == 0;
    });
  }
  if (interrupted) return fail({Code::failed, "interrupted; nothing was written"}, 1);
  const auto& demonstrations = recording.demonstrations;
  if (const auto written = learn::write_demonstrations(out, demonstrations); !written)
    return fail(written.error(), 1);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto bytes = std::filesystem::file_size(out);
  if (json) {
    std::printf("%s\n", nlohmann::json{{"arm", arm},
                                       {"file", out},
                                       {"episodes", demonstrations.episodes()},
                                       {"rows", demonstrations.rows()},
                                       {"bytes", bytes},
                                       {"clean_episodes", recording.clean},
                                       {"reached", recording.reached},
                                       {"seconds", seconds}}
                            .dump()
                            .c_str());
  } else {
    std::printf(
        "%s: %llu episodes, %llu rows, %.1f MB in %.1f s; without noise the expert reached "
        "%u of %u goals\n",
        out.c_str(), static_cast<unsigned long long>(demonstrations.episodes()),
        static_cast<unsigned long long>(demonstrations.rows()), static_cast<double>(bytes) / 1e6,
        seconds, recording.reached, recording.clean);
  }
  return 0;
}
