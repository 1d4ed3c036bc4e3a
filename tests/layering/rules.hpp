// tests/layering/rules.hpp: who may include whom. The tables of the architecture; layering_test.cpp
// holds every source file against them.
#pragma once

#include <string_view>
#include <vector>

namespace cambium::layering {

using Names = std::vector<std::string_view>;

/// A folder and the folders that its files may include besides themselves. The longest prefix of a
/// file's path decides which row is its own.
struct Room {
  std::string_view folder;
  Names may_include;
};

// "interfaces" stands for cambium/ and abi/, "wire" for the generated wire/ headers.
inline const std::vector<Room> kRooms = {
    {"interfaces", {}},
    // Ground: knows no robot and no network; nn is what stems, heads and trunk stand on.
    {"core/base", {"interfaces"}},
    {"core/nn", {"interfaces", "core/base"}},
    // Policy: what turns observations into tokens, and features into actions.
    {"stems", {"interfaces", "core/base", "core/nn"}},
    {"heads", {"interfaces", "core/base", "core/nn"}},
    // The host.
    {"core/config", {"interfaces", "core/base"}},
    {"core/plugin", {"interfaces", "core/base"}},
    {"core/transport", {"interfaces", "core/base", "wire"}},
    {"core/client", {"interfaces", "core/base", "core/transport", "wire"}},
    // Clients of other protocols: their encodings, what they all need, and a folder for each, which
    // knows no other.
    {"core/formats", {"interfaces"}},
    {"core/gateway", {"interfaces", "core/base", "core/config", "core/formats"}},
    {"core/adapters/openpi",
     {"interfaces", "core/base", "core/config", "core/formats", "core/gateway"}},
    {"core/adapters/groot",
     {"interfaces", "core/base", "core/config", "core/formats", "core/gateway", "core/transport"}},
    {"core/adapters/lerobot",
     {"interfaces", "core/base", "core/config", "core/formats", "core/gateway", "wire"}},
    {"core/adapters/json",
     {"interfaces", "core/base", "core/config", "core/formats", "core/gateway", "core/transport"}},
    {"core/adapters", {"interfaces", "core/base", "core/config", "core/gateway", "core/adapters"}},
    {"core/trunk",
     {"interfaces", "core/base", "core/nn", "core/config", "core/transport", "stems", "wire"}},
    {"core/runtime",
     {"interfaces", "core/base", "core/nn", "core/config", "core/plugin", "core/transport",
      "core/trunk", "stems", "wire"}},
    // Judges what a host is given; nothing of the host includes it.
    {"core/check",
     {"interfaces", "core/base", "core/nn", "core/config", "core/plugin", "core/runtime",
      "core/trunk/model.hpp", "stems"}},
    // Learning stands beside the host: nothing of the host includes it.
    {"core/learn",
     {"interfaces", "core/base", "core/nn", "core/plugin/embodiment.hpp", "core/trunk/model.hpp",
      "stems", "heads"}},
    {"core/app", {"interfaces", "core", "stems", "heads", "bench", "wire"}},
    // Robots never see the host, so that a change of the host cannot break a robot.
    {"plugins", {"interfaces", "stems", "heads"}},
    {"examples", {"interfaces", "core", "stems", "heads"}},
    // Nothing includes these two.
    {"tests", {"interfaces", "core", "stems", "heads", "plugins", "examples", "bench", "wire"}},
    {"bench", {"interfaces", "core", "stems", "heads", "examples", "tests/support", "wire"}},
};

/// A third-party header (or all that begin so) and the only folders that may include it.
struct Door {
  std::string_view header;
  Names folders;
};

inline const std::vector<Door> kDoors = {
    {"boost/dll", {"core/plugin"}},
    {"dlfcn.h", {"core/plugin", "examples/reach"}},  // there: EGL or OSMesa, if there is one
    {"elf.h", {"core/plugin"}},
    {"toml++/", {"core/config"}},
    {"zmq", {"core/transport", "core/client"}},
    {"flatbuffers/", {"core/transport", "core/client"}},
    {"wire/",
     {"core/transport", "core/client", "core/trunk", "core/runtime", "core/app",
      "core/adapters/lerobot"}},
    {"msgpack", {"core/formats"}},
    {"boost/beast", {"core/adapters/openpi"}},
    {"boost/asio", {"core/adapters/openpi", "core/adapters/json"}},
    {"grpc", {"core/adapters/lerobot"}},
    {"google/protobuf", {"core/adapters/lerobot"}},
    {"sodium", {"core/base"}},
    {"mujoco/", {"examples/reach", "examples/tasks"}},
    {"urdf", {"core/app"}},
    {"console_bridge/", {"core/app"}},
    {"CLI/", {"core/app", "examples"}},
    {"openssl/", {"core/base"}},
    {"oneapi/dnnl", {"core/nn", "core/learn"}},
    {"dnnl", {"core/nn", "core/learn"}},
    {"benchmark/", {"bench"}},
    {"nlohmann/",
     {"core/adapters/json", "core/adapters/groot", "core/nn", "core/learn", "core/trunk",
      "core/runtime", "core/app", "examples"}},
    // Not the host: Eigen's alignment depends on flags, so it stays where the arithmetic is.
    {"Eigen/",
     {"interfaces/cambium/eigen.hpp", "core/nn", "core/learn", "core/trunk", "stems", "heads",
      "examples"}},
};
// Tests and benchmarks may look behind every door.
inline const Names kEveryDoor = {"tests", "bench"};

}  // namespace cambium::layering
