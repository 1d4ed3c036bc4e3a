// The seam of a swap on every embodiment that is shipped, with its real plugin, stock and bundle:
// the head's last layer is turned round in mid-motion, and no joint feels more than one limiter
// step of it.
#include <gtest/gtest.h>

#include <cmath>

#include "cambium/client.hpp"
#include "core/nn/safetensors.hpp"
#include "core/nn/stock.hpp"
#include "core/runtime/host.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/server.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::test {
namespace {

using namespace std::chrono_literals;

struct Body {
  const char *name, *plugin;
  const char* head_plugin = "";  // a library of heads alone, as the demo's
};

class SeamTest : public testing::TestWithParam<Body> {
 protected:
  std::string ipc(const char* name) { return "ipc://" + (folder_ / name).string(); }
  std::filesystem::path bundle() const {
    return std::filesystem::path(CAMBIUM_MODELS) / (std::string(GetParam().name) + ".safetensors");
  }
  // The same bundle, but the head says the opposite.
  std::filesystem::path contrary() {
    const auto original = nn::SafetensorsFile::open(bundle());
    std::vector<nn::TensorToWrite> tensors;
    std::vector<std::vector<float>> turned;
    turned.reserve(original->tensors().size());
    std::string last;  // layer of the head, by the order of names: "heads.panda7.net.4"
    for (const auto& tensor : original->tensors())
      if (tensor.name.starts_with("heads.") && tensor.name.ends_with(".bias"))
        last = tensor.name.substr(0, tensor.name.rfind('.'));
    for (const auto& tensor : original->tensors()) {
      tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes.data()});
      if (last.empty() || !tensor.name.starts_with(last + ".")) continue;
      turned.push_back(*original->read_f32(tensor.name));
      for (float& value : turned.back()) value = -value;
      tensors.back().data = turned.back().data();
    }
    EXPECT_EQ(turned.size(), 2U) << "weight and bias of '" << last << "'";
    const auto file = folder_ / "contrary.safetensors";
    EXPECT_TRUE(nn::write_safetensors(file, tensors, original->metadata()));
    return file;
  }

  TemporaryFolder folder_;
};

TEST_P(SeamTest, IsWithinOneLimiterStep) {
  const auto stock = nn::Stock::open(std::filesystem::path(CAMBIUM_MODELS) / "stock.safetensors");
  ASSERT_TRUE(stock);
  auto model = trunk::load_model(stock->file(), {.max_rows = 1024});
  ASSERT_TRUE(model);
  auto server = trunk::TrunkServer::start(
      {.endpoint = ipc("trunk")},
      {.id = base::from_hex(stock->trunk_id()), .backend = "", .max_tokens = 256},
      std::move(*model));
  ASSERT_TRUE(server);
  config::Config config;
  config.trunk.endpoint = ipc("trunk");
  config.trunk.stock = std::filesystem::path(CAMBIUM_MODELS) / "stock.safetensors";
  config.host.control = ipc("control");
  config.host.admin = ipc("admin");
  config.host.run_dir = folder_.path();
  config.host.realtime = config::Realtime::off;
  config::RobotConfig robot;
  robot.name = "arm";
  robot.plugin = GetParam().plugin;
  robot.head_plugin = GetParam().head_plugin;
  robot.bundle = bundle();
  robot.gate.max_observation_age = 10s;
  robot.swap.probation = 0;
  config.robots = {robot};
  auto host = runtime::Host::start(config, [](const std::string&) {});
  ASSERT_TRUE(host) << host.error().message;
  auto client = Client::open({.endpoint = ipc("control"), .robot = "arm"});
  ASSERT_TRUE(client);
  const RobotInfo info = *client->wait(5s);
  const double dt = 1.0 / info.control_hz;

  // An arm that follows its commands perfectly, on its way to a goal aside of its tool.
  std::vector<float> position, velocity(info.joints.size(), 0.0F);
  for (const auto& joint : info.joints) position.push_back(static_cast<float>(joint.home));
  ActionReply reply;
  std::uint64_t seams = 0, generation = 0;
  bool paused = false;  // the host takes up from what it measures: no seam
  double before = 0, turn = 0;
  const auto tick = [&] {
    for (std::size_t i = 0; i < info.sensors.size(); ++i) {
      std::size_t size = 1;
      for (const auto extent : info.sensors[i].shape) size *= extent;
      std::vector<float> values(size, info.sensors[i].name == "goal" ? 0.35F : 0.2F);
      if (info.sensors[i].name == "joint_position") values = position;
      ASSERT_TRUE(client->set(i, values).ok());
    }
    ASSERT_TRUE(client->act(reply, 1s).ok());
    double speed = 0;
    for (std::size_t j = 0; j < position.size(); ++j) {
      const auto now = info.action == ActionKind::joint_velocity
                           ? reply.values[j]
                           : static_cast<float>((reply.values[j] - position[j]) / dt);
      const double step = info.joints[j].acceleration_max * dt;
      const double jump = std::abs(now - velocity[j]) / step;
      EXPECT_TRUE(paused || jump <= 1.0 + 1e-4)
          << info.joints[j].name << ", generation " << reply.generation << ": " << jump;
      velocity[j] = now;
      position[j] = static_cast<float>(position[j] + now * dt);
      speed = std::max(speed, std::abs(now) / info.joints[j].velocity_max);
    }
    seams += reply.generation != generation && generation != 0 && !paused;
    paused = false;
    generation = reply.generation;
    before = speed;
  };
  const std::filesystem::path other = contrary();
  for (int swap = 0; seams < 6; ++swap) {
    ASSERT_LT(swap, 40) << "a swap takes longer than a pause";
    double fastest = 0;
    for (int i = 0; i < 12 || reply.drive != Drive::policy; ++i) {
      ASSERT_LT(i, 2000);
      ASSERT_NO_FATAL_FAILURE(tick());
      fastest = std::max(fastest, before);
    }
    turn = std::max(turn, fastest);
    const auto begun = base::monotonic_ns();
    const auto report = (*host)->swap({.robot = "arm", .bundle = swap % 2 == 0 ? other : bundle()});
    ASSERT_TRUE(report.ok()) << report.reason;
    // Nobody ticked meanwhile: after five periods (Robot::keep_time()) that is a pause, not jitter.
    paused = static_cast<double>(base::monotonic_ns() - begun) * 1e-9 > 4 * dt;
    ASSERT_NO_FATAL_FAILURE(tick());
  }
  for (int i = 0; i < 12; ++i) ASSERT_NO_FATAL_FAILURE(tick());
  EXPECT_GT(turn, 0.02) << "the robot did move";
}

INSTANTIATE_TEST_SUITE_P(Every, SeamTest,
                         testing::Values(Body{"planar3", PLUGIN_PLANAR3},
                                         Body{"scara4", PLUGIN_SCARA4}, Body{"so101", PLUGIN_SO101},
                                         Body{"ur5e", PLUGIN_UR5E}, Body{"panda7", PLUGIN_PANDA7},
                                         Body{"panda7", PLUGIN_PANDA7, REACH_HEAD}),
                         [](const auto& one) {
                           return std::string(one.param.name) +
                                  (*one.param.head_plugin != 0 ? "_with_reach_head" : "");
                         });

}  // namespace
}  // namespace cambium::test
