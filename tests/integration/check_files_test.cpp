// `cambium check` of bundles, stocks and configurations, and how it tells them apart.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "core/nn/bundle.hpp"
#include "tests/integration/check_fixture.hpp"

namespace cambium {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class CheckFiles : public test::CheckVerb {
 protected:
  /// A copy of `file` in which bytes of one tensor are replaced.
  std::string damaged(const std::string& file, const std::string& tensor, float value) {
    const auto opened = nn::SafetensorsFile::open(file);
    EXPECT_TRUE(opened);
    std::vector<nn::TensorToWrite> tensors;
    std::vector<float> values;
    for (const auto& one : opened->tensors()) {
      const void* data = one.bytes.data();
      if (one.name == tensor) {
        values = *opened->read_f32(tensor);
        values.back() = value;
        data = values.data();
      }
      tensors.push_back({one.name, one.dtype, one.shape, data});
    }
    EXPECT_FALSE(values.empty()) << tensor;
    const auto copy = folder_ / "damaged.safetensors";
    EXPECT_TRUE(nn::write_safetensors(copy, tensors, opened->metadata()));
    return copy;
  }
  /// A copy of `file` in whose metadata one text stands for another.
  std::string retold(const std::string& file, const std::string& from, const std::string& to) {
    const auto opened = nn::SafetensorsFile::open(file);
    EXPECT_TRUE(opened);
    auto metadata = opened->metadata();
    bool found = false;
    for (auto& [key, text] : metadata)
      if (const auto at = text.find(from); at != text.npos) {
        text.replace(at, from.size(), to);
        found = true;
      }
    EXPECT_TRUE(found) << from;
    std::vector<nn::TensorToWrite> tensors;
    for (const auto& one : opened->tensors())
      tensors.push_back({one.name, one.dtype, one.shape, one.bytes.data()});
    const auto copy = folder_ / "retold.safetensors";
    EXPECT_TRUE(nn::write_safetensors(copy, tensors, metadata));
    return copy;
  }
  std::string config(const std::string& text) {
    test::write_bytes(folder_ / "cambium.toml", text);
    return folder_ / "cambium.toml";
  }
};

TEST_F(CheckFiles, BundlePassesAloneAndWithItsStockAndRobot) {
  const auto alone = check({toy_});
  EXPECT_EQ(exit_code_, 0) << alone.dump(2);
  EXPECT_EQ(alone["kind"], "bundle");
  EXPECT_EQ(result(alone, "fits the stock"), "SKIP: needs --stock FILE");
  EXPECT_EQ(result(alone, "drives"), "SKIP: needs --plugin FILE and --stock FILE");
  const auto whole = check({toy_, "--stock", stock_, "--plugin", TOY_ARM});
  EXPECT_EQ(exit_code_, 0) << whole.dump(2);
  EXPECT_EQ(result(whole, "fits the stock"), "PASS: ");
  EXPECT_THAT(result(whole, "drives"), StartsWith("PASS: 0.0 % of the actions"));
}

TEST_F(CheckFiles, ActionsBeyondTheLimitsAreAWarningWithTheirShare) {
  bundle_.value = {0.1F, -5.0F};
  write_toy_bundle(toy_, bundle_);
  const auto report = check({toy_, "--stock", stock_, "--plugin", TOY_ARM, "--only", "drives"});
  EXPECT_EQ(exit_code_, 0);
  EXPECT_THAT(result(report, "drives"), StartsWith("WARN: 50.0 % of the actions"));
}

TEST_F(CheckFiles, BundleOfAnotherTrunkOrRobotIsRefusedWithBothNames) {
  const auto other = folder_ / "other.safetensors";
  const auto id = test::write_toy_stock(other, 1);
  EXPECT_THAT(result(check({toy_, "--stock", other}), "fits the stock"),
              AllOf(StartsWith("FAIL"), HasSubstr(bundle_.trunk_id), HasSubstr(id)));
  EXPECT_EQ(exit_code_, 1);
  bundle_.embodiment = "toy_cart";
  write_toy_bundle(toy_, bundle_);
  const auto report = check({toy_, "--stock", stock_, "--plugin", TOY_ARM, "--only", "together"});
  EXPECT_THAT(result(report, "together"), AllOf(StartsWith("FAIL"), HasSubstr("toy_cart")));
  EXPECT_EQ(exit_code_, 1);
}

TEST_F(CheckFiles, DamagedBundlesFailWithTheTensorOrTheRangeNamed) {
  const std::string models = MODELS_DIR;
  const auto panda = models + "/panda7.safetensors";
  EXPECT_THAT(result(check({damaged(panda, "heads.panda7.net.0.bias", NAN)}), "opens"),
              AllOf(StartsWith("FAIL"), HasSubstr("'heads.panda7.net.0.bias' holds NaN")));
  EXPECT_EQ(exit_code_, 1);
  const auto huge = check({damaged(panda, "heads.panda7.net.0.bias", 1e5F)});
  EXPECT_EQ(result(huge, "plausible"), "PASS: 9 tokens of 3 sensors, chunks of 8 (0.08 s)");
  EXPECT_THAT(result(huge, "weights are finite"),
              "WARN: tensor 'heads.panda7.net.0.bias' holds 1e+05");
  const auto scale = "normalizer.panda7.params_dict.joint_position.scale";
  EXPECT_THAT(
      result(check({damaged(panda, scale, 1e9F)}), "normalisers"),
      AllOf(StartsWith("WARN"), HasSubstr("'joint_position' number 6: -1 to 1 stands for")));
  EXPECT_THAT(result(check({damaged(panda, scale, 0)}), "opens"),
              AllOf(StartsWith("FAIL"), HasSubstr("holds 0")));
}

// "0,0,0.333,0,1,0": joint 2 of the chain, its point and its direction; then home and limits.
TEST_F(CheckFiles, AChainThatIsNotThePluginsIsAWarningWithTheJoint) {
  const std::string models = MODELS_DIR;
  const auto moved = retold(models + "/panda7.safetensors", "0,0,0.333,0,1,0", "0,0,0.433,0,1,0");
  const auto report = check(
      {moved, "--plugin", PANDA7, "--stock", models + "/stock.safetensors", "--only", "together"});
  EXPECT_EQ(exit_code_, 0) << report.dump(2);
  EXPECT_THAT(result(report, "together"),
              AllOf(StartsWith("WARN"), HasSubstr("'joint2'"), HasSubstr("graft again")));
}

TEST_F(CheckFiles, LimitsOfAChainThatTheNormaliserDoesNotKnowAreAWarningWithTheNumber) {
  const std::string models = MODELS_DIR;
  const auto wider = retold(models + "/panda7.safetensors", "-0.2,-1.7628,1.7628", "-0.2,-1.9,1.9");
  const auto report = check({wider, "--only", "normalisers"});
  EXPECT_EQ(exit_code_, 0) << report.dump(2);
  EXPECT_THAT(result(report, "normalisers"),
              AllOf(StartsWith("WARN"),
                    HasSubstr("'joint_position' number 1: the limits -1.9 to 1.9 of its chain")));
}

TEST_F(CheckFiles, TruncatedFilesFailAndAreStillToldApart) {
  for (const auto& file : {toy_, stock_}) {
    const auto bytes = test::read_bytes(file);
    const std::string half = folder_ / "half.safetensors";
    test::write_bytes(half, bytes.substr(0, bytes.size() - 8));
    const auto report = check({half});
    EXPECT_EQ(exit_code_, 1);
    EXPECT_EQ(report["kind"], file == toy_ ? "bundle" : "stock");
    EXPECT_THAT(result(report, "opens"), AllOf(StartsWith("FAIL"), HasSubstr(half)));
  }
}

TEST_F(CheckFiles, StockPassesAndItsTrunkDoesNotMixRobots) {
  const auto report = check({std::string(MODELS_DIR) + "/stock.safetensors"});
  EXPECT_EQ(exit_code_, 0) << report.dump(2);
  EXPECT_EQ(report["kind"], "stock");
  EXPECT_THAT(result(report, "others in its batch"), StartsWith("PASS: "));
  EXPECT_THAT(result(report, "shared stems"), HasSubstr("PASS: stem 'token' of 'tool'"));
  for (const auto& one : report["tests"]) EXPECT_EQ(one["result"], "PASS") << one.dump();
}

TEST_F(CheckFiles, StockWithNanFailsByTensor) {
  const auto report = check({damaged(stock_, "trunk.blocks.0.mlp.fc1.bias", NAN)});
  EXPECT_EQ(exit_code_, 1);
  EXPECT_THAT(result(report, "weights are finite"),
              AllOf(StartsWith("FAIL"), HasSubstr("'trunk.blocks.0.mlp.fc1.bias' holds nan")));
  EXPECT_THAT(result(report, "computes"), StartsWith("FAIL"));
  EXPECT_THAT(result(report, "same tokens"), StartsWith("SKIP"));
}

TEST_F(CheckFiles, ConfigIsCheckedWithAllThatItNames) {
  const auto file = config(
      "[trunk]\nstock = 'stock.safetensors'\n[host]\nrun_dir = 'run'\n"
      "[[robot]]\nname = 'left'\nplugin = '" TOY_ARM "'\nbundle = 'toy.safetensors'\n");
  const auto report = check({file, "--only", "opens", "--only", "mistakes", "--only", "there",
                             "--only", "free", "--only", "fit", "--only", "whole output"});
  EXPECT_EQ(exit_code_, 0) << report.dump(2);
  EXPECT_EQ(report["kind"], "config");
  std::vector<std::string> results;
  for (const auto& one : report["tests"])
    results.push_back(one["of"].get<std::string>().substr(0, 6) + " " +
                      one["name"].get<std::string>().substr(0, 11) + " " +
                      one["result"].get<std::string>());
  EXPECT_THAT(results, testing::ElementsAre("config has no mist PASS", "config files that  PASS",
                                            "config endpoints a PASS", "stock  opens PASS",
                                            "plugin opens PASS", "plugin writes its  PASS",
                                            "plugin robot, bund PASS", "bundle opens PASS",
                                            "bundle fits the st PASS", "bundle robot, bund PASS"));
}

TEST_F(CheckFiles, ConfigTellsAllMistakesWithTheirLines) {
  const auto report = check({config("[trunk]\nqeue = 7\n[[robot]]\nname = 'left'\nhed = 1\n")});
  EXPECT_EQ(exit_code_, 1);
  EXPECT_THAT(result(report, "has no mistakes"),
              AllOf(StartsWith("FAIL"), HasSubstr("cambium.toml:2:1: key 'qeue' in [trunk]"),
                    HasSubstr("cambium.toml:5:1: key 'hed'")));
}

TEST_F(CheckFiles, ConfigNamesTheFilesThatAreMissing) {
  const auto report = check({config("[[robot]]\nname = 'left'\nplugin = 'libarm.so'\n")});
  EXPECT_EQ(exit_code_, 1);
  EXPECT_THAT(result(report, "files that it names are there"),
              AllOf(StartsWith("FAIL"), HasSubstr("robot 'left': plugin '"),
                    HasSubstr("libarm.so' is no file"), HasSubstr("[trunk] stock")));
}

TEST_F(CheckFiles, EndpointWhereAProcessAnswersIsAWarning) {
  const std::string socket = folder_ / "trunk";
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  socket.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const auto file = config("[trunk]\nendpoint = 'ipc://trunk'\n");
  EXPECT_EQ(result(check({file, "--only", "free"}), "free"), "PASS: ") << "nobody listens yet";
  ASSERT_EQ(::listen(listener, 4), 0);
  EXPECT_THAT(result(check({file, "--only", "free"}), "free"),
              AllOf(StartsWith("WARN: [trunk] endpoint"), HasSubstr("a process answers there")));
  EXPECT_EQ(exit_code_, 0);
  ::close(listener);
  EXPECT_THAT(
      result(check({config("[host]\ncontrol = 'ipc://nowhere/control'\n"), "--only", "free"}),
             "free"),
      AllOf(StartsWith("FAIL"), HasSubstr("its folder does not exist")));
}

TEST_F(CheckFiles, TcpEndpointIsLookedAtToo) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener, plain, size), 0);
  ASSERT_EQ(::getsockname(listener, plain, &size), 0);
  const auto file = config(
      "[host]\ncontrol = 'tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "'\n");
  EXPECT_EQ(result(check({file, "--only", "free"}), "free"), "PASS: ") << "nobody listens yet";
  ASSERT_EQ(::listen(listener, 4), 0);
  EXPECT_THAT(result(check({file, "--only", "free"}), "free"),
              StartsWith("WARN: [host] control 'tcp://127.0.0.1:"));
  ::close(listener);
}

