#include "core/learn/learned_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace cambium::learn {
namespace {

nn::Parameters widths_parameter(const std::vector<std::uint32_t>& widths) {
  return {{"widths", nlohmann::json(widths).dump()}};
}

std::vector<nn::TensorToWrite> tensors_in(const Policy& policy, Range range,
                                          const std::vector<float>& weights) {
  std::vector<nn::TensorToWrite> tensors;
  for (const ParameterPlace& place : policy.layout().places())
    if (place.offset >= range.begin && place.offset < range.end)
      tensors.push_back(nn::to_write(place.name, place.shape,
                                     std::span(weights).subspan(place.offset, place.size)));
  return tensors;
}

// Hidden widths of a Mlp as its layers have them.
std::vector<std::uint32_t> widths_of(const Mlp& mlp) {
  std::vector<std::uint32_t> widths;
  for (std::size_t i = 0; i + 1 < mlp.layers.size(); ++i)
    widths.push_back(static_cast<std::uint32_t>(mlp.layers[i].out));
  return widths;
}

// The same tensors under another prefix.
void rename(std::vector<nn::TensorToWrite>& tensors, std::string_view from, const std::string& to) {
  for (nn::TensorToWrite& tensor : tensors)
    if (tensor.name.starts_with(from)) tensor.name = to + tensor.name.substr(from.size());
}

Result<std::vector<std::uint32_t>> widths_in(const nn::Parameters& parameters) {
  const auto found = parameters.find("widths");
  const std::string text = found == parameters.end() ? "[128]" : found->second;
  const auto widths = nlohmann::json::parse(text, nullptr, false);
  const auto is_width = [](const nlohmann::json& v) {
    return v.is_number_unsigned() && v.get<std::uint64_t>() >= 1 && v.get<std::uint64_t>() <= 65536;
  };
  if (!widths.is_array() || !std::ranges::all_of(widths, is_width))
    return Error{Code::incompatible,
                 fmt::format("has widths '{}', expected a list of sizes", text)};
  return widths.get<std::vector<std::uint32_t>>();
}

// The tensor of the stock that begins a place of the layout.
Result<void> copy_tensor(const nn::Stock& stock, const std::string& name,
                         const ParameterPlace& place, std::vector<float>& weights) {
  const auto bad = [&](const std::string& what) {
    return Error{Code::bad_data,
                 fmt::format("'{}': tensor '{}' {}", stock.file().path().string(), name, what)};
  };
  const nn::StoredTensor* tensor = stock.file().find(name);
  if (tensor == nullptr) return bad("is missing");
  if (tensor->dtype != nn::DType::f32 || tensor->shape != place.shape)
    return bad(fmt::format("is {} {}, expected F32 {}", to_string(tensor->dtype),
                           nn::to_string(tensor->shape), nn::to_string(place.shape)));
  const auto* values = reinterpret_cast<const float*>(tensor->bytes.data());
  std::copy_n(values, place.size, weights.begin() + static_cast<std::ptrdiff_t>(place.offset));
  return {};
}

}  // namespace

Result<nn::Stock> write_stock(const std::filesystem::path& file, const Policy& policy,
                              const std::vector<float>& weights, const std::string& trained) {
  std::vector<nn::SharedStem> stems;
  for (const auto& [sensor, shape, mlp] : policy.shared_stems()) {
    const bool joints = shape.empty();
    stems.push_back({sensor, joints ? "joints" : "token", shape, 1, joints ? 0U : 1U,
                     widths_parameter(widths_of(mlp))});
  }
  std::optional<nn::SharedHead> head;
  if (const auto& shared = policy.shared_head())
    head = {"joint", widths_parameter(widths_of(shared->net)),
            static_cast<std::uint32_t>(shared->horizon)};
  return nn::write_stock(file, policy.shape(), stems, tensors_in(policy, policy.stock(), weights),
                         trained, head);
}

