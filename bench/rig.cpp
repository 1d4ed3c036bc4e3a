#include "bench/rig.hpp"

#include <fmt/format.h>

#include <fstream>

namespace cambium::bench {
namespace {

constexpr base::Nanoseconds kStart = 20 * base::kSecond;
constexpr base::Nanoseconds kAnswer = 60 * base::kSecond;  // a swap may wait for its probation

}  // namespace

Result<std::unique_ptr<Rig>> Rig::start(const RigOptions& options, const Wait& wait) {
  std::unique_ptr<Rig> rig(new Rig(options));
  if (auto written = rig->write_files(); !written) return written.error();
  rig->write_config();
  const auto& folder = rig->folder();
  const std::string config = folder / "cambium.toml";
  rig->trunk_ = std::make_unique<Process>(
      options.program, std::vector<std::string>{"trunk", "--config", config}, folder / "trunk.log");
  rig->host_ = std::make_unique<Process>(
      options.program, std::vector<std::string>{"host", "--config", config}, folder / "host.log");
  if (auto up = rig->wait_until_up(wait); !up) return up.error();
  return rig;
}

Result<void> Rig::write_files() {
  const auto stock = nn::Stock::open(options_.stock);
  if (!stock) return stock.error();
  for (int i = 0; i <= options_.robots; ++i) {
    const bool fast = i == options_.robots;
    RigRobot robot{.name = fast ? "fast" : "arm" + std::to_string(i),
                   .body = {.dof = 7, .control_hz = fast ? 500 : 200}};
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
  const auto says = [&](const char* who) {
    return fmt::format("the {} did not start: {}", who,
                       last_line(folder() / (std::string(who) + ".log")));
  };
  while (base::monotonic_ns() < until) {
    if (!trunk_->running()) return Error{Code::failed, says("trunk")};
    if (!host_->running()) return Error{Code::failed, says("host")};
    const auto answer = runtime::ask_admin(admin(), {.verb = "status"}, 200 * base::kMillisecond);
    if (answer && nlohmann::json::parse(answer->json)["trunk"].value("alive", false)) return {};
    if (wait(20 * base::kMillisecond)) return Error{Code::failed, "interrupted"};
  }
  return Error{Code::unavailable, says("host")};
}

Result<nlohmann::json> Rig::ask(const runtime::AdminCall& call) const {
  const auto answer = runtime::ask_admin(admin(), call, kAnswer);
  if (!answer) return answer.error();
  auto json = nlohmann::json::parse(answer->json, nullptr, false);
  if (json.is_discarded()) return Error{Code::bad_data, "the host's answer is not JSON"};
  return json;
}

}  // namespace cambium::bench
