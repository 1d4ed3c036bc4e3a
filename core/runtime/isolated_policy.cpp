#include "core/runtime/isolated_policy.hpp"

namespace cambium::runtime {

IsolatedPolicy::IsolatedPolicy(std::shared_ptr<PolicyProcess> process)
    : process_(std::move(process)), channel_(*process_->channel()) {
  shape_ = process_->report().shape;
  head_name_ = process_->report().head_name;
  token_layout_ = process_->report().token_layout;
}

Outcome IsolatedPolicy::encode(const ObservationWindow& window, std::span<float>) noexcept {
  if (process_->lost()) return {.status = Code::failed};
  return channel_.encode(window);
}

Outcome IsolatedPolicy::decode(FeaturesView features, std::span<float>) noexcept {
  if (process_->lost()) return {.status = Code::failed};
  return channel_.decode(features);
}

Outcome IsolatedPolicy::poll(std::span<float> out) noexcept {
  if (process_->lost()) return {.status = Code::failed};
  return channel_.poll(out);
}

void IsolatedPolicy::abandon() noexcept {
  channel_.abandon();
}

const PolicyState& IsolatedPolicy::state() noexcept {
  // What a process remembered that has died may be what it died of.
  static const PolicyState kNothing;
  return process_->lost() ? kNothing : channel_.state();
}

StateReport IsolatedPolicy::restore(const PolicyState& state) noexcept {
  return channel_.restore(state);
}

Result<IsolatedParts> isolate(const PolicyProcessOptions& options) {
  auto started = PolicyProcess::start(options);
  if (!started) return started.error();
  std::shared_ptr<PolicyProcess> process = std::move(*started);
  const PolicyReport& report = process->report();
  IsolatedParts parts{.body = report.body,
                      .policy = nullptr,
                      .process = nullptr,
                      .plugin = report.plugin,
                      .stem_plugin = report.stem_plugin,
                      .head_plugin = report.head_plugin,
                      .bundle_sha256 = report.bundle_sha256};
  if (report.has_policy) {
    parts.policy = std::make_unique<IsolatedPolicy>(process);
    parts.process = std::move(process);
  }
  return parts;
}

}  // namespace cambium::runtime
