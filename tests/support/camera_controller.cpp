// tests/support/camera_controller.cpp: a controller in a process of its own that sends frames until
// it is killed: ENDPOINT ROBOT. Says how large readings travel, then how many ticks the policy
// drove, every hundred.
#include <chrono>
#include <cstdio>
#include <vector>

#include "cambium/client.hpp"
#include "tests/support/toy_camera.hpp"

int main(int, char** argv) {
  using namespace cambium;
  auto client = Client::open({.endpoint = argv[1],
                              .robot = argv[2],
                              .embodiment = "",
                              .name = "camera",
                              .on_event = [](const ClientEvent& event) {
                                std::printf("%s\n", event.text.c_str());
                                std::fflush(stdout);
                              }});
  if (!client || !client->wait(std::chrono::seconds(10))) return 1;
  std::vector<float> frame(toy::kCameraSize), joints(2);
  ActionReply reply;
  for (std::uint32_t tick = 0, driven = 0;; ++tick) {
    toy::fill_camera(frame, tick);
    (void)client->set("joint_position", joints);
    (void)client->set("camera", frame);
    if (client->act(reply, std::chrono::seconds(1)).ok() && reply.drive == Drive::policy) ++driven;
    if (tick % 100 != 99) continue;
    std::printf("driven %u\n", driven);
    std::fflush(stdout);
  }
}