Result<nn::Bundle> write_bundle(const std::filesystem::path& file, const Policy& policy,
                                const Dataset& data, const Recipe& recipe, const nn::Stock& stock,
                                const std::vector<float>& weights, const std::string& trained) {
  const Body& body = policy.bodies()[data.body];
  const bool joint_head = body.head_kind == HeadKind::joint;
  nn::BundleSpec spec;
  spec.embodiment = data.embodiment;
  spec.trunk_id = stock.trunk_id();
  spec.width = policy.shape().width;
  spec.horizon = data.horizon;
  spec.dof = data.dof;
  spec.action_kind = data.action_kind;
  spec.control_hz = data.control_hz;
  spec.pooling = joint_head ? nn::Pooling::none : nn::Pooling::mean;
  spec.head = joint_head ? "joint" : "mlp";
  spec.head_parameters = widths_parameter(widths_of(body.head));
  if (joint_head) spec.head_parameters["first"] = std::to_string(body.first_joint);
  spec.clamp = recipe.clamp;
  spec.trained = trained;
  for (std::size_t i = 0; i < body.stems.size(); ++i) {
    const TokenStem& stem = body.stems[i];
    nn::LayoutEntry entry = {stem.sensor,          "token",
                             data.inputs[i].shape, static_cast<std::uint32_t>(stem.tokens),
                             stem.shared,          widths_parameter(widths_of(stem.net))};
    if (data.inputs[i].of_joints) {
      entry.stem = "joints";
      entry.parameters["chain"] = data.chain->to_text();
    }
    spec.layout.push_back(std::move(entry));
  }

  auto tensors = tensors_in(policy, body.own, weights);
  if (body.head_is_shared) {
    const auto& places = policy.layout().places();
    const auto head = std::ranges::find_if(places, [](const ParameterPlace& place) {
      return place.name.starts_with(nn::kSharedHeadPrefix);
    });
    tensors = tensors_in(policy, {head->offset, policy.stock().end}, weights);
    rename(tensors, nn::kSharedHeadPrefix, nn::head_prefix(data.embodiment));
  }
  const auto add_normaliser = [&](const std::string& name, const nn::Normaliser& normaliser) {
    const std::string prefix = nn::normaliser_prefix(data.embodiment, name);
    tensors.push_back(
        nn::to_write(prefix + "scale", {normaliser.scale().size()}, normaliser.scale()));
    tensors.push_back(
        nn::to_write(prefix + "offset", {normaliser.offset().size()}, normaliser.offset()));
  };
  for (const DatasetInput& input : data.inputs) add_normaliser(input.sensor, input.normaliser);
  add_normaliser("action", data.action);
  return nn::write_bundle(file, spec, tensors);
}

const StemPlan* StockPlan::find(std::string_view sensor) const noexcept {
  const auto found = std::ranges::find(stems, sensor, &StemPlan::sensor);
  return found == stems.end() ? nullptr : &*found;
}

const StemPlan* StockPlan::joints() const noexcept {
  const StemPlan* stem = find("joint_position");
  return stem != nullptr && stem->shape.empty() ? stem : nullptr;
}

Result<StockPlan> plan_of(const nn::Stock& stock) {
  const auto cannot = [&](const std::string& what) {
    return Error{Code::incompatible,
                 fmt::format("'{}': cannot graft: {}", stock.file().path().string(), what)};
  };
  if (stock.shape().architecture != "hpt")
    return cannot(
        fmt::format("its trunk is '{}', and a graft trains through 'hpt' only; `cambium pretrain "
                    "--architecture streaming` trains such a trunk together with a body",
                    stock.shape().architecture));
  StockPlan plan;
  for (const nn::SharedStem& stem : stock.shared_stems()) {
    const bool token = stem.stem == "token" && stem.tokens == 1 && !stem.shape.empty();
    const bool joints =
        stem.stem == "joints" && stem.sensor == "joint_position" && stem.shape.empty();
    if (stem.horizon != 1 || !(token || joints))
      return cannot(
          fmt::format("the shared stem of '{}' is neither a 'token' stem of one observation and "
                      "one token nor a 'joints' stem of joint_position",
                      stem.sensor));
    auto widths = widths_in(stem.parameters);
    if (!widths)
      return cannot(fmt::format("the shared stem of '{}' {}", stem.sensor, widths.error().message));
    plan.stems.push_back({stem.sensor, stem.shape, std::move(*widths)});
  }
  if (const auto& head = stock.shared_head()) {
    auto widths = widths_in(head->parameters);
    if (head->head != "joint")
      return cannot(fmt::format("its shared head is of kind '{}', not 'joint'", head->head));
    if (!widths) return cannot("the shared head " + widths.error().message);
    plan.head = {head->horizon, 0, std::move(*widths), HeadKind::joint, false};
  }
  return plan;
}

Result<void> load_stock(const nn::Stock& stock, const Policy& policy, std::vector<float>& weights) {
  std::vector<std::string> names;
  for (const ParameterPlace& place : policy.layout().places()) {
    if (place.offset >= policy.stock().end) continue;
    names.push_back(place.name);
    if (auto done = copy_tensor(stock, place.name, place, weights); !done) return done;
  }
  for (const nn::StoredTensor& tensor : stock.file().tensors()) {
    const bool expected =
        tensor.name.starts_with(nn::kTrunkPrefix) ||
        (tensor.name.starts_with(nn::kSharedStemsPrefix) && !policy.shared_stems().empty());
    if (expected && std::ranges::find(names, tensor.name) == names.end())
      return Error{Code::bad_data, fmt::format("'{}': tensor '{}' has no place in this trunk",
                                               stock.file().path().string(), tensor.name)};
  }
  return {};
}

Result<void> load_head(const nn::Stock& stock, const Policy& policy, const Body& body,
                       std::vector<float>& weights) {
  const std::string prefix = nn::head_prefix(body.name);
  for (const ParameterPlace& place : policy.layout().places()) {
    if (!place.name.starts_with(prefix)) continue;
    const std::string name = nn::kSharedHeadPrefix + place.name.substr(prefix.size());
    if (auto done = copy_tensor(stock, name, place, weights); !done) return done;
  }
  return {};
}

}  // namespace cambium::learn
