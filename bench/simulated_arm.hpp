// bench/simulated_arm.hpp: the robot at the controller's end of the wire, and a judge of every
// action that reaches it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cambium/client.hpp"

namespace cambium::bench {

/// Joints that move as they are told, and yield a little towards home, so that a policy that knows
/// nothing stays somewhere. Without an answer they brake, as a sound controller lets them.
class SimulatedArm {
 public:
  /// What an action was, held against the limits of the robot's description.
  struct Judgement {
    double steps = -1;  ///< largest change of velocity, in limiter steps; < 0: nothing to compare
    bool from_rest = false;  ///< it is the first action of this body
    bool broke_limits = false;
  };

  /// At home and at rest.
  void start(const RobotInfo& info);
  /// No observation was sent for a while: the host may go on from what it measures.
  void pause() { judged_ = false; }

  /// action  (dof) velocities [rad/s]
  Judgement follow(std::span<const float> action);
  /// A tick without an answer.
  void brake();

  bool is(const RobotInfo& info) const { return embodiment_ == info.embodiment; }
  double period_s() const { return period_; }
  /// (dof) [rad]
  std::span<const float> position() const { return observed_; }
  /// What broke a limit first, in a sentence; empty: nothing did.
  const std::string& first_fault() const { return first_fault_; }

 private:
  struct Joint {
    JointInfo limits;
    double position = 0, velocity = 0;
    double last = 0;  // the last command that came
  };

  void move();

  std::string embodiment_;
  double period_ = 0.01;
  std::vector<Joint> joints_;
  std::vector<float> observed_;
  int unanswered_ = 0;
  bool judged_ = true, from_rest_ = true;
  std::string first_fault_;
};

}  // namespace cambium::bench
