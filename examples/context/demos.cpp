// examples/context/demos.cpp: cambium-context-demos: records what the expert would do on arms that
// are drawn anew each episode.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "examples/context/record.hpp"

int main(int argc, char** argv) {
  using namespace cambium;
  CLI::App program{"Records demonstrations on planar arms, each episode another body."};
  program.footer(
      "Example:\n"
      "  cambium-context-demos --episodes 8000 --out context_arm.safetensors");
  std::string out;
  context::RecordOptions options;
  program.add_option("--out", out, "File to write (docs/files.md, Demonstrations)")->required();
  program.add_option("--episodes", options.episodes, "How many bodies")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  program.add_option("--ticks", options.ticks, "Of one episode")
      ->capture_default_str()
      ->check(CLI::Range(2, 4096));
  program.add_option("--horizon", options.horizon, "Actions in a label")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  program.add_option("--seed", options.seed, "Same seed, same file")->capture_default_str();
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  const auto demonstrations = context::record(options);
  if (const auto written = learn::write_demonstrations(out, demonstrations); !written) {
    std::fprintf(stderr, "cambium-context-demos: %s\n", written.error().message.c_str());
    return 1;
  }
  std::printf("%s: %llu bodies, %llu rows\n", out.c_str(),
              static_cast<unsigned long long>(demonstrations.episodes()),
              static_cast<unsigned long long>(demonstrations.rows()));
  return 0;
}
