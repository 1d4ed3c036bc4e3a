// examples/context/eval.cpp: cambium-context-eval: whether a policy's error falls while it moves a
// body that it has never seen, with frozen weights.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "examples/context/mind.hpp"
#include "examples/context/open_arm.hpp"
#include "examples/context/report.hpp"

namespace {

using namespace cambium;

volatile std::sig_atomic_t interrupted = 0;

struct Arguments {
  std::filesystem::path stock, bundle, memoryless_stock, memoryless_bundle, out;
  context::EvaluateOptions options;
};

context::Actor actor_of(context::Mind& mind) {
  return {[&mind](const context::Episode&) { mind.begin(); },
          [&mind](const context::Episode& episode) { return mind.act(episode.state()); }};
}

const context::Actor kExpert = {[](const context::Episode&) {},
                                [](const context::Episode& e) -> Result<context::Joints> {
                                  return context::expert(e.body(), e.q(), e.goal());
                                }};

Result<void> judge(const context::Actor& actor, const context::EvaluateOptions& options,
                   context::Judged& one) {
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  for (const auto bodies : {context::Bodies::trained, context::Bodies::held_out}) {
    auto course = context::evaluate(bodies, actor, options, [&](std::uint32_t done) {
      if (terminal)
        std::fprintf(stderr, "\r%-12s %5u / %u bodies ", one.name.c_str(), done, options.bodies);
      return interrupted == 0;
    });
    if (!course) return course.error();
    (bodies == context::Bodies::trained ? one.fresh : one.held_out) = std::move(*course);
  }
  if (terminal) std::fputs("\r\033[K", stderr);
  if (interrupted) return Error{Code::failed, "interrupted; nothing was written"};
  return {};
}

Result<void> run(const Arguments& a) {
  const auto library = context::open_arm();
  if (!library) return library.error();
  std::vector<context::Judged> all;
  struct Candidate {
    const char *name, *colour;
    const std::filesystem::path &stock, &bundle;
    bool forgets;
  };
  const Candidate candidates[] = {
      {"memory", "#2a78b8", a.stock, a.bundle, false},
      {"memory off", "#d1572c", a.stock, a.bundle, true},
      {"memoryless", "#7a5195", a.memoryless_stock, a.memoryless_bundle, false}};
  for (const auto& [name, colour, stock, bundle, forgets] : candidates) {
    if (stock.empty()) continue;
    auto mind = context::Mind::make(stock, bundle, **library, forgets);
    if (!mind) return mind.error();
    all.push_back(
        {name, colour, (*mind)->trunk_id(), (*mind)->trained(), (*mind)->session_bytes(), {}, {}});
    if (auto done = judge(actor_of(**mind), a.options, all.back()); !done) return done;
  }
  all.push_back({"expert", "#4c9a2a", "", "", 0, {}, {}});
  if (auto done = judge(kExpert, a.options, all.back()); !done) return done;
  context::print(all, a.options);
  return a.out.empty() ? Result<void>() : context::write(a.out, all, a.options);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{
      "Drives planar arms that are drawn anew each episode, and shows how the policy's error goes\n"
      "with the ticks: with its memory, with the memory begun anew each tick, and for a policy\n"
      "without memory. The expert, who knows each body, is the floor."};
  program.footer(
      "Example:\n"
      "  cambium-context-eval --stock models/context_stock.safetensors \\\n"
      "      --bundle models/context_arm.safetensors --out context");
  Arguments a;
  program.add_option("--stock", a.stock, "Trunk with memory")->required();
  program.add_option("--bundle", a.bundle, "What was learned with it for context_arm")->required();
  auto* stock = program.add_option("--memoryless-stock", a.memoryless_stock,
                                   "Trunk without memory, to compare with");
  program.add_option("--memoryless-bundle", a.memoryless_bundle, "Its bundle")->needs(stock);
  program.add_option("--bodies", a.options.bodies, "Of each kind")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  program.add_option("--ticks", a.options.ticks, "Of an episode")
      ->capture_default_str()
      ->check(CLI::Range(static_cast<int>(context::kGoalTicks), 1000000));
  program.add_option("--wiggle", a.options.wiggle, "First ticks, in which the motors only jitter")
      ->capture_default_str();
  program.add_option("--seed", a.options.seed, "Of bodies and goals")->capture_default_str();
  program.add_option("--out", a.out, "Writes OUT.json, OUT.action.svg and OUT.distance.svg");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  if (const auto done = run(a); !done) {
    std::fprintf(stderr, "cambium-context-eval: %s\n", done.error().message.c_str());
    return interrupted ? 1 : 2;
  }
  return 0;
}
