#include "core/runtime/inference.hpp"

#include <cstddef>
#include <utility>

namespace cambium::runtime {
namespace {

/// Adds the time until its end.
class Stopwatch {
 public:
  explicit Stopwatch(base::Nanoseconds& sum) : sum_(sum), begin_(base::monotonic_ns()) {}
  ~Stopwatch() { sum_ += base::monotonic_ns() - begin_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  base::Nanoseconds& sum_;
  base::Nanoseconds begin_;
};

std::span<float> tokens_of(OutFrame& out, const PolicyShape& shape) {
  return {out.values.get(), std::size_t{shape.tokens} * shape.width};
}

}  // namespace

Inference::Inference(std::unique_ptr<Policy> policy) : policy_(std::move(policy)) {
  if (policy_) chunk_.resize(std::size_t{policy_->shape().horizon} * policy_->shape().dof);
}

Inference::Step Inference::begin(const Request& request, const ObservationWindow& window,
                                 OutFrame& out) noexcept {
  cancel();
  request_ = request;
  stage_ = Stage::encoding;
  took_ = 0;
  Outcome outcome;
  {
    const Stopwatch stopwatch(took_);
    outcome = policy_->encode(window, tokens_of(out, policy_->shape()));
  }
  return encoded(outcome, out);
}

Inference::Step Inference::poll(OutFrame& out) noexcept {
  if (stage_ == Stage::encoding)
    return encoded(policy_->poll(tokens_of(out, policy_->shape())), out);
  if (stage_ == Stage::decoding) return decoded(policy_->poll(chunk_));
  return Step::wait;
}

Inference::Step Inference::encoded(const Outcome& outcome, OutFrame& out) noexcept {
  if (outcome.under_way) return Step::wait;
  if (!outcome.status.ok()) return fail(outcome.status.code(), true, "a stem failed");
  const auto& shape = policy_->shape();
  out.rows = shape.tokens;
  out.columns = shape.width;
  out.pooling = shape.pooling;
  out.pooled = shape.features;
  out.trunk = shape.trunk;
  out.request = request_.id;
  out.sequence = request_.sequence;
  out.memory = request_.memory;
  out.at_once = request_.patience != 0;
  stage_ = Stage::trunk;
  return Step::send;
}

Inference::Step Inference::on_features(const FeaturesFrame& features) noexcept {
  if (stage_ != Stage::trunk) return Step::wait;
  const auto& shape = policy_->shape();
  if (features.code != Code::ok) return fail(features.code, false, "the trunk refused");
  if (features.count != shape.features || features.width != shape.width)
    return fail(Code::bad_data, false, "the trunk's answer has another shape");
  compute_us_ = features.compute_us;
  stage_ = Stage::decoding;
  Outcome outcome;
  {
    const Stopwatch stopwatch(took_);
    outcome = policy_->decode({features.values.get(), features.count, features.width}, chunk_);
  }
  return decoded(outcome);
}

Inference::Step Inference::decoded(const Outcome& outcome) noexcept {
  if (outcome.under_way) return Step::wait;
  if (outcome.status.code() == Code::not_finite)
    return fail(Code::not_finite, true, "the head gave NaN or infinity");
  if (!outcome.status.ok()) return fail(outcome.status.code(), true, "the head failed");
  stage_ = Stage::idle;
  chunk_tick_ = request_.tick;
  return Step::chunk;
}

Inference::Step Inference::fail(Code code, bool own, const char* what) noexcept {
  stage_ = Stage::idle;
  failure_ = {code, own, what};
  return Step::failed;
}

Inference::Step Inference::expire() noexcept {
  const bool own = elsewhere();
  cancel();
  return fail(Code::timeout, own,
              own ? "stems or head did not answer in time" : "the trunk did not answer in time");
}

void Inference::cancel() noexcept {
  if (elsewhere()) policy_->abandon();
  stage_ = Stage::idle;
}

}  // namespace cambium::runtime
