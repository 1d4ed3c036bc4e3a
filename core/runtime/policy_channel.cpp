#include "core/runtime/policy_channel.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <numeric>
#include <system_error>

namespace cambium::runtime {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

Error failed(const Error& why) {
  return {why.code, "memory shared with a policy's process: " + why.message};
}

// Arrays begin on cache lines of their own.
constexpr std::size_t padded(std::uint64_t bytes) noexcept {
  return (static_cast<std::size_t>(bytes) + 63) / 64 * 64;
}

std::uint64_t input_floats(const ChannelSizes& sizes) noexcept {
  return std::max(sizes.observation() * sizes.shape.observation_horizon, sizes.features());
}

std::uint64_t output_floats(const ChannelSizes& sizes) noexcept {
  return std::max(sizes.tokens(), sizes.chunk());
}

bool finite(std::span<const float> values) noexcept {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

}  // namespace

std::uint64_t ChannelSizes::observation() const noexcept {
  return std::accumulate(sensors.begin(), sensors.end(), std::uint64_t{0});
}

std::size_t ChannelSizes::bytes() const noexcept {
  constexpr std::uint64_t kMost = kMaxChannelBytes / sizeof(float);
  if (state.size() > kMaxStateParts || sensors.size() > plugin::kMaxSensors) return 0;
  if (observation() > kMost || shape.observation_horizon > kMost) return 0;  // no overflow below
  const std::uint64_t input = input_floats(*this), output = output_floats(*this);
  if (input > kMost || output > kMost) return 0;
  std::size_t all = padded(sizeof(ChannelHeader)) + padded(input * sizeof(float)) +
                    padded(output * sizeof(float));
  for (const auto room : state) all += 2 * padded(room);
  return all > kMaxChannelBytes ? 0 : all;
}

ChannelSizes channel_sizes(const PolicyShape& shape, const plugin::Embodiment& body,
                           const PolicyState& state) {
  ChannelSizes sizes{.shape = shape, .sensors = body.sensor_sizes(), .state = {}};
  for (const auto& part : state)
    sizes.state.push_back(static_cast<std::uint32_t>(part.bytes.size()));
  return sizes;
}

ChannelView::ChannelView(base::Mapping mapping, const ChannelSizes& sizes)
    : mapping_(std::move(mapping)),
      input_(padded(sizeof(ChannelHeader))),
      output_(input_ + padded(input_floats(sizes) * sizeof(float))) {
  std::size_t at = output_ + padded(output_floats(sizes) * sizeof(float));
  for (auto* places : {&to_child_, &from_child_}) {
    for (const auto room : sizes.state) {
      places->push_back(at);
      at += padded(room);
    }
  }
}

Result<std::unique_ptr<ChannelView>> ChannelView::map(int memory, const ChannelSizes& sizes) {
  const std::size_t bytes = sizes.bytes();
  struct stat facts {};
  if (::fstat(memory, &facts) != 0) {
    return failed(Error{Code::failed, "fstat: " + std::generic_category().message(errno)});
  }
  if (bytes == 0 || static_cast<std::size_t>(facts.st_size) != bytes) {
    return Error{Code::incompatible,
                 fmt::format("memory shared with a policy's process has {} bytes, this end expects "
                             "{}",
                             facts.st_size, bytes)};
  }
  auto mapping = base::Mapping::map(memory, bytes, base::Mapping::Access::write);
  if (!mapping) return failed(mapping.error());
  return std::unique_ptr<ChannelView>(new ChannelView(std::move(*mapping), sizes));
}

// The host's end.

HostEnd::HostEnd(std::unique_ptr<ChannelView> view, int job, ChannelSizes sizes, PolicyState state)
    : view_(std::move(view)), job_(job), sizes_(std::move(sizes)), state_(std::move(state)) {}

Result<std::unique_ptr<HostEnd>> HostEnd::open(int memory, int job, ChannelSizes sizes,
                                               PolicyState state) {
  const std::size_t bytes = sizes.bytes();
  if (bytes == 0) {
    return Error{Code::limit, fmt::format("windows, tokens and state of the policy need more than "
                                          "the {} MB that a process of its own may share",
                                          kMaxChannelBytes >> 20)};
  }
  if (auto sealed = base::seal_memory(memory, bytes); !sealed) return failed(sealed.error());
  auto view = ChannelView::map(memory, sizes);
  if (!view) return view.error();
  return std::unique_ptr<HostEnd>(
      new HostEnd(std::move(*view), job, std::move(sizes), std::move(state)));
}

bool HostEnd::answered() const noexcept {
  return view_->header().answered.load(std::memory_order_acquire) == asked_.load(kRelaxed);
}

Outcome HostEnd::encode(const ObservationWindow& window) noexcept {
  const auto sensors = window.sizes();
  const std::uint32_t steps = std::min(window.steps(), sizes_.shape.observation_horizon);
  if (steps == 0 || !std::ranges::equal(sensors, sizes_.sensors))
    return {.status = Code::bad_argument};
  if (under_way_ || !answered()) return {.status = Code::busy};
  float* to = view_->input();
  for (std::uint32_t step = 0; step < steps; ++step) {
    for (std::size_t i = 0; i < sensors.size(); ++i) {
      const SensorWindow raw = window.sensor(i);
      to = std::copy_n(raw.data + std::size_t{raw.steps - steps + step} * raw.size, raw.size, to);
    }
  }
  return send(ChannelHeader::kEncode, steps, sizes_.tokens());
}

Outcome HostEnd::decode(FeaturesView features) noexcept {
  if (features.count != sizes_.shape.features || features.width != sizes_.shape.width)
    return {.status = Code::bad_argument};
  if (under_way_ || !answered()) return {.status = Code::busy};
  std::copy_n(features.data, sizes_.features(), view_->input());
  return send(ChannelHeader::kDecode, 0, sizes_.chunk());
}

Outcome HostEnd::send(ChannelHeader::Kind kind, std::uint32_t steps,
                      std::uint64_t wanted) noexcept {
  ChannelHeader& header = view_->header();
  header.kind.store(kind, kRelaxed);
  header.steps.store(steps, kRelaxed);
  header.restore.store(restore_next_ ? 1 : 0, kRelaxed);
  restoring_ = std::exchange(restore_next_, false);
  wanted_ = wanted;
  under_way_ = true;
  const std::uint64_t number = asked_.load(kRelaxed) + 1;
  asked_at_.store(base::monotonic_ns(), kRelaxed);
  asked_.store(number, std::memory_order_release);  // unanswered() sees its time, or a later one
  header.asked.store(number, std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(job_, &one, sizeof one);
  return {.under_way = true, .status = {}};
}

Outcome HostEnd::poll(std::span<float> out) noexcept {
  if (!under_way_) return {.status = Code::failed};
  if (!answered()) return {.under_way = true, .status = {}};
  under_way_ = false;
  const ChannelHeader& header = view_->header();
  const std::uint32_t code = header.code.load(kRelaxed), detail = header.detail.load(kRelaxed);
  if (code > static_cast<std::uint32_t>(Code::failed) || detail > UINT16_MAX)
    return {.status = Code::bad_data};
  read_state();
  if (restoring_) {
    restoring_ = false;
    const auto most = static_cast<std::uint32_t>(state_.size());
    restored_.carried = std::min(header.carried.load(kRelaxed), most);
    restored_.converted = std::min(header.converted.load(kRelaxed), most);
    restored_.cold = std::min(header.cold.load(kRelaxed), most);
    restored_.why = header.why;
    restored_.why.text[sizeof restored_.why.text - 1] = 0;
  }
  if (code != 0) return {.status = {static_cast<Code>(code), static_cast<std::uint16_t>(detail)}};
  if (out.size() < wanted_) return {.status = Code::bad_argument};
  const auto copied = out.first(static_cast<std::size_t>(wanted_));
  std::copy_n(view_->output(), copied.size(), copied.begin());
  return {.status = finite(copied) ? Status() : Status(Code::not_finite)};
}

void HostEnd::read_state() noexcept {
  for (std::size_t i = 0; i < state_.size(); ++i) {
    const auto& from = view_->header().from_child[i];
    PartState& part = state_[i];
    const std::uint32_t size = from.size.load(kRelaxed);
    part.version = from.version.load(kRelaxed);
    part.size = size <= sizes_.state[i] ? size : 0;
    std::copy_n(view_->state_from_child(i), part.size, part.bytes.begin());
  }
}

StateReport HostEnd::restore(const PolicyState& state) noexcept {
  StateReport report;
  if (!answered()) {  // the child may still be reading what came before
    report.cold = static_cast<std::uint32_t>(state.size());
    constexpr std::string_view kWhy = "an older call was still under way";
    kWhy.copy(report.why.text, sizeof report.why.text - 1);
    return report;
  }
  for (std::size_t i = 0; i < state_.size(); ++i) {
    auto& to = view_->header().to_child[i];
    to.size.store(0, kRelaxed);
    const auto old = std::ranges::find(state, state_[i].owner, &PartState::owner);
    if (old == state.end() || old->size == 0) continue;
    if (old->size > sizes_.state[i] || old->size > old->bytes.size()) {
      ++report.cold;
      fmt::format_to_n(report.why.text, sizeof report.why.text - 1,
                       "{}: {} bytes of state, there is room for {}", old->owner.c_str(), old->size,
                       sizes_.state[i]);
      continue;
    }
    std::copy_n(old->bytes.begin(), old->size, view_->state_to_child(i));
    to.version.store(old->version, kRelaxed);
    to.size.store(old->size, kRelaxed);
    ++report.carried;
  }
  restore_next_ = true;
  return report;
}

bool HostEnd::unanswered(base::Nanoseconds now, base::Nanoseconds limit) const noexcept {
  const std::uint64_t asked = asked_.load(std::memory_order_acquire);
  const base::Nanoseconds at = asked_at_.load(kRelaxed);
  return view_->header().answered.load(std::memory_order_acquire) != asked && now - at > limit;
}

// The child's end.

ChildEnd::ChildEnd(std::unique_ptr<ChannelView> view, const ChannelSizes& sizes, PolicyState state)
    : view_(std::move(view)),
      sizes_(sizes),
      state_(std::move(state)),
      window_(sizes.sensors, sizes.shape.observation_horizon),
      input_(static_cast<std::size_t>(input_floats(sizes))),
      output_(static_cast<std::size_t>(output_floats(sizes))) {}

Result<std::unique_ptr<ChildEnd>> ChildEnd::open(int memory, ChannelSizes sizes,
                                                 PolicyState state) {
  auto view = ChannelView::map(memory, sizes);
  if (!view) return view.error();
  return std::unique_ptr<ChildEnd>(new ChildEnd(std::move(*view), sizes, std::move(state)));
}

bool ChildEnd::serve(Policy& policy) noexcept {
  ChannelHeader& header = view_->header();
  const std::uint64_t number = header.asked.load(std::memory_order_acquire);
  if (number == served_) return false;
  served_ = number;
  if (header.restore.load(kRelaxed) == 1) restore(policy);
  const Status status = run(policy);
  publish(policy.state());
  header.code.store(static_cast<std::uint32_t>(status.code()), kRelaxed);
  header.detail.store(status.detail(), kRelaxed);
  header.answered.store(number, std::memory_order_release);
  return true;
}

Status ChildEnd::run(Policy& policy) noexcept {
  const ChannelHeader& header = view_->header();
  switch (header.kind.load(kRelaxed)) {
    case ChannelHeader::kEncode: {
      const std::uint32_t steps = header.steps.load(kRelaxed);
      if (steps == 0 || steps > sizes_.shape.observation_horizon) return Code::bad_argument;
      const auto observation = static_cast<std::size_t>(sizes_.observation());
      std::copy_n(view_->input(), observation * steps, input_.begin());
      window_.clear();
      for (std::uint32_t i = 0; i < steps; ++i) window_.push(input_.data() + i * observation);
      const auto tokens = std::span(output_).first(static_cast<std::size_t>(sizes_.tokens()));
      const Status status = policy.encode(window_, tokens).status;
      if (status.ok()) std::ranges::copy(tokens, view_->output());
      return status;
    }
    case ChannelHeader::kDecode: {
      std::copy_n(view_->input(), sizes_.features(), input_.begin());
      const auto chunk = std::span(output_).first(static_cast<std::size_t>(sizes_.chunk()));
      const Status status =
          policy.decode({input_.data(), sizes_.shape.features, sizes_.shape.width}, chunk).status;
      if (status.ok()) std::ranges::copy(chunk, view_->output());
      return status;
    }
  }
  return Code::bad_argument;
}

void ChildEnd::restore(Policy& policy) noexcept {
  ChannelHeader& header = view_->header();
  for (std::size_t i = 0; i < state_.size(); ++i) {
    const std::uint32_t size = header.to_child[i].size.load(kRelaxed);
    PartState& part = state_[i];
    part.version = header.to_child[i].version.load(kRelaxed);
    part.size = size <= part.bytes.size() ? size : 0;
    std::copy_n(view_->state_to_child(i), part.size, part.bytes.begin());
  }
  const StateReport report = policy.restore(state_);
  header.carried.store(report.carried, kRelaxed);
  header.converted.store(report.converted, kRelaxed);
  header.cold.store(report.cold, kRelaxed);
  header.why = report.why;
}

void ChildEnd::publish(const PolicyState& state) noexcept {
  for (std::size_t i = 0; i < state_.size(); ++i) {
    const bool sound = i < state.size() && state[i].size <= sizes_.state[i];
    auto& to = view_->header().from_child[i];
    const std::uint32_t size = sound ? state[i].size : 0;
    if (sound) {
      to.version.store(state[i].version, kRelaxed);
      std::copy_n(state[i].bytes.begin(), size, view_->state_from_child(i));
    }
    to.size.store(size, kRelaxed);
  }
}

}  // namespace cambium::runtime
