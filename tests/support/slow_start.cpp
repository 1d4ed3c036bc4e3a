// tests/support/slow_start.cpp: the toy arm with a head that takes its time to be activated, as one
// does that compiles or fills caches.
#include <time.h>

#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

class SlowStartHead final : public ConstantHead {
 public:
  Status activate(const HeadSpec& spec, Message& why) noexcept override {
    timespec left = {.tv_sec = 0, .tv_nsec = 300'000'000};
    while (::nanosleep(&left, &left) != 0) {
    }
    return ConstantHead::activate(spec, why);
  }
};

}  // namespace
}  // namespace cambium::toy

CAMBIUM_PLUGIN("slow_start", "1.0.0", cambium::plugin::embodiment<cambium::toy::kSpec>(),
               cambium::plugin::stem<cambium::toy::PassStem>("pass"),
               cambium::plugin::head<cambium::toy::SlowStartHead>("constant"))
