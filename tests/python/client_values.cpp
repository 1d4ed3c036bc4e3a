// tests/python/client_values.cpp: what the C++ client is answered to one observation: the robot at
// home. Prints the drive, the action and the chunk, as hexadecimal floats that Python reads
// exactly.
#include <cstdio>
#include <vector>

#include "cambium/client.hpp"

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  if (argc != 3) return 2;
  auto client = cambium::Client::open({.endpoint = argv[1],
                                       .robot = argv[2],
                                       .embodiment = "",
                                       .name = "client_values",
                                       .on_event = {}});
  const auto info = client ? client->wait(5s) : client.error();
  if (!info) return 3;
  const auto observe = [&] {
    const std::vector<float> goal = {0.45F, 0.05F, 0.1F};
    std::vector<float> home;
    for (const auto& joint : info->joints) home.push_back(static_cast<float>(joint.home));
    bool all = true;
    for (const auto& sensor : info->sensors)
      all &= client->set(sensor.name, sensor.name == "joint_position" ? home : goal).ok();
    return all;
  };
  cambium::ChunkReply chunk;
  if (!observe() || !client->infer(chunk, 20s).ok()) return 3;
  const std::vector<float> rows(chunk.values.begin(), chunk.values.end());
  client->start_episode();
  cambium::ActionReply action;
  if (!observe() || !client->act(action, 20s).ok()) return 3;
  std::printf("%d", static_cast<int>(action.drive));
  for (const float value : action.values) std::printf(" %a", static_cast<double>(value));
  for (const float value : rows) std::printf(" %a", static_cast<double>(value));
  std::printf("\n");
}
