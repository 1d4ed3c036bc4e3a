#include "core/config/config.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace cambium::config {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr const char* kFile = "/etc/cambium.toml";

// What the user sees for a text; empty if it is accepted.
std::string mistakes(const std::string& text) {
  const auto config = parse_config(text, kFile);
  if (config) return "";
  EXPECT_EQ(config.error().code, Code::bad_argument);
  return config.error().message;
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

const std::filesystem::path kSource = CAMBIUM_SOURCE_DIR;

TEST(Config, EmptyFileGivesDefaults) {
  ::setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  const auto config = parse_config("", kFile);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->trunk.endpoint, "ipc:///run/user/7/cambium/trunk");
  EXPECT_EQ(config->trunk.stock, "/etc/models/stock.safetensors");
  EXPECT_EQ(config->trunk.backend, Backend::onednn);
  EXPECT_EQ(config->trunk.queue, 64u);
  EXPECT_EQ(config->trunk.session_memory_mb, 256u);
  EXPECT_EQ(config->trunk.session_lease.count(), 2000);
  EXPECT_EQ(config->host.control, "ipc:///run/user/7/cambium/control");
  EXPECT_EQ(config->host.admin, "ipc:///run/user/7/cambium/admin");
  EXPECT_EQ(config->host.run_dir, "/run/user/7/cambium");
  EXPECT_EQ(config->host.realtime, Realtime::attempt);
  EXPECT_TRUE(config->robots.empty());
  EXPECT_TRUE(config->given.empty());
}

TEST(Config, RobotNeedsOnlyNameAndPlugin) {
  const auto config = parse_config("[[robot]]\nname = 'arm'\nplugin = 'libarm.so'\n", kFile);
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->robots.size(), 1u);
  const RobotConfig& robot = config->robots[0];
  EXPECT_EQ(robot.name, "arm");
  EXPECT_EQ(robot.plugin, "/etc/libarm.so");
  EXPECT_TRUE(robot.bundle.empty());
  EXPECT_EQ(robot.replan_every, 4u);
  EXPECT_EQ(robot.fallback.hold, Seconds(0.5));
  EXPECT_EQ(robot.gate.policy, GatePolicy::clamp);
  EXPECT_EQ(robot.gate.ramp, Seconds(0));
  EXPECT_EQ(robot.gate.max_observation_age, milliseconds(100));
}

TEST(Config, ARobotIsRememberedByItsNameOrAsItSays) {
  const auto config = parse_config(
      "[[robot]]\nname = 'arm'\nplugin = 'p'\n"
      "[[robot]]\nname = 'other'\nplugin = 'p'\nsession = 'cell-7.arm_2'\n",
      kFile);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(session_of(config->robots[0]), "arm");
  EXPECT_EQ(session_of(config->robots[1]), "cell-7.arm_2");
  EXPECT_FALSE(is_name("a.b")) << "of a robot";
}

TEST(Config, KnowsEveryPolicyOfTheGateByName) {
  const std::pair<const char*, GatePolicy> policies[] = {
      {"clamp", GatePolicy::clamp}, {"refuse", GatePolicy::refuse}, {"stop", GatePolicy::stop}};
  for (const auto& [name, policy] : policies) {
    const std::string robot = "[[robot]]\nname = 'a'\nplugin = 'p'\n[robot.gate]\npolicy = '";
    const auto config = parse_config(robot + name + "'\n", kFile);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->robots.at(0).gate.policy, policy);
  }
}

TEST(Config, TrustNamesKeysOrIsNotThere) {
  EXPECT_TRUE(parse_config("", kFile)->trust.keys.empty());
  const auto config =
      parse_config("[trust]\nkeys = ['lab.pub', '/keys/other.pub']\n", "/etc/c.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->trust.keys,
            (std::vector<std::filesystem::path>{"/etc/lab.pub", "/keys/other.pub"}));
  // What reads like a promise must hold something.
  for (const char* text :
       {"[trust]\n", "[trust]\nkeys = []\n", "[trust]\nkeys = ''\n", "[trust]\nkeys = [1]\n",
        "[trust]\nkeys = ['']\n", "[trust]\nkey = ['lab.pub']\n", "[Trust]\nkeys = ['lab.pub']\n"})
    EXPECT_FALSE(parse_config(text, kFile)) << text;
}

