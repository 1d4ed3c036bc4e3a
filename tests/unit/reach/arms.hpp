// tests/unit/reach/arms.hpp: every simulated arm, built from its plugin, as a test parameter.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "examples/reach/arm.hpp"
#include "examples/reach/embodiment.hpp"

namespace cambium::reach {

/// One test per arm; `body` and `model` are loaded.
class EveryArm : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto file = plugin_of(GetParam());
    ASSERT_TRUE(file) << file.error().message;
    const auto library = open_plugin(*file);
    ASSERT_TRUE(library) << library.error().message;
    auto embodiment = (*library)->embodiment();
    ASSERT_TRUE(embodiment) << embodiment.error().message;
    body = std::move(*embodiment);
    auto loaded = ArmModel::load(GetParam(), joints_of(body), body.control_hz);
    ASSERT_TRUE(loaded) << loaded.error().message;
    model.emplace(std::move(*loaded));
  }

  plugin::Embodiment body;
  std::optional<ArmModel> model;
};

inline constexpr const char* kArms[] = {"planar3", "scara4", "so101", "ur5e", "panda7"};

inline std::string arm_of(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace cambium::reach
