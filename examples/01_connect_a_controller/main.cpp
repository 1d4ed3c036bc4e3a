// examples/01_connect_a_controller/main.cpp: connect an existing controller. The robot here is a
// few numbers that follow their velocity command after a while; yours is behind the same two
// functions.
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "cambium/client.hpp"

namespace {

// [yours] Stands for your robot's driver: 3 joints, each a first-order lag of 50 ms.
struct MyRobot {
  std::vector<float> position, velocity;  // [rad], [rad/s]

  const std::vector<float>& read_joints() const { return position; }
  void write_velocities(std::span<const float> command, float dt) {
    for (std::size_t j = 0; j < position.size(); ++j) {
      velocity[j] += dt / 0.05F * (command[j] - velocity[j]);
      position[j] += dt * velocity[j];
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s ENDPOINT ROBOT\n", argv[0]);
    return 2;
  }
  // [connect]
  // 1. Say where the host listens and which of its robots this is.
  auto client = cambium::Client::open(
      {.endpoint = argv[1], .robot = argv[2], .embodiment = "", .name = "", .on_event = {}});
  auto info = client ? client->wait(std::chrono::seconds(2)) : client.error();
  if (!info) {
    std::fprintf(stderr, "%s\n", info.error().message.c_str());
    return 3;
  }
  // [/connect]
  // 2. The host says what it expects: joints with limits, sensors with shapes, the control rate.
  MyRobot robot;
  for (const auto& joint : info->joints) robot.position.push_back(static_cast<float>(joint.home));
  robot.velocity.resize(robot.position.size());
  const std::vector<float> still(robot.position.size());
  const float point[] = {0.4F, 0.0F, 0.1F};

  // [tick]
  // 3. Each tick: send what the sensors say, take the action, move. The host answers at once, and
  // what it answers is within the joints' limits.
  const auto period = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(1 / info->control_hz));
  auto next = std::chrono::steady_clock::now();
  for (int tick = 0; tick < 1000; ++tick) {
    for (const auto& sensor : info->sensors) {
      const bool joints = sensor.name == "joint_position";
      const auto set = client->set(sensor.name, joints ? std::span<const float>(robot.read_joints())
                                                       : std::span<const float>(point));
      if (!set.ok()) std::fprintf(stderr, "%s: %s\n", sensor.name.c_str(), to_string(set.code()));
    }
    cambium::ActionReply reply;
    const auto status = client->act(reply, std::chrono::milliseconds(8));
    if (status.code() == cambium::Code::stale) break;  // another body: this controller is done
    robot.write_velocities(status.ok() ? reply.values : still, 1e-9F * period.count());
    if (tick % 100 == 0)
      std::printf("%4d  joint 0 at %+.3f rad, %s\n", tick, robot.position[0],
                  status.ok() ? to_string(reply.drive) : to_string(status.code()));
    std::this_thread::sleep_until(next += period);
  }
  // [/tick]
}
