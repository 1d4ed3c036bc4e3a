#include <vector>

#include "bench/clients/protocol.hpp"

namespace cambium::bench {
namespace {

// How each protocol's clients call what the robot senses. Pictures are u8, sensors take 0 to 1.
[[maybe_unused]] constexpr const char* kJson = R"(
[[listener.sensor]]
sensor = "cam_high"
range = "unit"
[[listener.sensor]]
sensor = "cam_left_wrist"
range = "unit"
[[listener.sensor]]
sensor = "cam_right_wrist"
range = "unit"
)";
[[maybe_unused]] constexpr const char* kOpenpi = R"(
[[listener.sensor]]
sensor = "joint_position"
key = "state"
[[listener.sensor]]
sensor = "cam_high"
key = "images/cam_high"
[[listener.sensor]]
sensor = "cam_left_wrist"
key = "images/cam_left_wrist"
[[listener.sensor]]
sensor = "cam_right_wrist"
key = "images/cam_right_wrist"
)";
[[maybe_unused]] constexpr const char* kGroot = R"(
[[listener.sensor]]
sensor = "joint_position"
key = "state.joints"
[[listener.sensor]]
sensor = "cam_high"
key = "video.cam_high"
[[listener.sensor]]
sensor = "cam_left_wrist"
key = "video.cam_left_wrist"
[[listener.sensor]]
sensor = "cam_right_wrist"
key = "video.cam_right_wrist"
)";
[[maybe_unused]] constexpr const char* kLerobot = R"(
[[listener.sensor]]
sensor = "joint_position"
keys = ["left_1.pos", "left_2.pos", "left_3.pos", "left_4.pos", "left_5.pos", "left_6.pos", "left_7.pos",
        "right_1.pos", "right_2.pos", "right_3.pos", "right_4.pos", "right_5.pos", "right_6.pos", "right_7.pos"]
)";

std::vector<Protocol> built() {
  std::vector<Protocol> all = {
      {"native", nullptr, "", connect_native, connect_bare_native, bare_zeromq}};
#ifdef CAMBIUM_JSON
  all.push_back({"json", "protocol = \"json\"", kJson, connect_json_lines, nullptr, bare_lines});
  all.push_back({"json over zeromq", "protocol = \"json\"\nframing = \"zeromq\"", kJson,
                 connect_json_zeromq, nullptr, bare_zeromq});
#endif
#ifdef CAMBIUM_OPENPI
  all.push_back(
      {"openpi", "protocol = \"openpi\"", kOpenpi, connect_openpi, nullptr, bare_websocket});
#endif
#ifdef CAMBIUM_GROOT
  all.push_back({"groot", "protocol = \"groot\"", kGroot, connect_groot, nullptr, bare_zeromq});
#endif
#ifdef CAMBIUM_LEROBOT
  all.push_back(
      {"lerobot", "protocol = \"lerobot\"", kLerobot, connect_lerobot, nullptr, bare_grpc});
#endif
  return all;
}

}  // namespace

std::span<const Protocol> protocols() {
  static const std::vector<Protocol> all = built();
  return all;
}

}  // namespace cambium::bench