TEST_F(CheckFiles, WhatIsNoneOfTheseIsSaidInASentence) {
  test::write_bytes(folder_ / "notes.txt", "a shopping list: bread, oil");
  test::write_bytes(folder_ / "picture", std::string("\x89PNG\r\n\x1a\n\0\0", 10));
  test::write_bytes(folder_ / "script.so", "#!/bin/sh\n");
  const std::pair<std::string, std::string> cases[] = {
      {"notes.txt", "'notes.txt': neither a plugin"},
      {"picture", "'picture': neither a plugin"},
      {"missing.so", "'missing.so': No such file or directory"},
      {"tmp", "'tmp': not a regular file"},
  };
  for (const auto& [file, sentence] : cases) {
    run({file});
    EXPECT_EQ(exit_code_, 2) << file;
    EXPECT_THAT(error_, HasSubstr(sentence));
  }
  EXPECT_THAT(result(check({"script.so"}), "opens"), HasSubstr("not a shared library"));
  EXPECT_EQ(exit_code_, 1);
  run({TOY_ARM, "--bundle", stock_});
  EXPECT_EQ(exit_code_, 2);
  EXPECT_THAT(error_, HasSubstr("is a stock, expected a bundle"));
  run({stock_, "--bundle", toy_});
  EXPECT_EQ(exit_code_, 2);
  EXPECT_THAT(error_, HasSubstr("is of no use beside it"));
}

}  // namespace
}  // namespace cambium
