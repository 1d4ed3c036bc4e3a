#include "core/check/part.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cambium/version.hpp"
#include "core/check/finding.hpp"

namespace cambium::check {

std::uint64_t PartSpec::step_size() const noexcept {
  if (is_head) return std::uint64_t{head.features} * head.width;
  std::uint64_t size = 1;
  for (std::uint32_t i = 0; i < stem.rank; ++i) size *= stem.shape[i];
  return size;
}

std::uint64_t PartSpec::output_size() const noexcept {
  return is_head ? std::uint64_t{head.horizon} * head.dof : std::uint64_t{stem.tokens} * stem.width;
}

Sample PartSpec::sample(std::mt19937& random, std::uint32_t steps) const {
  Sample sample{std::vector<float>(steps * step_size()), steps};
  std::uniform_real_distribution<float> even(-1, 1);
  for (auto& value : sample.values) value = even(random);
  return sample;
}

Sample PartSpec::filled(float value) const {
  return {std::vector<float>(longest() * step_size(), value), longest()};
}

PartSpec stem_part(StemPart part) {
  PartSpec spec{.title = std::move(part.title),
                .library = part.library,
                .name = std::move(part.name),
                .parameters = std::move(part.parameters),
                .weights = std::move(part.weights),
                .stem = {.rank = static_cast<std::uint32_t>(part.shape.size()),
                         .horizon = part.horizon,
                         .tokens = part.tokens,
                         .width = part.width}};
  std::ranges::copy(part.shape, spec.stem.shape);
  return spec;
}

Part::Part(const PartSpec& spec) : spec_(spec) {
  if (spec_.is_head) {
    head_ = need(spec_.library->create_head(spec_.name));
    state_ = need(spec_.library->state_of(*head_, spec_.name));
  } else {
    stem_ = need(spec_.library->create_stem(spec_.name));
    state_ = need(spec_.library->state_of(*stem_, spec_.name));
  }
}

Status Part::activate(std::span<const TensorView> weights, std::span<const Parameter> parameters,
                      Message& why) noexcept {
  Status status;
  if (spec_.is_head) {
    HeadSpec head = spec_.head;
    head.weights = weights;
    head.parameters = parameters;
    status = head_->activate(head, why);
  } else {
    StemSpec stem = spec_.stem;
    stem.weights = weights;
    stem.parameters = parameters;
    status = stem_->activate(stem, why);
  }
  why.text[sizeof why.text - 1] = 0;
  active_ = status.ok();
  return status;
}

void Part::activate() {
  Message why;
  if (const Status status = activate(spec_.weights, spec_.parameters, why); !status.ok())
    throw Ended{fail(fmt::format("{}: activate() refused the bundle's weights ({}): {}",
                                 spec_.title, cambium::to_string(status.code()), why.text))};
}

void Part::deactivate() noexcept {
  if (!active_) return;
  active_ = false;
  spec_.is_head ? head_->deactivate() : stem_->deactivate();
}

Status Part::run(const Sample& in, std::span<float> out) noexcept {
  if (spec_.is_head)
    return head_->decode({in.values.data(), spec_.head.features, spec_.head.width},
                         {out.data(), spec_.head.horizon, spec_.head.dof});
  return stem_->encode({in.values.data(), in.steps, static_cast<std::uint32_t>(spec_.step_size())},
                       {out.data(), spec_.stem.tokens, spec_.stem.width});
}

std::vector<float> Part::run(const Sample& in) {
  std::vector<float> out(spec_.output_size());
  if (const Status status = run(in, out); !status.ok())
    throw Ended{fail(fmt::format("{}: {} of an ordinary input says '{}'", spec_.title, spec_.call(),
                                 cambium::to_string(status.code())))};
  return out;
}

void make_all(const plugin::PluginLibrary& library) {
  for (const auto& [interface_id, name] : library.exports()) {
    if (interface_id == kStemInterface) need(library.create_stem(name));
    if (interface_id == kHeadInterface) need(library.create_head(name));
  }
}

std::int64_t first_difference(std::span<const float> a, std::span<const float> b) noexcept {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) return static_cast<std::int64_t>(i);
  return -1;
}

}  // namespace cambium::check
