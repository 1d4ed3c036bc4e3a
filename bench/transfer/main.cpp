// bench/transfer/main.cpp: cambium-bench-transfer, which `cambium bench transfer` becomes: it alone
// links the physics.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench/transfer/measure.hpp"
#include "core/app/beside.hpp"
#include "core/app/exit_code.hpp"
#include "core/learn/interrupt.hpp"
#include "core/learn/plot.hpp"

namespace {

using namespace cambium;
namespace fs = std::filesystem;

struct Arguments {
  transfer::Options options;
  std::string stock, results = "transfer-results", pictures;
  bool quick = false, json = false, look = false, same = false;
};

int fail(const Error& error) {
  fmt::print(stderr, "cambium bench transfer: {}\n", error.message);
  return app::exit_code_of(error.code);
}

void add_options(CLI::App& program, Arguments& arguments) {
  auto& o = arguments.options;
  const auto list = [&](const char* name, auto& values, const char* text) {
    return program.add_option(name, values, text)->delimiter(',')->capture_default_str();
  };
  list("--tasks", o.tasks, "reach, choose, push");
  list("--bodies", o.bodies,
       "Arms, or random:SEED; left out: so101, ur5e, and for push panda7 as well");
  list("--grounds", o.grounds, "stock, trunk, random, none, scratch");
  list("--demos", o.demos, "Demonstrations; fewer are the first of more");
  list("--seeds", o.seeds, "Each with demonstrations and first weights of its own");
  program.add_option("--steps", o.steps, "Steps of 'same steps', of 64 samples each")
      ->capture_default_str();
  list("--candidates", o.candidates, "Steps among which each cell finds those it likes best");
  program.add_flag("--same-steps", arguments.same, "No search for the best steps");
  program.add_option("--attempts", o.attempts, "Attempts in closed loop by which a row is judged")
      ->capture_default_str();
  program.add_option("--replan", o.replan, "Ticks that are played of each chunk")
      ->capture_default_str();
  program.add_option("--stock", arguments.stock,
                     "Stock to graft onto; left out: the one that came "
                     "with this program");
  program.add_option("--results", arguments.results, "Folder that keeps finished rows")
      ->capture_default_str();
  program.add_option("--jobs", o.jobs, "Rows at once, one thread each; 0: one for each core")
      ->capture_default_str();
  program.add_flag("--quick", arguments.quick,
                   "A few minutes: reach and choose, 10 and 50 demonstrations, one seed, 25 "
                   "attempts, 400 steps");
  program.add_flag("--look", arguments.look, "Measure nothing, report what is there");
  program.add_flag("--json", arguments.json, "Print one JSON object");
  program.add_option("--pictures", arguments.pictures, "Folder for transfer.svg and its like");
  auto* group = program.add_option_group("Comparison of stocks");
  group->add_flag("--scaling", o.scaling,
                  "Instead: stocks of more and more random bodies, and of trunk sizes");
  group
      ->add_flag("--ablation", o.ablation,
                 "Instead: what joint stem and joint head do for a body, part by part")
      ->excludes("--scaling");
  group->add_option("--pretrain-bodies", o.pretrain_bodies, "Random bodies of a stock")
      ->delimiter(',')
      ->capture_default_str();
  group
      ->add_option("--usual-bodies", o.usual_bodies,
                   "The same where trunk sizes are compared, and for --ablation")
      ->capture_default_str();
  group->add_option("--widths", o.widths, "Of the trunk, at --usual-bodies")
      ->delimiter(',')
      ->capture_default_str();
  group->add_option("--blocks", o.blocks, "Of the trunk, at --usual-bodies")
      ->delimiter(',')
      ->capture_default_str();
  group->add_option("--pretrain-steps", o.pretrain_steps, "The same for every stock")
      ->capture_default_str();
  group
      ->add_option("--pretrain-episodes", o.pretrain_episodes,
                   "Demonstrations of each task, over all bodies of a stock together")
      ->capture_default_str();
  program.footer(
      "Examples:\n"
      "  cambium bench transfer --quick\n"
      "  cambium bench transfer --json --pictures docs/images\n"
      "  cambium bench transfer --tasks reach --bodies ur5e --grounds stock,scratch --demos 50\n"
      "  cambium bench transfer --scaling --pretrain-steps 2000\n"
      "\nRows are kept as they are finished: after a Ctrl-C the same command goes on, and other\n"
      "options add to what is there.");
}

/// Of the options that --quick sets, those that were given stay as they were given.
void settle(const CLI::App& program, Arguments& arguments) {
  auto& o = arguments.options;
  const auto given = o;
  const auto keep = [&](const char* name, auto member) {
    if (program.count(name) > 0) o.*member = given.*member;
  };
  if (o.scaling || o.ablation) o.tasks = {"reach", "choose"};
  if (o.scaling) o.demos = {0, 10, 50, 200};
  if (arguments.quick) transfer::make_quick(o);
  if (arguments.same) o.candidates.clear();
  keep("--tasks", &transfer::Options::tasks);
  keep("--demos", &transfer::Options::demos);
  keep("--seeds", &transfer::Options::seeds);
  keep("--steps", &transfer::Options::steps);
  keep("--attempts", &transfer::Options::attempts);
  if (!arguments.same) keep("--candidates", &transfer::Options::candidates);
  keep("--pretrain-bodies", &transfer::Options::pretrain_bodies);
  keep("--usual-bodies", &transfer::Options::usual_bodies);
  keep("--widths", &transfer::Options::widths);
  keep("--blocks", &transfer::Options::blocks);
  keep("--pretrain-steps", &transfer::Options::pretrain_steps);
  keep("--pretrain-episodes", &transfer::Options::pretrain_episodes);
  o.stock = arguments.stock.empty() ? app::Beside().model("stock.safetensors")
                                    : fs::path(arguments.stock);
  o.results = arguments.results;
}

Result<void> write_pictures(const fs::path& folder, const transfer::Report& report) {
  std::error_code error;
  fs::create_directories(folder, error);
  const std::pair<const char*, std::string> pictures[] = {
      {"transfer.svg", draw_table(report, false)},
      {"transfer.best.svg", draw_table(report, true)},
      {"transfer.bodies.svg", draw_bodies(report)},
      {"transfer.sizes.svg", draw_sizes(report)}};
  for (const auto& [name, svg] : pictures)
    if (!svg.empty())
      if (auto written = learn::write_text(folder / name, svg); !written) return written;
  return {};
}

/// One line that is drawn over itself on a terminal, and a line for each row elsewhere.
class Line {
 public:
  void show(const std::string& text, bool worth_a_line) {
    if (terminal_)
      fmt::print(stderr, "\r\x1b[K{}", text);
    else if (worth_a_line)
      fmt::print(stderr, "{}\n", text);
    std::fflush(stderr);
    drawn_ = true;
  }
  ~Line() {
    if (terminal_ && drawn_) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  bool drawn_ = false;
};

std::string text_of(const transfer::Standing& standing) {
  std::string text = fmt::format("{} of {} rows", standing.done, standing.all);
  if (standing.left >= 0) {
    const auto minutes = static_cast<long>(standing.left / 60 + 0.5);
    text += minutes < 100 ? fmt::format(", about {} min left", minutes)
                          : fmt::format(", about {:.1f} h left", standing.left / 3600);
  }
  return standing.last.empty() ? text : text + "; " + standing.last;
}

int run(const Arguments& arguments) {
  if (auto good = transfer::check(arguments.options); !good) return fail(good.error());
  const learn::Interrupt interrupt;  // first: nothing is left half done, the lock included
  auto results = arguments.look ? transfer::Results::look(arguments.options.results)
                                : transfer::Results::open(arguments.options.results);
  if (!results) return fail(results.error());
  Result<transfer::Report> report = transfer::Report{};
  {
    Line line;
    int tenth = -1;
    report = transfer::measure(
        arguments.options, *results, arguments.look,
        {[&] { return interrupt.asked(); },
         [&](const transfer::Standing& standing) { line.show(text_of(standing), true); },
         [&](const std::string& stock, const char* doing, double part) {
           const bool new_tenth = std::exchange(tenth, static_cast<int>(10 * part)) != tenth;
           line.show(fmt::format("stock of {}: {} {:.0f} %", stock, doing, 100 * part), new_tenth);
         }});
  }
  if (!report) return fail(report.error());
  if (arguments.json)
    fmt::print("{}\n", json_of(*report).dump());
  else
    fmt::print("{}", transfer::text_of(*report));
  if (!arguments.pictures.empty())
    if (auto done = write_pictures(arguments.pictures, *report); !done) return fail(done.error());
  if (!interrupt.asked()) return app::kDone;
  fmt::print(stderr, "stopped; {} rows are kept in '{}', and the same command goes on\n",
             results->size(), arguments.options.results.string());
  return app::kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{
      "Does a frozen stock carry new bodies? Grafts against training from scratch and what lies "
      "between, in closed loop.",
      "cambium bench transfer"};
  Arguments arguments;
  add_options(program, arguments);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  settle(program, arguments);
  return run(arguments);
}
