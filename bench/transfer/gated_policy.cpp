#include "bench/transfer/gated_policy.hpp"

#include <algorithm>

namespace cambium::transfer {

GatedPolicy::GatedPolicy(learn::BodyPolicy& policy, const plugin::Embodiment& embodiment,
                         std::uint32_t replan)
    : policy_(policy),
      gate_(runtime::limits_of(embodiment), embodiment.action, {}),
      period_(1 / embodiment.control_hz),
      replan_(std::min(replan, policy.horizon())),
      played_(replan_),
      chunk_(std::size_t{policy.horizon()} * policy.dof()),
      action_(policy.dof()) {}

Result<std::unique_ptr<GatedPolicy>> GatedPolicy::make(learn::BodyPolicy& policy,
                                                       const plugin::Embodiment& embodiment,
                                                       std::uint32_t replan) {
  std::unique_ptr<GatedPolicy> actor(new GatedPolicy(policy, embodiment, replan));
  const auto joints = embodiment.sensor("joint_position");
  if (!joints) return joints.error();
  actor->joints_ = *joints;
  for (const std::string& name : policy.sensors()) {
    const auto sensor = embodiment.sensor(name);
    if (!sensor) return Error{Code::incompatible, sensor.error().message};
    actor->order_.push_back(*sensor);
  }
  actor->read_.resize(actor->order_.size());
  return actor;
}

void GatedPolicy::restart() {
  played_ = replan_;
  gate_.rest();  // an attempt begins with an arm that stands
}

Result<void> GatedPolicy::act(std::span<const std::span<const float>> readings,
                              std::span<double> action) {
  if (played_ == replan_) {
    for (std::size_t i = 0; i < order_.size(); ++i) read_[i] = readings[order_[i]];
    policy_.chunk(read_, chunk_);
    played_ = 0;
  }
  std::copy_n(chunk_.begin() + static_cast<std::ptrdiff_t>(played_++ * action_.size()),
              action_.size(), action_.begin());
  const auto verdict = gate_.pass(action_, readings[joints_], period_);
  if (verdict.code == Code::not_finite)
    return Error{Code::not_finite, "the policy gave a number that is not finite"};
  std::copy(action_.begin(), action_.end(), action.begin());
  return {};
}

}  // namespace cambium::transfer
