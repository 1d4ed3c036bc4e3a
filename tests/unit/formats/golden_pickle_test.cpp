// Every pickle that LeRobot's own clients made (../shared/golden/wire/lerobot) against the tree
// that Python found in it.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/formats/pickle.hpp"
#include "tests/support/golden_tree.hpp"

namespace cambium::test {
namespace {

namespace fs = std::filesystem;

constexpr formats::PickleClass kClasses[] = {
    {"lerobot.async_inference.helpers", "TimedObservation"},
    {"lerobot.async_inference.helpers", "RemotePolicyConfig"},
    {"lerobot.scripts.server.helpers", "TimedObservation"},
    {"lerobot.scripts.server.helpers", "RemotePolicyConfig"},
};

class GoldenPickle : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(folder_)) GTEST_SKIP() << folder_ << " is not here";
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      const auto file = entry.path();
      auto description = fs::path(file).replace_extension(".json");
      if (file.extension() != ".pkl" || file.parent_path().filename() == "hostile" ||
          file.parent_path().filename() == "reply" || !fs::exists(description))
        continue;
      Case one{file, golden_json(description)};
      one.expect = one.json.value("expect", "");
      cases_.push_back(std::move(one));
    }
  }
  struct Case {
    fs::path file;
    Json json;
    std::string expect;
  };
  const fs::path folder_ = fs::path(CAMBIUM_GOLDEN) / "wire" / "lerobot";
  std::vector<Case> cases_;
};

TEST_F(GoldenPickle, WhatClientsSendIsTheTreeThatPythonSaw) {
  std::size_t read = 0;
  for (const auto& one : cases_) {
    // A setup that the policy has to refuse is a sound pickle.
    const bool setup = one.file.filename().string().starts_with("setup_");
    if (!setup && !one.expect.starts_with("accept")) continue;
    const auto bytes = golden_bytes(one.file);
    const auto value = formats::read_pickle(bytes, kClasses);
    if (!value && one.expect == "accept or refuse") continue;
    ASSERT_TRUE(value) << one.file << ": " << value.error().message;
    EXPECT_EQ(GoldenTree::difference(one.json["tree"], *value), "") << one.file;
    ++read;
  }
  EXPECT_GE(read, 65u) << "captures are missing";
}

TEST_F(GoldenPickle, WhatClientsShouldNotSendIsRefusedInASentence) {
  std::size_t refused = 0;
  for (const auto& one : cases_) {
    if (!one.file.filename().string().starts_with("refuse_") &&
        !one.file.filename().string().starts_with("actions_"))
      continue;
    const auto bytes = golden_bytes(one.file);
    const auto value = formats::read_pickle(bytes, kClasses);
    ASSERT_FALSE(value) << one.file;
    EXPECT_FALSE(value.error().message.empty()) << one.file;
    ++refused;
  }
  EXPECT_GE(refused, 9u) << "captures are missing";
}

}  // namespace
}  // namespace cambium::test
