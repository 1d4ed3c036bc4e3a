// examples/tasks/task.hpp: what arms are asked to do in `cambium bench transfer`, and how bodies,
// experts and judges of it are had.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/learn/demonstrations.hpp"
#include "core/plugin/embodiment.hpp"
#include "examples/reach/arm_model.hpp"

namespace cambium::tasks {

/// Sensors beside joint_position [dof] and tool [3]; points in the base frame [m].
enum class TaskKind : std::uint8_t {
  reach,   ///< goal [3]: be there
  choose,  ///< candidates [3, 4]: three points, the fourth number 1 for the one to go to, else 0;
           ///< obstacle [3]: centre of a sphere that the tool must not touch
  push,    ///< puck [3], mark [3]: push the puck onto the mark
};
const char* to_string(TaskKind kind) noexcept;
Result<TaskKind> task_from(std::string_view word);

/// A body as one task sees it: its description, and its physics with what the task adds to them.
struct TaskBody {
  std::string name;  ///< "so101", "random:17"
  TaskKind task;
  plugin::Embodiment
      embodiment;  ///< sensors of this task, axes included; "so101_push" if not reach
  std::shared_ptr<const reach::ArmModel> model;
};

/// name  an arm of examples/reach/arms, or "random:SEED": links, joint count (4 to 7), axes, limits
///       and mounting drawn from the seed, the same seed the same body everywhere
/// [setup]
Result<TaskBody> make_body(std::string_view name, TaskKind task);

struct RecordOptions {
  std::uint32_t episodes = 200;
  std::uint64_t seed = 0;
  std::uint32_t horizon = 8;
  /// A row of each nth tick is kept, from each episode's first: what follows in the next is
  /// much the same, and more episodes in as many rows show more.
  std::uint32_t every = 1;
};

/// The expert at work. The first n episodes of a recording are those of a recording of n, so that
/// 10 demonstrations are the first 10 of 200; half of them with drifting noise, labels without.
/// after_episode as in reach. [setup]
Result<learn::Demonstrations> record(const TaskBody& body, const RecordOptions& options,
                                     const std::function<bool(std::uint32_t)>& after_episode);

/// Whatever is judged: an expert, or a policy.
class Actor {
 public:
  virtual ~Actor() = default;
  /// Another attempt begins; what is in hand was for the last one.
  virtual void restart() {}
  /// readings  SI, as the embodiment's sensors
  /// action    per second, (dof)   for the tick that begins now
  virtual Result<void> act(std::span<const std::span<const float>> readings,
                           std::span<double> action) = 0;
};
std::unique_ptr<Actor> make_expert(const TaskBody& body);

struct EvaluateOptions {
  std::uint32_t attempts = 100;
  std::uint64_t seed = 1000;  ///< far from those of demonstrations
};

struct Evaluation {
  std::uint32_t attempts = 0, succeeded = 0;
  double time = 0;  ///< [s] mean time to success
  double success() const noexcept {
    return attempts == 0 ? 0 : static_cast<double>(succeeded) / attempts;
  }
};

/// Closed loop in MuJoCo, same attempts for the same seed whoever acts. [setup]
Result<Evaluation> evaluate(const TaskBody& body, Actor& actor, const EvaluateOptions& options,
                            const std::function<bool(std::uint32_t)>& after_attempt);

}  // namespace cambium::tasks
