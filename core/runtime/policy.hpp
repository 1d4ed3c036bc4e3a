// core/runtime/policy.hpp: stems, normaliser and head of one generation: observations to tokens,
// features to actions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "cambium/frame.hpp"
#include "cambium/status.hpp"
#include "core/base/sha256.hpp"
#include "core/runtime/observation_window.hpp"
#include "core/runtime/policy_state.hpp"

namespace cambium::runtime {

/// The sizes that the rest of the host needs.
struct PolicyShape {
  std::uint32_t tokens = 0;  ///< sent to the trunk, action tokens included
  std::uint32_t width = 0;
  std::uint32_t features = 0;  ///< rows that come back
  std::uint32_t horizon = 0, dof = 0;
  std::uint32_t observation_horizon = 1;
  std::uint8_t pooling = 0;  ///< wire::Pooling
  base::Digest trunk{};      ///< the only trunk it works with
};

/// What became of a call: its status, or that poll() will tell.
struct Outcome {
  bool under_way = false;
  Status status;
};

/// Where a generation's stems and head run: on the robot's own thread (LocalPolicy), or in a
/// process of their own (IsolatedPolicy), which the robot never waits for.
///
/// Threads    One thread at a time. At most one call is under way.
/// Real time  Nothing allocates, waits or throws after the policy was made.
class Policy {
 public:
  virtual ~Policy() = default;
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  const PolicyShape& shape() const noexcept { return shape_; }
  const std::string& head_name() const noexcept { return head_name_; }
  /// As token_layout.hpp says.
  const std::string& token_layout() const noexcept { return token_layout_; }

  /// window  [SI]  all sensors of the embodiment, at least one step
  /// out     [1]   (tokens, width)
  /// The detail of an error is the index of the layout entry. [loop, rt]
  virtual Outcome encode(const ObservationWindow& window, std::span<float> out) noexcept = 0;

  /// features  [1]                 (features, width)
  /// out       unit of the action  (horizon, dof)
  /// not_finite if the head gave NaN or infinity. [loop, rt]
  virtual Outcome decode(FeaturesView features, std::span<float> out) noexcept = 0;

  /// Looks after the call under way; when it is done, `out` holds what that call asks for. `failed`
  /// without a call under way, or if the process is gone. [loop, rt]
  virtual Outcome poll(std::span<float> out) noexcept = 0;

  /// The result of the call under way is not wanted any more. The next call may be refused with
  /// `busy` until the old one has ended. [loop, rt]
  virtual void abandon() noexcept = 0;

  /// What stems and head remember now. Borrowed until the next call. [loop, rt]
  virtual const PolicyState& state() noexcept = 0;

  /// Goes on with what another policy remembered, part by part as their owners' names agree; a part
  /// that refuses its bytes starts anew. [loop, rt]
  virtual StateReport restore(const PolicyState& state) noexcept = 0;

 protected:
  Policy() = default;

  PolicyShape shape_;
  std::string head_name_, token_layout_;
};

}  // namespace cambium::runtime