TEST(Config, NothingSwitchesTheGateOffOrWidensIt) {
  for (const char* line :
       {"gate = false", "gate = 'off'", "gate.policy = 'off'", "gate.policy = 'none'",
        "gate.policy = ''", "gate.policy = false", "gate.enabled = false",
        "gate.velocity_scale = 0", "gate.velocity_scale = -1", "gate.velocity_scale = 1.0001",
        "gate.velocity_scale = inf", "gate.acceleration_scale = 0", "gate.acceleration_scale = 2",
        "gate.acceleration_scale = nan", "gate.position_margin = -0.01",
        "gate.position_margin = nan", "gate.ramp_ms = -1", "gate.max_observation_age_ms = 0"}) {
    const std::string robot = "[[robot]]\nname = 'a'\nplugin = 'p'\n";
    const auto config = parse_config(robot + line + "\n", kFile);
    ASSERT_FALSE(config) << line;
    EXPECT_EQ(config.error().message.find(std::string(kFile) + ":4:"), 0U)
        << config.error().message;
  }
}

TEST(Config, ReadsEveryKeyOfARobot) {
  const auto config = parse_config(R"(
[trunk]
threads = 2
precision = "int8"
cores = [1, 0]
[host]
run_dir = "run"
realtime = "require"
[[robot]]
name = "arm"
plugin = "../lib/libarm.so"
stem_plugin = "/abs/libstem.so"
head_plugin = "libhead.so"
embodiment = "arm7"
head = "gmm"
bundle = "arm.safetensors"
replan_every = 2
observation_timeout_ms = 250
[robot.fallback]
hold_s = 1
damped_stop_s = 0.25
safe_pose = true
safe_pose_speed = 0.5
[robot.gate]
policy = "refuse"
velocity_scale = 0.5
acceleration_scale = 0.25
position_margin = 0.01
ramp_ms = 62.5
max_observation_age_ms = 40
)",
                                   kFile);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->trunk.endpoint, "ipc:///etc/run/trunk");
  EXPECT_EQ(config->trunk.precision, Precision::int8);
  EXPECT_EQ(config->trunk.cores, (std::vector<std::uint32_t>{1, 0}));
  EXPECT_EQ(config->host.realtime, Realtime::require);
  const RobotConfig& robot = config->robots.at(0);
  EXPECT_EQ(robot.plugin, "/lib/libarm.so");
  EXPECT_EQ(robot.stem_plugin, "/abs/libstem.so");
  EXPECT_EQ(robot.head_plugin, "/etc/libhead.so");
  EXPECT_EQ(robot.embodiment, "arm7");
  EXPECT_EQ(robot.head, "gmm");
  EXPECT_EQ(robot.bundle, "/etc/arm.safetensors");
  EXPECT_EQ(robot.replan_every, 2u);
  EXPECT_EQ(robot.observation_timeout, milliseconds(250));
  EXPECT_EQ(robot.fallback.hold, Seconds(1));
  EXPECT_EQ(robot.fallback.damped_stop, Seconds(0.25));
  EXPECT_TRUE(robot.fallback.safe_pose);
  EXPECT_EQ(robot.fallback.safe_pose_speed, 0.5);
  EXPECT_EQ(robot.gate.policy, GatePolicy::refuse);
  EXPECT_EQ(robot.gate.velocity_scale, 0.5);
  EXPECT_EQ(robot.gate.acceleration_scale, 0.25);
  EXPECT_EQ(robot.gate.position_margin, 0.01);
  EXPECT_EQ(robot.gate.ramp, Seconds(0.0625));
  EXPECT_EQ(robot.gate.max_observation_age, milliseconds(40));
  EXPECT_TRUE(config->given.contains("robot.gate.policy"));
  EXPECT_FALSE(config->given.contains("trunk.queue"));
}

struct Mistake {
  const char* name;
  const char* text;
  const char* sentence;
};

class ConfigMistake : public testing::TestWithParam<Mistake> {};

