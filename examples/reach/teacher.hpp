// examples/reach/teacher.hpp: the expert as a demonstrator at the end of a host's socket.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "cambium/client.hpp"
#include "examples/reach/drifting_noise.hpp"
#include "examples/reach/expert.hpp"

namespace cambium::reach {

struct TeacherOptions {
  std::uint64_t seed = 0;
  double noise = 0.3;          ///< standard deviation, in parts of a joint's velocity_max
  double noise_memory = 0.93;  ///< from tick to tick
  double time_limit = 2.5;     ///< [s] of an episode, as of recorded ones
  double most = 0.9;  ///< of each velocity_max: who learned the very limit asks for more than that
                      ///< in every other tick, and does not stand its probation
};

/// Every other episode it is disturbed, and says what it would have done: the states off the
/// straight way are where a policy learns to come back. One thread at a time.
class Teacher {
 public:
  /// Borrows the model for life. [setup]
  explicit Teacher(const ArmModel& model, TeacherOptions options = {});

  /// Its command for this tick, and what is to be learned of it, to go with the next act().
  /// q  [rad] or [m]  (dof)
  Status show(Client& client, std::span<const double> q, const Point& goal);

  /// Another goal: an episode of its own.
  void next_episode();

  double time_limit() const noexcept { return options_.time_limit; }

 private:
  const ArmModel* model_;
  TeacherOptions options_;
  Expert expert_;
  DriftingNoise noise_;
  std::mt19937_64 random_;
  bool disturbed_ = false;
  std::vector<double> velocity_;
  std::vector<float> command_, label_;
};

}  // namespace cambium::reach
