// tests/support/toy_plugin.cpp: the toy robots with heads that are sound, broken, or remember.
// Built several times with other values of TOY_VERSION and TOY_BODY, as a user rebuilds a plugin.
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "tests/support/toy_counting_head.hpp"
#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

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
               cambium::plugin::head<cambium::toy::NanHead>("nan"),
               cambium::plugin::head<cambium::toy::StuckHead>("stuck"),
               cambium::plugin::head<cambium::toy::CountingHead>("counting"),
               cambium::plugin::head_state<cambium::toy::CountingHead, "counting">())