TEST_P(ConfigMistake, IsToldInOneSentence) {
  EXPECT_EQ(mistakes(GetParam().text), std::string(kFile) + ":" + GetParam().sentence);
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigMistake,
    testing::Values(
        Mistake{"misspelt_key", "[[robot]]\nname = 'a'\nplugin = 'p'\nhed = 'mlp'\n",
                "4:1: key 'hed' in [[robot]]: unknown (did you mean 'head'?)"},
        Mistake{"misspelt_table", "[hots]\n", "1:2: key 'hots': unknown (did you mean 'host'?)"},
        Mistake{"key_near_nothing", "[robots_and_more_of_them]\n",
                "1:2: key 'robots_and_more_of_them': unknown (valid: 'host', 'listener', "
                "'robot', 'security', 'trunk', 'trust')"},
        Mistake{"misspelt_key_of_the_gate",
                "[[robot]]\nname='a'\nplugin='p'\n[robot.gate]\n  polici = 'clamp'\n",
                "5:3: key 'polici' in [robot.gate]: unknown (did you mean 'policy'?)"},
        Mistake{"key_of_another_table", "[[robot]]\nname='a'\nplugin='p'\nvelocity_scale = 0.5\n",
                "4:1: key 'velocity_scale' in [[robot]]: unknown (valid: 'bundle', 'embodiment', "
                "'fallback', 'gate', 'head', 'head_plugin', 'isolate', 'isolation', 'name', "
                "'observation_timeout_ms', 'plugin', 'replan_every', 'session', 'stem_plugin', "
                "'swap', 'watch')"},
        Mistake{"text_for_a_number", "[trunk]\nthreads = 'two'\n",
                "2:11: key 'threads' in [trunk]: 'two' is a string, expected an integer from 1 to "
                "256"},
        Mistake{"one_core_for_two_threads", "[trunk]\nthreads = 2\ncores = [1]\n",
                "3:9: key 'cores' in [trunk]: 1 for 2 threads, expected one for each or none"},
        Mistake{"one_core_twice", "[trunk]\nthreads = 2\ncores = [1, 1]\n",
                "3:9: key 'cores' in [trunk]: 1 stands there twice"},
        Mistake{"a_core_that_is_text", "[trunk]\ncores = ['a']\n",
                "2:9: key 'cores' in [trunk]: 'a' is a string, expected a list of "
                "integers from 0 to 1023"},
        Mistake{"no_list_of_cores", "[trunk]\ncores = 0\n",
                "2:9: key 'cores' in [trunk]: 0 is an integer, expected a list of integers from 0 "
                "to 1023"},
        Mistake{"unknown_precision", "[trunk]\nprecision = 'fp16'\n",
                "2:13: key 'precision' in [trunk]: 'fp16', expected 'stock' or 'f32' or "
                "'bf16' or 'int8' (did you mean 'bf16'?)"},
        Mistake{
            "fraction_for_a_count", "[trunk]\nthreads = 1.5\n",
            "2:11: key 'threads' in [trunk]: 1.5 is a number, expected an integer from 1 to 256"},
        Mistake{"number_for_a_text", "[trunk]\nstock = 3\n",
                "2:9: key 'stock' in [trunk]: 3 is an integer, expected a string"},
        Mistake{"array_for_a_text", "[trunk]\nstock = ['a']\n",
                "2:9: key 'stock' in [trunk]: is an array, expected a string"},
        Mistake{"text_for_a_flag", "[[robot]]\nname='a'\nplugin='p'\nfallback.safe_pose = 'yes'\n",
                "4:22: key 'safe_pose' in [robot.fallback]: 'yes' is a string, expected true or "
                "false"},
        Mistake{
            "text_for_a_real", "[[robot]]\nname='a'\nplugin='p'\nfallback.hold_s = 'long'\n",
            "4:19: key 'hold_s' in [robot.fallback]: 'long' is a string, expected a number from "
            "0 to 60"},
        Mistake{"no_room_for_sessions", "[trunk]\nsession_memory_mb = 0\n",
                "2:21: key 'session_memory_mb' in [trunk]: 0, expected an integer from 1 to "
                "1048576"},
        Mistake{"count_too_small", "[trunk]\nqueue = 0\n",
                "2:9: key 'queue' in [trunk]: 0, expected an integer from 1 to 4096"},
        Mistake{"count_too_large", "[host]\nworkers = 99999999999\n",
                "2:11: key 'workers' in [host]: 99999999999, expected an integer from 0 to 64"},
        Mistake{"never_replans", "[[robot]]\nname='a'\nplugin='p'\nreplan_every = 0\n",
                "4:16: key 'replan_every' in [[robot]]: 0, expected an integer from 1 to 1000"},
        Mistake{"real_too_large", "[[robot]]\nname='a'\nplugin='p'\ngate.velocity_scale = 1.5\n",
                "4:23: key 'velocity_scale' in [robot.gate]: 1.5, expected a number from 0.001 to "
                "1"},
        Mistake{"not_a_number", "[[robot]]\nname='a'\nplugin='p'\ngate.velocity_scale = nan\n",
                "4:23: key 'velocity_scale' in [robot.gate]: nan, expected a number from 0.001 to "
                "1"},
        Mistake{
            "wrong_choice", "[trunk]\nbackend = 'onedn'\n",
            "2:11: key 'backend' in [trunk]: 'onedn', expected 'onednn' or 'eigen' (did you mean "
            "'onednn'?)"},
        Mistake{"empty_text", "[trunk]\nstock = ''\n",
                "2:9: key 'stock' in [trunk]: is empty, expected a string"},
        Mistake{"zero_byte", "[trunk]\nstock = \"a\\u0000b\"\n",
                "2:9: key 'stock' in [trunk]: has a zero byte in it"},
        Mistake{"missing_name", "\n[[robot]]\nplugin = 'p'\n",
                "2:1: key 'name' in [[robot]]: missing, expected a name for this robot"},
        Mistake{"missing_plugin", "[[robot]]\nname = 'a'\n",
                "1:1: key 'plugin' in [[robot]]: missing, expected the path of a plugin"},
        Mistake{"bad_name", "[[robot]]\nname = 'left arm'\nplugin = 'p'\n",
                "2:8: key 'name' in [[robot]]: 'left arm' is no name, expected 1 to 64 letters, "
                "digits, '_' or '-'"},
        Mistake{"duplicate_robot",
                "[[robot]]\nname='a'\nplugin='p'\n[[robot]]\nname='a'\nplugin='q'\n",
                "5:6: key 'name' in [[robot]]: 'a' is already the robot of line 2"},
        Mistake{
            "bad_session", "[[robot]]\nname = 'a'\nsession = '../a'\nplugin = 'p'\n",
            "3:11: key 'session' in [[robot]]: '../a' is no name of a session, expected 1 to 64 "
            "letters, digits, '_', '-' or '.', not beginning with '.'"},
        Mistake{"session_twice",
                "[[robot]]\nname='a'\nsession='s'\nplugin='p'\n"
                "[[robot]]\nname='b'\nplugin='p'\nsession='s'\n",
                "8:9: key 'session' in [[robot]]: the session 's' is already that of the robot of "
                "line 3; two robots cannot share one memory"},
        Mistake{
            "session_of_another_robots_name",
            "[[robot]]\nname='a'\nsession='b'\nplugin='p'\n[[robot]]\nname='b'\nplugin='p'\n",
            "6:6: key 'name' in [[robot]]: the session 'b' is already that of the robot of line "
            "3; two robots cannot share one memory"},
        Mistake{"one_bracket", "[robot]\nname = 'a'\n",
                "1:1: key 'robot': is a table, expected [[robot]] with two brackets, one for each"},
        Mistake{"robots_that_are_numbers", "robot = [1]\n",
                "1:10: key 'robot': 1 is an integer, expected a table [[robot]]"},
        Mistake{"value_for_a_table", "trunk = 3\n",
                "1:9: key 'trunk': 3 is an integer, expected a table [trunk]"},
        Mistake{
            "beyond_loopback", "[host]\ncontrol = 'tcp://0.0.0.0:7701'\n",
            "2:11: key 'control' in [host]: 'tcp://0.0.0.0:7701' is not loopback: what others can "
            "reach needs keys; 'cambium keys new NAME' makes them, [security] names them"},
        Mistake{"no_endpoint", "[trunk]\nendpoint = 'udp://127.0.0.1:3'\n",
                "2:12: key 'endpoint' in [trunk]: 'udp://127.0.0.1:3' is no endpoint, expected "
                "ipc://PATH or tcp://127.0.0.1:PORT"},
        Mistake{"same_endpoint_twice",
                "[host]\ncontrol = 'tcp://localhost:5000'\nadmin = 'tcp://127.0.0.1:5000'\n",
                "3:9: key 'admin' in [host]: 'tcp://127.0.0.1:5000' is already [host] control"},
        Mistake{"trunk_endpoint_again",
                "[trunk]\nendpoint = 'ipc:///x'\n[host]\ncontrol = 'ipc:///x'\n",
                "4:11: key 'control' in [host]: 'ipc:///x' is already [trunk] endpoint"},
        Mistake{"not_toml", "[trunk]\nqueue =\n",
                "2:8: not TOML: Error while parsing key-value pair: expected value, saw '\\n'"},
        Mistake{
            "key_twice", "[trunk]\nqueue = 1\nqueue = 2\n",
            "3:9: not TOML: Error while parsing key-value pair: cannot redefine existing integer "
            "'queue'"}),
    [](const auto& test) { return test.param.name; });

