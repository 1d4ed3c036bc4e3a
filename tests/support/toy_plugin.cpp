// tests/support/toy_plugin.cpp: robots simple enough to know what their actions must be. Built
// several times with other values of TOY_VERSION and TOY_BODY, as a user rebuilds a plugin.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "abi/plugin.hpp"

namespace cambium::toy {
namespace {

#define TOY_NAME(x) CAMBIUM_TEXT(x)

#if TOY_DOF == 2
constexpr JointSpec kJoints[] = {
    {"a", JointKind::revolute, -2, 2, 1.0, 20.0, 0},
    {"b", JointKind::revolute, -1, 1, 0.5, 10.0, 0},
};
#else
constexpr JointSpec kJoints[] = {{"slide", JointKind::prismatic, 0, 0.5, 0.25, 5.0, 0.25}};
#endif

constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {TOY_DOF}},
    {.name = "goal", .unit = "m", .frame = "base", .shape = {3}},
};

constexpr RobotSpec kSpec = {.name = TOY_NAME(TOY_BODY),
                             .summary = "a toy",
                             .joints = kJoints,
                             .sensors = kSensors,
                             .control_hz = 100};

// Copies the sensor into the first numbers of its token.
class PassStem final : public Stem {
 public:
  Status activate(const StemSpec& spec, Message&) noexcept override {
    width_ = spec.width;
    return {};
  }
  Status encode(SensorWindow window, TokensView out) noexcept override {
    std::fill_n(out.data, width_, 0.0F);
    const float* newest = window.data + (window.steps - 1) * window.size;
    std::copy_n(newest, std::min(window.size, width_), out.data);
    return {};
  }
  void deactivate() noexcept override {}

 private:
  std::uint32_t width_ = 0;
};

// Every action of the chunk is the tensor `value`, times the version of the library: tests can tell
// generations apart.
class ConstantHead : public Head {
 public:
  Status activate(const HeadSpec& spec, Message& why) noexcept override {
    for (const auto& tensor : spec.weights) {
      if (std::string_view(tensor.name) == "value" && tensor.size() == spec.dof) {
        value_.assign(tensor.data, tensor.data + spec.dof);
      }
    }
    if (value_.empty()) {
      std::string_view("tensor 'value' is missing").copy(why.text, sizeof why.text - 1);
      return Code::incompatible;
    }
    return {};
  }
  Status decode(FeaturesView, ChunkView out) noexcept override {
    for (std::uint32_t i = 0; i < out.horizon * out.dof; ++i)
      out.data[i] = value_[i % out.dof] * TOY_VERSION;
    return {};
  }
  void deactivate() noexcept override {}

 private:
  std::vector<float> value_;
};

// Gives NaN from the third chunk on: sound when it is tried, broken when it drives.
class LaterNanHead final : public ConstantHead {
 public:
  Status decode(FeaturesView features, ChunkView out) noexcept override {
    const Status status = ConstantHead::decode(features, out);
    if (++chunks_ > 2) out.data[0] = std::numeric_limits<float>::quiet_NaN();
    return status;
  }

 private:
  int chunks_ = 0;
};

// Never comes back from the third chunk on.
class StuckHead final : public ConstantHead {
 public:
  Status decode(FeaturesView features, ChunkView out) noexcept override {
    while (chunks_ >= 2) ::pause();
    ++chunks_;
    return ConstantHead::decode(features, out);
  }

 private:
  int chunks_ = 0;
};

class NanHead final : public ConstantHead {
 public:
  Status decode(FeaturesView, ChunkView out) noexcept override {
    std::fill_n(out.data, out.horizon * out.dof, std::numeric_limits<float>::quiet_NaN());
    return {};
  }
};

}  // namespace
}  // namespace cambium::toy

CAMBIUM_PLUGIN("toy", TOY_NAME(TOY_VERSION) ".0.0",
               cambium::plugin::embodiment<cambium::toy::kSpec>(),
               cambium::plugin::stem<cambium::toy::PassStem>("pass"),
               cambium::plugin::head<cambium::toy::ConstantHead>("constant"),
               cambium::plugin::head<cambium::toy::LaterNanHead>("later_nan"),
               cambium::plugin::head<cambium::toy::StuckHead>("stuck"),
               cambium::plugin::head<cambium::toy::NanHead>("nan"))
