// examples/reach/precisions.hpp: what a policy loses when its trunk is computed less exactly.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cambium/result.hpp"
#include "core/nn/precision.hpp"
#include "examples/reach/evaluate.hpp"
#include "examples/reach/policy_actor.hpp"

namespace cambium::reach {

/// Differences from f32 at the same observations, those of the arm that f32 moves. Actions are the
/// head's, before the gate, which would hide some of it; all of each chunk.
struct Differences {
  std::uint64_t inferences = 0;
  double feature_rms = 0;          ///< [1] over the rms of f32's features
  double feature_max = 0;          ///< [1] the largest of any feature, over the same
  std::vector<double> action_rms;  ///< [rad/s] or [m/s]  (dof)
  std::vector<double> action_max;  ///< [rad/s] or [m/s]  (dof)
};

struct PrecisionResult {
  nn::Precision wanted = nn::Precision::f32;
  nn::Precision computed = nn::Precision::f32;  ///< what this machine made of it
  Differences from_f32;                         ///< zeros for f32 itself
  Evaluation closed_loop;                       ///< when it moves the arm itself
};

/// Drives the arm in f32, with the others looking on, then in each of the others; the same goals,
/// each from where the one before ended. The first result is f32's. after_target as evaluate()'s,
/// with the number done of all; false ends everything with Code::failed. [setup]
Result<std::vector<PrecisionResult>> compare_precisions(
    const ArmModel& model, const PolicyFiles& files, const plugin::PluginLibrary& library,
    std::span<const nn::Precision> others, const EvaluateOptions& options,
    const std::function<bool(std::uint32_t)>& after_target);

}  // namespace cambium::reach