TEST(Config, TellsAllMistakesOfAFileInItsOrder) {
  EXPECT_EQ(
      mistakes("[host]\nworkers = 65\nrealtme = 'off'\n[[robot]]\nplugin = 7\n[trunk]\nqueue "
               "= -1\n"),
      "/etc/cambium.toml:2:11: key 'workers' in [host]: 65, expected an integer from 0 to 64\n"
      "/etc/cambium.toml:3:1: key 'realtme' in [host]: unknown (did you mean 'realtime'?)\n"
      "/etc/cambium.toml:4:1: key 'name' in [[robot]]: missing, expected a name for this "
      "robot\n"
      "/etc/cambium.toml:5:10: key 'plugin' in [[robot]]: 7 is an integer, expected a string\n"
      "/etc/cambium.toml:7:9: key 'queue' in [trunk]: -1, expected an integer from 1 to 4096");
}

TEST(Config, RunDirectoryTooLongForASocketIsTold) {
  const std::string message = mistakes("[host]\nrun_dir = '/" + std::string(120, 'x') + "'\n");
  EXPECT_THAT(message, HasSubstr("cambium.toml:2:11: key 'run_dir' in [host]: "));
  EXPECT_THAT(message, HasSubstr("a socket's path has at most 107"));
}

TEST(Config, KeysOpenEndpointsToOthers) {
  const auto config = parse_config(
      "[security]\nkey = 'lab.key'\nallow = '/etc/allowed'\n[host]\n"
      "control = 'tcp://0.0.0.0:7701'\n",
      "/lab/cambium.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->security.key, "/lab/lab.key");
  EXPECT_EQ(config->security.allow, "/etc/allowed");
  EXPECT_EQ(config->security.trunk_key, "");
  EXPECT_EQ(config->host.control, "tcp://0.0.0.0:7701");
}

TEST(Config, AListWithoutAKeyIsAMistake) {
  const auto config = parse_config("[security]\nallow = 'allowed'\n", "cambium.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(
      config.error().message,
      "cambium.toml:2:9: key 'allow' in [security]: is of no use without 'key'; 'cambium keys "
      "new NAME' makes one");
}

TEST(Config, ExampleSetsEveryKey) {
  const auto config = load_config(kSource / "examples/config/all_keys.toml");
  ASSERT_TRUE(config) << config.error().message;
  for (const auto& key : config_keys())
    EXPECT_TRUE(config->given.contains(key)) << key << " is not in all_keys.toml";
  ASSERT_EQ(config->robots.size(), 2u);
  EXPECT_EQ(config->robots[0].plugin, kSource / "examples/config/plugins/libtwo_arms.so");
}

TEST(Config, PageDescribesEveryKey) {
  const std::string page = read_file(kSource / "docs/config.md");
  const auto keys = config_keys();
  EXPECT_GT(keys.size(), 30u);
  for (const auto& key : keys) {
    const std::string row = "| `" + key.substr(key.rfind('.') + 1) + "` |";
    EXPECT_THAT(page, HasSubstr(row)) << key;
  }
}

TEST(Config, FileThatIsNotThereIsNotFound) {
  const auto config = load_config("/nowhere/cambium.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Code::not_found);
  EXPECT_EQ(config.error().message,
            "config file '/nowhere/cambium.toml': No such file or directory");
}

TEST(Config, DirectoryIsNoConfigFile) {
  const auto config = load_config("/tmp");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("config file '/tmp': "));
}

TEST(Config, SurvivesAnyMutationOfTheExample) {
  const std::string text = read_file(kSource / "examples/config/all_keys.toml");
  std::mt19937 random(1);
  const auto pick = [&](std::size_t n) { return random() % n; };
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string mutant = text;
    for (std::size_t n = 1 + pick(4); n > 0; --n) {
      const std::size_t at = pick(mutant.size());
      switch (pick(3)) {
        case 0:
          mutant[at] = static_cast<char>(pick(256));
          break;
        case 1:
          mutant.erase(at, 1 + pick(20));
          break;
        default:
          mutant.insert(at, mutant.substr(pick(mutant.size()), pick(20)));
      }
    }
    const auto config = parse_config(mutant, kFile);
    if (!config) {
      ++refused;
      EXPECT_EQ(config.error().message.rfind(kFile, 0), 0u);
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace cambium::config
