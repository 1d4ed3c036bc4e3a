// tests/unit/reach/arms.hpp: every simulated arm, built from its plugin as a test parameter.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "examples/reach/arm.hpp"
#include "examples/reach/body.hpp"

namespace cambium::reach {

/// One test per arm; `body` and `model` are loaded.
class EveryArm : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto read = read_body(plugin_of(GetParam()));
    ASSERT_TRUE(read) << read.error().message;
    body = *read;
    auto loaded = ArmModel::load(GetParam(), body.joints, body.control_hz);
    ASSERT_TRUE(loaded) << loaded.error().message;
    model.emplace(std::move(*loaded));
  }

  Body body;
  std::optional<ArmModel> model;
};

inline constexpr const char* kArms[] = {"planar3", "scara4", "so101", "ur5e", "panda7"};

inline std::string arm_of(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace cambium::reach
