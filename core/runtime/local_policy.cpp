#include "core/runtime/local_policy.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/runtime/token_layout.hpp"

namespace cambium::runtime {
namespace {

std::string file_name(const nn::Bundle& bundle) {
  return "bundle '" + bundle.file().path().string() + "'";
}

std::string text_of(const std::vector<std::uint32_t>& shape) {
  std::string text = "(";
  for (const auto extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + ")";
}

Result<void> check_contract(const PolicyParts& parts) {
  const auto& spec = parts.bundle.spec();
  const auto& body = parts.embodiment;
  const auto refuse = [&](const std::string& what) {
    return Error{Code::incompatible, file_name(parts.bundle) + ": " + what};
  };
  if (spec.embodiment != body.name) {
    return refuse("made for embodiment '" + spec.embodiment + "', the plugin's is '" + body.name +
                  "'");
  }
  if (spec.dof != body.dof()) {
    return refuse("dof " + std::to_string(spec.dof) + ", embodiment '" + body.name + "' has " +
                  std::to_string(body.dof()));
  }
  if (spec.action_kind != body.action) {
    return refuse(std::string("actions are ") + nn::to_string(spec.action_kind) + ", embodiment '" +
                  body.name + "' takes " + nn::to_string(body.action));
  }
  if (std::abs(spec.control_hz - body.control_hz) > 1e-6 * body.control_hz) {
    return refuse("made for " + std::to_string(spec.control_hz) + " Hz, embodiment '" + body.name +
                  "' runs at " + std::to_string(body.control_hz) + " Hz");
  }
  return nn::check_fits(parts.bundle, parts.stock);
}

}  // namespace

Result<std::unique_ptr<Policy>> LocalPolicy::make(const PolicyParts& parts) {
  if (auto fits = check_contract(parts); !fits) return fits.error();
  const auto& spec = parts.bundle.spec();
  std::unique_ptr<LocalPolicy> policy(new LocalPolicy());
  for (const auto& entry : spec.layout) {
    if (auto added = policy->add_input(parts, entry); !added) return added.error();
  }
  const auto tokens = parts.bundle.action_tokens();
  policy->action_tokens_.assign(tokens.begin(), tokens.end());
  policy->action_normaliser_ = parts.bundle.action_normaliser();
  policy->shape_ = {
      .tokens = spec.tokens() + static_cast<std::uint32_t>(tokens.size() / spec.width),
      .width = spec.width,
      .features = spec.features(),
      .horizon = spec.horizon,
      .dof = spec.dof,
      .observation_horizon = spec.observation_horizon,
      .pooling = static_cast<std::uint8_t>(spec.pooling),
      .trunk = base::from_hex(spec.trunk_id),
  };
  policy->token_layout_ = runtime::token_layout(spec);
  if (auto added = policy->add_head(parts); !added) return added.error();
  return std::unique_ptr<Policy>(std::move(policy));
}

Result<void> LocalPolicy::add_input(const PolicyParts& parts, const nn::LayoutEntry& entry) {
  const auto& spec = parts.bundle.spec();
  const auto refuse = [&](Code code, const std::string& what) {
    return Error{code, file_name(parts.bundle) + ": stem '" + entry.stem + "' of sensor '" +
                           entry.sensor + "': " + what};
  };
  const auto index = parts.embodiment.sensor(entry.sensor);
  if (!index) return refuse(Code::incompatible, index.error().message);
  const auto& sensor = parts.embodiment.sensors[*index];
  if (sensor.shape != entry.shape) {
    return refuse(Code::incompatible, "trained on shape " + text_of(entry.shape) +
                                          ", embodiment '" + parts.embodiment.name + "' has " +
                                          text_of(sensor.shape));
  }
  const nn::SharedStem* shared = entry.shared ? parts.stock.find_stem(entry.sensor) : nullptr;

  Input input{.sensor = *index,
              .horizon = shared ? shared->horizon : spec.observation_horizon,
              .tokens = entry.tokens,
              .normaliser = parts.bundle.normaliser(entry.sensor),
              .stem = {},
              .scratch = {}};
  if (!input.normaliser.changes_nothing())
    input.scratch.resize(std::size_t{std::max(input.horizon, spec.observation_horizon)} *
                         entry.size());
  auto stem = parts.stem_library.create_stem(entry.stem);
  if (!stem) return refuse(stem.error().code, stem.error().message);

  const auto parameters = nn::views(entry.parameters);
  const auto weights =
      shared ? parts.stock.stem_weights(entry.sensor) : parts.bundle.stem_weights(entry.sensor);
  StemSpec stem_spec{.rank = static_cast<std::uint32_t>(entry.shape.size()),
                     .shape = {},
                     .horizon = input.horizon,
                     .tokens = entry.tokens,
                     .width = spec.width,
                     .parameters = parameters,
                     .weights = weights};
  std::copy(entry.shape.begin(), entry.shape.end(), stem_spec.shape);
  Message why;
  if (const Status status = (*stem)->activate(stem_spec, why); !status.ok())
    return refuse(status.code(), why.text);
  if (auto added = add_memory(parts.stem_library.state_of(**stem, entry.stem),
                              "stem:" + entry.sensor + "/" + entry.stem);
      !added) {
    return added.error();
  }
  input.stem = std::move(*stem);
  inputs_.push_back(std::move(input));
  return {};
}

Result<void> LocalPolicy::add_head(const PolicyParts& parts) {
  const auto& spec = parts.bundle.spec();
  head_name_ = parts.head.empty() ? spec.head : parts.head;
  auto head = parts.head_library.create_head(head_name_);
  if (!head) return head.error();
  const auto parameters = nn::views(spec.head_parameters);
  const auto weights = parts.bundle.head_weights();
  Message why;
  const Status status = (*head)->activate({.features = shape_.features,
                                           .width = spec.width,
                                           .horizon = spec.horizon,
                                           .dof = spec.dof,
                                           .parameters = parameters,
                                           .weights = weights},
                                          why);
  if (!status.ok()) {
    return Error{status.code(),
                 file_name(parts.bundle) + ": head '" + head_name_ + "': " + why.text};
  }
  head_ = std::move(*head);
  return add_memory(parts.head_library.state_of(*head_, head_name_), "head:" + head_name_);
}

Result<void> LocalPolicy::add_memory(Result<State*> state, std::string owner) {
  if (!state) return state.error();
  if (*state == nullptr) return {};
  memories_.push_back(*state);
  state_.push_back({.owner = std::move(owner),
                    .version = (*state)->version(),
                    .size = 0,
                    .bytes = std::vector<std::byte>(kMaxStateBytes)});
  converted_.resize(kMaxStateBytes);
  return {};
}

LocalPolicy::~LocalPolicy() {
  for (auto& input : inputs_) {
    if (input.stem) input.stem->deactivate();
  }
  if (head_) head_->deactivate();
}

Outcome LocalPolicy::encode(const ObservationWindow& window, std::span<float> out) noexcept {
  float* tokens = out.data();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    auto& input = inputs_[i];
    SensorWindow raw = window.sensor(input.sensor);
    const std::uint32_t steps =
        std::min(raw.steps, input.horizon);  // a shared stem may look less far back
    const float* newest = raw.data + std::size_t{raw.steps - steps} * raw.size;
    const std::size_t numbers = std::size_t{steps} * raw.size;
    if (!input.scratch.empty())
      input.normaliser.normalise({newest, numbers}, std::span(input.scratch).first(numbers));
    const Status status =
        input.stem->encode({input.scratch.empty() ? newest : input.scratch.data(), steps, raw.size},
                           {tokens, input.tokens, shape_.width});
    if (!status.ok()) return {.status = {status.code(), static_cast<std::uint16_t>(i)}};
    tokens += std::size_t{input.tokens} * shape_.width;
  }
  std::copy(action_tokens_.begin(), action_tokens_.end(), tokens);
  return {};
}

Outcome LocalPolicy::decode(FeaturesView features, std::span<float> out) noexcept {
  const Status status = head_->decode(features, {out.data(), shape_.horizon, shape_.dof});
  if (!status.ok()) return {.status = status};
  action_normaliser_.unnormalise(out, out);
  const bool finite = std::all_of(out.begin(), out.end(), [](float x) { return std::isfinite(x); });
  return {.status = finite ? Status() : Status(Code::not_finite)};
}

const PolicyState& LocalPolicy::state() noexcept {
  for (std::size_t i = 0; i < memories_.size(); ++i) {
    auto& part = state_[i];
    std::uint32_t size = 0;
    const bool saved = memories_[i]->save(part.bytes, size).ok() && size <= part.bytes.size();
    part.size = saved ? size : 0;
  }
  return state_;
}

StateReport LocalPolicy::restore(const PolicyState& state) noexcept {
  StateReport report;
  for (std::size_t i = 0; i < memories_.size(); ++i) {
    const auto part = std::find_if(state.begin(), state.end(), [&](const PartState& one) {
      return one.owner == state_[i].owner;
    });
    if (part == state.end() || part->size == 0) continue;
    std::span<const std::byte> bytes(part->bytes.data(), part->size);
    const bool older = part->version != memories_[i]->version();
    Status status;
    if (older) {
      std::uint32_t size = 0;
      status = memories_[i]->convert(part->version, bytes, converted_, size, report.why);
      if (status.ok() && size > converted_.size()) status = Code::bad_data;
      bytes = {converted_.data(), size};
    }
    if (status.ok()) status = memories_[i]->load(bytes, report.why);
    if (status.ok()) {
      ++report.carried;
      report.converted += older;
    } else {
      ++report.cold;
    }
  }
  return report;
}

}  // namespace cambium::runtime
