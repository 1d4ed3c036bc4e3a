// A thread_local with a destructor, touched on the host's thread, keeps the library mapped.
#include <string>

#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

class PinnedHead final : public ConstantHead {
 public:
  PinnedHead() {
    thread_local std::string name;
    name = "a text that is too long for the small buffer of a string";
  }
};

}  // namespace
}  // namespace cambium::toy

CAMBIUM_PLUGIN("pinned", "1.0.0", cambium::plugin::embodiment<cambium::toy::kSpec>(),
               cambium::plugin::head<cambium::toy::PinnedHead>("constant"))
