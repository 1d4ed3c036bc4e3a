#include "examples/reach/precisions.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

namespace cambium::reach {
namespace {

using Policy = std::unique_ptr<PolicyActor>;

// One policy that is asked what it would do, and what that has differed so far.
class Onlooker {
 public:
  Onlooker(Policy policy, std::size_t dof)
      : policy_(std::move(policy)), squares_(dof), max_(dof), action_(dof) {}

  PolicyActor& policy() noexcept { return *policy_; }

  Result<void> look(const PolicyActor& driver, std::span<const double> q, const Point& tool,
                    const Point& goal) {
    if (auto acted = policy_->act(q, tool, goal, action_); !acted) return acted;
    const auto features = policy_->features(), exact = driver.features();
    for (std::size_t i = 0; i < features.size(); ++i) {
      const double error = std::abs(double{features[i]} - exact[i]);
      feature_squares_ += error * error;
      feature_max_ = std::max(feature_max_, error);
      exact_squares_ += double{exact[i]} * exact[i];
    }
    const auto chunk = policy_->chunk(), exact_chunk = driver.chunk();
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      const double error = std::abs(double{chunk[i]} - exact_chunk[i]);
      squares_[i % squares_.size()] += error * error;
      max_[i % max_.size()] = std::max(max_[i % max_.size()], error);
    }
    ++inferences_;
    feature_count_ += features.size();
    row_count_ += chunk.size() / max_.size();
    return {};
  }

  Differences differences() const {
    Differences all;
    all.inferences = inferences_;
    all.action_max = max_;
    all.action_rms.resize(max_.size());
    if (inferences_ == 0 || exact_squares_ == 0) return all;
    all.feature_rms = std::sqrt(feature_squares_ / exact_squares_);
    all.feature_max =
        feature_max_ / std::sqrt(exact_squares_ / static_cast<double>(feature_count_));
    std::transform(squares_.begin(), squares_.end(), all.action_rms.begin(),
                   [&](double sum) { return std::sqrt(sum / static_cast<double>(row_count_)); });
    return all;
  }

 private:
  Policy policy_;
  std::uint64_t inferences_ = 0, feature_count_ = 0, row_count_ = 0;
  double feature_squares_ = 0, feature_max_ = 0, exact_squares_ = 0;
  std::vector<double> squares_, max_;  // (dof)
  std::vector<double> action_;         // what it would do; nobody does it
};

class Watched final : public Actor {
 public:
  Watched(Policy driver, std::vector<Onlooker>& onlookers)
      : driver_(std::move(driver)), onlookers_(onlookers) {}

  void restart() override {
    driver_->restart();
    for (auto& one : onlookers_) one.policy().restart();
  }
  Result<void> act(std::span<const double> q, const Point& tool, const Point& goal,
                   std::span<double> action) override {
    if (auto acted = driver_->act(q, tool, goal, action); !acted) return acted;
    for (auto& one : onlookers_)
      if (auto looked = one.look(*driver_, q, tool, goal); !looked) return looked;
    return {};
  }

 private:
  Policy driver_;
  std::vector<Onlooker>& onlookers_;
};

}  // namespace

Result<std::vector<PrecisionResult>> compare_precisions(
    const ArmModel& model, const PolicyFiles& files, const plugin::PluginLibrary& library,
    std::span<const nn::Precision> others, const EvaluateOptions& options,
    const std::function<bool(std::uint32_t)>& after_target) {
  // Every tick is computed anew, so that each observation counts once.
  const auto policy_in = [&](nn::Precision precision) {
    return PolicyActor::make(files, library, 1, precision);
  };
  std::uint32_t done = 0;
  const auto drive = [&](Actor& actor, PrecisionResult& result) -> Result<void> {
    bool stopped = false;
    auto driven = evaluate(model, actor, options, [&](std::uint32_t) {
      stopped = !after_target(++done);
      return !stopped;
    });
    if (!driven) return driven.error();
    if (stopped) return Error{Code::failed, "stopped"};
    result.closed_loop = std::move(*driven);
    return {};
  };

  std::vector<Onlooker> onlookers;
  std::vector<PrecisionResult> results(1);
  for (const auto precision : others) {
    auto policy = policy_in(precision);
    if (!policy) return policy.error();
    results.push_back({.wanted = precision, .computed = (*policy)->precision()});
    onlookers.emplace_back(std::move(*policy), model.dof());
  }
  auto exact = policy_in(nn::Precision::f32);
  if (!exact) return exact.error();
  Watched watched(std::move(*exact), onlookers);
  if (auto driven = drive(watched, results.front()); !driven) return driven.error();
  results.front().from_f32.action_rms.resize(model.dof());
  results.front().from_f32.action_max.resize(model.dof());

  for (std::size_t i = 0; i < others.size(); ++i) {
    PrecisionResult& result = results[i + 1];
    result.from_f32 = onlookers[i].differences();
    auto policy = policy_in(others[i]);  // a fresh one: the onlooker remembers what it saw
    if (!policy) return policy.error();
    if (auto driven = drive(**policy, result); !driven) return driven.error();
  }
  return results;
}

}  // namespace cambium::reach
