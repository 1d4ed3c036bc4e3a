// One stock whose weights belong to no body drives two: four joints, one of which slides, and
// seven.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>

#include "cambium/client.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/host.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/server.hpp"
#include "tests/support/joint_files.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::pair<const char*, const char*> kArms[] = {{"scara4", PLUGIN_SCARA4},
                                                         {"panda7", PLUGIN_PANDA7}};

class JointsTest : public testing::Test {
 protected:
  JointsTest() : stock_(write_joint_stock(folder_ / "stock.safetensors")) {
    for (const auto& [name, file] : kArms) write_joint_bundle(bundle(name), stock_, body_of(file));
  }

  plugin::Embodiment body_of(const char* file) {
    const auto library = plugin::open_library(file, {.run_dir = folder_ / "run"});
    if (!library) throw std::runtime_error(library.error().message);
    return (*library)->embodiment().value();
  }
  std::filesystem::path bundle(const std::string& arm) const {
    return folder_ / (arm + ".safetensors");
  }
  std::string ipc(const char* name) { return "ipc://" + (folder_ / name).string(); }

  /// Both arms on the stock; `isolate` gives each a process of its own.
  void start(bool isolate) {
    auto model = trunk::load_model(stock_.file(), {.max_rows = 256});
    ASSERT_TRUE(model) << model.error().message;
    auto server = trunk::TrunkServer::start(
        {.endpoint = ipc("trunk")},
        {.id = base::from_hex(stock_.trunk_id()), .backend = "", .max_tokens = 64},
        std::move(*model));
    ASSERT_TRUE(server) << server.error().message;
    trunk_ = std::make_unique<trunk::TrunkServer>(std::move(*server));
    config::Config config;
    config.trunk.endpoint = ipc("trunk");
    config.trunk.stock = stock_.file().path();
    config.host.control = ipc("control");
    config.host.admin = ipc("admin");
    config.host.run_dir = folder_.path();
    config.host.realtime = config::Realtime::off;
    for (const auto& [name, file] : kArms) {
      config::RobotConfig robot;
      robot.name = name;
      robot.plugin = file;
      robot.bundle = bundle(name);
      robot.isolation.enabled = isolate;
      robot.gate.max_observation_age = 10s;
      config.robots.push_back(robot);
    }
    auto host = runtime::Host::start(
        config, [](const std::string&) {}, CAMBIUM_PROGRAM);
    ASSERT_TRUE(host) << host.error().message;
    host_ = std::move(*host);
  }

  /// Ticks until the policy has driven a while: whether any joint moved.
  void drive(const char* robot, std::size_t dof) {
    auto client = Client::open({.endpoint = ipc("control"), .robot = robot});
    ASSERT_TRUE(client) << client.error().message;
    const auto info = client->wait(5s);
    ASSERT_TRUE(info) << info.error().message;
    std::vector<float> home;
    for (const auto& joint : info->joints) home.push_back(static_cast<float>(joint.home));
    ASSERT_EQ(home.size(), dof);
    const std::vector<float> goal = {0.3F, 0.1F, 0.2F};
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    int driven = 0;
    float fastest = 0;
    while (driven < 20) {
      ASSERT_LT(base::monotonic_ns(), until) << "the policy never drove";
      ASSERT_TRUE(client->set("joint_position", home).ok());
      ASSERT_TRUE(client->set("tool", goal).ok());
      ASSERT_TRUE(client->set("goal", goal).ok());
      ActionReply reply;
      if (!client->act(reply, 1s).ok() || reply.drive != Drive::policy) continue;
      ++driven;
      ASSERT_EQ(reply.values.size(), dof);
      for (const float speed : reply.values) {
        ASSERT_TRUE(std::isfinite(speed));
        fastest = std::max(fastest, std::abs(speed));
      }
    }
    EXPECT_GT(fastest, 0) << "a policy of random weights wants something";
  }

  TemporaryFolder folder_;
  nn::Stock stock_;
  std::unique_ptr<trunk::TrunkServer> trunk_;
  std::unique_ptr<runtime::Host> host_;
};

TEST_F(JointsTest, DriveBodiesOfDifferentSizeFromOneStock) {
  ASSERT_NO_FATAL_FAILURE(start(false));
  drive("scara4", 4);
  drive("panda7", 7);
}

TEST_F(JointsTest, DriveABodyThatHasAProcessOfItsOwn) {
  ASSERT_NO_FATAL_FAILURE(start(true));
  drive("scara4", 4);
}

TEST_F(JointsTest, PassEveryCheckThatTheProgramMakes) {
  const std::string program = "\"" CAMBIUM_PROGRAM "\" check ";
  const std::string stock = "\"" + stock_.file().path().string() + "\"";
  const std::string quiet = " > \"" + (folder_ / "said").string() + "\" 2>&1";
  const auto said = [&] { return read_bytes(folder_ / "said"); };
  EXPECT_EQ(std::system((program + stock + " --only 'shared stems*'" + quiet).c_str()), 0)
      << said();
  EXPECT_THAT(said(), HasSubstr("stem 'joints' of 'joint_position'"));
  EXPECT_EQ(std::system((program + "\"" + bundle("panda7").string() + "\" --plugin \"" +
                         PLUGIN_PANDA7 + "\" --stock " + stock + quiet)
                            .c_str()),
            0)
      << said();
}

}  // namespace
}  // namespace cambium::test
