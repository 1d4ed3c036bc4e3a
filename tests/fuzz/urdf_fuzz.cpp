// A robot description that somebody starts from: `cambium new --urdf`.
#include <cmath>

#include "core/app/urdf.hpp"
#include "tests/fuzz/memory_file.hpp"

// urdfdom's links own one another, so those in a loop that no root reaches are never freed.
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:urdf::parseURDF";
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cambium;
  static fuzz::MemoryFile file;
  const auto robot = app::read_urdf(file.hold(data, size), "arm");
  fuzz::says_why(robot);
  if (!robot) return 0;
  fuzz::promise(!robot->embodiment.joints.empty(), "a robot has a joint");
  fuzz::promise(robot->joint_comments.size() == robot->embodiment.joints.size(),
                "each joint has its comment");
  const auto axes = robot->embodiment.axes.size();
  fuzz::promise(axes == 0 || axes == robot->embodiment.joints.size(),
                "every joint or none has axes");
  for (const auto& joint : robot->embodiment.joints)
    fuzz::promise(joint.position_min < joint.position_max && std::isfinite(joint.velocity_max),
                  "limits make sense");
  return 0;
}
