#include "bench/rig.hpp"

#include <fmt/format.h>

#include <fstream>

namespace cambium::bench {
namespace {

constexpr base::Nanoseconds kStart = 20 * base::kSecond;

}  // namespace

Result<std::unique_ptr<Rig>> Rig::start(const RigOptions& options, const Wait& wait) {
  std::unique_ptr<Rig> rig(new Rig(options));
  if (auto written = rig->write_files(); !written) return written.error();
  rig->write_config();
  const auto& folder = rig->folder();
  const std::string config = folder / "cambium.toml";
  const auto run = [&](const std::string& name, const std::vector<std::string>& arguments) {
    rig->processes_.emplace_back(
        name, std::make_unique<Process>(options.program, arguments, folder / (name + ".log")));
  };
  if (options.supervised) {
    // Killed far more often than anything dies in a lab: so a death is the first one sooner.
    run("up", {"up", "--plain", "--settled", "0.5", config});
  } else {
    run("trunk", {"trunk", "--config", config});
    run("host", {"host", "--config", config});
  }
  if (auto up = rig->wait_until_up(wait); !up) return up.error();
  return rig;
}

Result<void> Rig::write_files() {
  const auto stock = nn::Stock::open(options_.stock);
  if (!stock) return stock.error();
  for (int i = 0; i <= options_.robots; ++i) {
    const bool fast = i == options_.robots;
    RigRobot robot{.name = fast ? "fast" : "arm" + std::to_string(i),
                   .body = {.dof = 7, .control_hz = fast ? 500 : 200},
                   .isolated = options_.isolated && i % 2 == 1};
    robot.folder = folder_.path / robot.name;
    std::filesystem::create_directory(robot.folder);
    for (const auto& file : {robot.arm(), robot.head(), robot.stems()}) {
      if (auto made = write_rebuilt(options_.plugins / file.filename(), file, 0); !made)
        return made.error();
    }
    for (const std::uint32_t dof : {7U, 6U}) {
      const ArmBody body{.dof = dof, .control_hz = robot.body.control_hz};
      for (const int variant : {0, 1}) {
        const auto seed = static_cast<std::uint64_t>((i * 10 + variant) * 10) + dof;
        if (auto made = write_arm_bundle(robot.bundle(body, variant), *stock, body, seed); !made)
          return made.error();
      }
    }
    robots_.push_back(std::move(robot));
  }
  return {};
}

void Rig::write_config() const {
  std::ofstream file(folder_.path / "cambium.toml");
  file << fmt::format(
      "[trunk]\nendpoint = \"{}\"\nstock = \"{}\"\n"
      "[host]\ncontrol = \"{}\"\nadmin = \"{}\"\nrun_dir = \"{}\"\n",
      trunk(), options_.stock.string(), control(), admin(), folder_.path.string());
  for (const auto& robot : robots_) {
    // A new chunk every 20 ms, whatever the rate.
    file << fmt::format(
        "[[robot]]\nname = \"{}\"\nplugin = \"{}\"\nembodiment = \"{}\"\nbundle = \"{}\"\n"
        "replan_every = {}\nisolate = {}\n",
        robot.name, robot.arm().string(), robot.body.name(), robot.bundle(robot.body, 0).string(),
        robot.body.control_hz / 50, robot.isolated);
  }
}

Result<void> Rig::wait_until_up(const Wait& wait) {
  const base::Nanoseconds until = base::monotonic_ns() + kStart;
  const auto failed = [&](Code code, const std::string& name) {
    return Error{
        code, fmt::format("the {} did not start: {}", name, last_line(folder() / (name + ".log")))};
  };
  while (base::monotonic_ns() < until) {
    for (const auto& [name, process] : processes_)
      if (!process->running()) return failed(Code::failed, name);
    const auto answer = runtime::ask_admin(admin(), {.verb = "status"}, 200 * base::kMillisecond);
    if (answer && nlohmann::json::parse(answer->json)["trunk"].value("alive", false)) return {};
    if (wait(20 * base::kMillisecond)) return Error{Code::failed, "interrupted"};
  }
  return failed(Code::unavailable, processes_.back().first);
}

pid_t Rig::process(const char* verb) const {
  for (const auto& [name, process] : processes_) {
    if (name == verb) return process->pid();
    if (name != "up") continue;
    for (const pid_t child : children_of(process->pid()))
      if (command_line(child).find(std::string(" ") + verb + " ") != std::string::npos)
        return child;
  }
  return -1;
}

pid_t Rig::trunk_process() const {
  return process("trunk");
}

pid_t Rig::host_process() const {
  return process("host");
}

std::vector<pid_t> Rig::policy_processes(const RigRobot& robot) const {
  std::vector<pid_t> found;
  for (const pid_t child : children_of(host_process()))
    if (command_line(child).find(robot.arm().string()) != std::string::npos) found.push_back(child);
  return found;
}

Result<nlohmann::json> Rig::ask(const runtime::AdminCall& call, base::Nanoseconds timeout) const {
  const auto answer = runtime::ask_admin(admin(), call, timeout);
  if (!answer) return answer.error();
  auto json = nlohmann::json::parse(answer->json, nullptr, false);
  if (json.is_discarded()) return Error{Code::bad_data, "the host's answer is not JSON"};
  return json;
}

}  // namespace cambium::bench
