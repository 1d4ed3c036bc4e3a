// examples/reach/controller.cpp: cambium-reach-controller: a simulated arm that a host's policy
// moves, 100 times a second.
#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cambium/client.hpp"
#include "examples/reach/drive_loop.hpp"
#include "examples/reach/models.hpp"
#include "examples/reach/pacer.hpp"
#include "examples/reach/viewer.hpp"

namespace {

using namespace cambium;
using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t interrupted = 0;

struct Arguments {
  std::string arm, robot, endpoint, report, picture;
  double seconds = 0, wait = 2;
  std::uint64_t seed = 0;
  bool teach = false;
};

int fail(const Error& error, int exit_code) {
  std::fprintf(stderr, "cambium-reach-controller: %s\n", error.message.c_str());
  return exit_code;
}

void on_interrupt(int) {
  interrupted = 1;
}

// Asks in short turns, so that Ctrl-C is heard.
Result<RobotInfo> connect(Client& client, double seconds) {
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    auto info = client.wait(std::chrono::milliseconds(200));
    if (info || interrupted || Clock::now() >= until) return info;
  }
}

Result<void> write_report(const Arguments& arguments, const reach::DriveReport& report) {
  const nlohmann::json json = {{"arm", arguments.arm},
                               {"robot", arguments.robot},
                               {"ticks", report.ticks},
                               {"timeouts", report.timeouts},
                               {"holds", report.holds},
                               {"targets", report.targets},
                               {"reached", report.reached},
                               {"taught", report.taught},
                               {"generation", report.generation},
                               {"body_changed", report.body_changed},
                               {"rtt_us_p50", report.round_trip.quantile_us(0.5)},
                               {"rtt_us_p99", report.round_trip.quantile_us(0.99)}};
  std::ofstream out(arguments.report);
  out << json.dump(2) << "\n";
  if (!out.flush()) return Error{Code::failed, arguments.report + ": cannot be written"};
  return {};
}

int run(const Arguments& arguments) {
  if (!reach::arm_models().contains(arguments.arm))
    return fail(reach::no_such_arm(arguments.arm), 2);
  bool refused = false;  // the host is asked ten times a second; one refusal is told
  const auto tell = [&](const ClientEvent& event) {
    const bool again = refused && event.kind == ClientEvent::Kind::refused;
    refused = event.kind == ClientEvent::Kind::refused;
    if (!again) std::fprintf(stderr, "%s: %s\n", arguments.robot.c_str(), event.text.c_str());
  };
  auto client = Client::open({.endpoint = arguments.endpoint,
                              .robot = arguments.robot,
                              .embodiment = arguments.arm,
                              .name = {},
                              .on_event = tell});
  if (!client) return fail(client.error(), 2);
  const auto info = connect(*client, arguments.wait);
  if (!info) return fail(info.error(), interrupted ? 1 : 3);
  if (info->action != ActionKind::joint_velocity)
    return fail({Code::incompatible,
                 "robot '" + info->robot + "' is moved by joint positions, this arm by velocities"},
                2);
  const auto model = reach::ArmModel::load(arguments.arm, info->joints, info->control_hz);
  if (!model) return fail(model.error(), 2);

  reach::Arm arm(*model);
  reach::GoalSampler goals(*model, arguments.seed);
  reach::DriveReport report;
  const auto start = Clock::now();
  reach::Pacer pacer(model->period());
  const auto next_tick = [&] {
    pacer.wait();
    const std::chrono::duration<double> driven = Clock::now() - start;
    return !interrupted && (arguments.seconds == 0 || driven.count() < arguments.seconds);
  };
  reach::Teacher teacher(*model, {.seed = arguments.seed + 1});
  reach::drive(*client, arm, goals, next_tick, report, arguments.teach ? &teacher : nullptr);

  if (arguments.teach)
    std::printf("%s: %llu episodes taught\n", arguments.robot.c_str(),
                static_cast<unsigned long long>(report.taught));
  std::printf(
      "%s%s: %llu of %llu goals reached in %llu ticks, %llu without an answer, generation "
      "%llu\n",
      arguments.robot.c_str(),
      report.body_changed ? " now has another body; this controller has stopped its arm" : "",
      static_cast<unsigned long long>(report.reached),
      static_cast<unsigned long long>(report.targets),
      static_cast<unsigned long long>(report.ticks),
      static_cast<unsigned long long>(report.timeouts),
      static_cast<unsigned long long>(report.generation));
  std::fflush(stdout);
  if (!arguments.report.empty()) {
    if (const auto written = write_report(arguments, report); !written)
      return fail(written.error(), 1);
  }
  if (!arguments.picture.empty()) {  // a machine that cannot render has still driven its robot
    if (const auto drawn = reach::write_picture(arm, arguments.picture); !drawn)
      std::fprintf(stderr, "%s\n", drawn.error().message.c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{
      "A simulated arm at the end of a Cambium host's socket, given one goal after the "
      "other."};
  program.footer(
      "Examples:\n"
      "  cambium-reach-controller --arm panda7 --robot left --endpoint ipc:///run/cambium/control\n"
      "  cambium-reach-controller --arm so101 --robot left --endpoint ipc:///run/cambium/control "
      "\\\n"
      "      --wait 60 --seconds 30 --report so101.json --viewer so101.png");
  Arguments arguments;
  program.add_option("--arm", arguments.arm, "planar3, scara4, so101, ur5e or panda7")->required();
  program.add_option("--robot", arguments.robot, "Slot of the host to drive")->required();
  program.add_option("--endpoint", arguments.endpoint, "Where the host listens for controllers")
      ->required();
  program.add_option("--seconds", arguments.seconds, "End after this time; 0: on Ctrl-C")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  program
      .add_option("--wait", arguments.wait,
                  "Seconds to keep asking while the host is away or the slot holds another body")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  program.add_option("--seed", arguments.seed, "Of the goals")->capture_default_str();
  program.add_flag(
      "--teach", arguments.teach,
      "Demonstrate, as the expert of the arm, until the robot gets another generation");
  program.add_option("--report", arguments.report, "JSON file to write at the end");
  program.add_option("--viewer", arguments.picture, "PNG of the last moment to write at the end");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  return run(arguments);
}
