// core/runtime/isolated_policy.hpp: a policy whose stems and head run in a process of their own:
// what they break is not the host.
#pragma once

#include <memory>
#include <string>

#include "cambium/result.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/runtime/policy.hpp"
#include "core/runtime/policy_process.hpp"

namespace cambium::runtime {

/// Hands each call to the process and looks for its answer in poll(). Once the process is lost,
/// every call is `failed`: a new policy has to be made.
class IsolatedPolicy final : public Policy {
 public:
  /// `process` must have a channel. [setup]
  explicit IsolatedPolicy(std::shared_ptr<PolicyProcess> process);

  Outcome encode(const ObservationWindow& window, std::span<float> out) noexcept override;
  Outcome decode(FeaturesView features, std::span<float> out) noexcept override;
  Outcome poll(std::span<float> out) noexcept override;
  void abandon() noexcept override;
  const PolicyState& state() noexcept override;
  /// `carried` counts the parts whose bytes travel with the next call; restored() tells later what
  /// became of them. [loop, rt]
  StateReport restore(const PolicyState& state) noexcept override;
  const StateReport& restored() const noexcept { return channel_.restored(); }

 private:
  std::shared_ptr<PolicyProcess> process_;
  HostEnd& channel_;
};

/// What a host makes a robot of whose plugin it has not opened.
struct IsolatedParts {
  plugin::Embodiment body;
  std::unique_ptr<Policy> policy;          ///< null: no bundle
  std::shared_ptr<PolicyProcess> process;  ///< to be watched; null without a policy
  LibraryIdentity plugin, stem_plugin, head_plugin;
  std::string bundle_sha256;
};

/// Starts the process; its end belongs to the policy and to whoever watches it. [setup]
Result<IsolatedParts> isolate(const PolicyProcessOptions& options);

}  // namespace cambium::runtime
