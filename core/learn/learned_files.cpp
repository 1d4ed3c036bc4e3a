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

}  // namespace

Result<nn::Stock> write_stock(const std::filesystem::path& file, const Policy& policy,
                              const std::vector<float>& weights, const std::string& trained) {
  std::vector<nn::SharedStem> stems;
  for (const auto& [sensor, mlp] : policy.shared_stems())
    stems.push_back({sensor,
                     "token",
                     {static_cast<std::uint32_t>(mlp.layers.front().in)},
                     1,
                     1,
                     widths_parameter(widths_of(mlp))});
  return nn::write_stock(file, policy.shape(), stems, tensors_in(policy, policy.stock(), weights),
                         trained);
}

Result<nn::Bundle> write_bundle(const std::filesystem::path& file, const Policy& policy,
                                const Body& body, const Dataset& data, const Recipe& recipe,
                                const nn::Stock& stock, const std::vector<float>& weights,
                                const std::string& trained) {
  nn::BundleSpec spec;
  spec.embodiment = body.name;
  spec.trunk_id = stock.trunk_id();
  spec.width = policy.shape().width;
  spec.horizon = data.horizon;
  spec.dof = data.dof;
  spec.action_kind = data.action_kind;
  spec.control_hz = data.control_hz;
  spec.head = "mlp";
  spec.head_parameters = widths_parameter(widths_of(body.head));
  spec.clamp = recipe.clamp;
  spec.trained = trained;
  for (const TokenStem& stem : body.stems)
    spec.layout.push_back({stem.sensor,
                           "token",
                           {static_cast<std::uint32_t>(stem.size)},
                           1,
                           stem.shared,
                           widths_parameter(widths_of(stem.net))});

  auto tensors = tensors_in(policy, body.own, weights);
  const auto add_normaliser = [&](const std::string& name, const nn::Normaliser& normaliser) {
    const std::string prefix = nn::normaliser_prefix(body.name, name);
    tensors.push_back(
        nn::to_write(prefix + "scale", {normaliser.scale().size()}, normaliser.scale()));
    tensors.push_back(
        nn::to_write(prefix + "offset", {normaliser.offset().size()}, normaliser.offset()));
  };
  for (const DatasetInput& input : data.inputs) add_normaliser(input.sensor, input.normaliser);
  add_normaliser("action", data.action);
  return nn::write_bundle(file, spec, tensors);
}

Result<Policy> policy_on(const nn::Stock& stock) {
  const auto cannot = [&](const std::string& what) {
    return Error{Code::incompatible,
                 fmt::format("'{}': cannot graft: {}", stock.file().path().string(), what)};
  };
  if (stock.shape().architecture != "hpt")
    return cannot(
        fmt::format("its trunk is '{}', and a graft trains through 'hpt' only; `cambium pretrain "
                    "--architecture streaming` trains such a trunk together with a body",
                    stock.shape().architecture));
  Policy policy(stock.shape());
  for (const nn::SharedStem& stem : stock.shared_stems()) {
    if (stem.stem != "token" || stem.tokens != 1 || stem.horizon != 1 || stem.shape.size() != 1)
      return cannot(
          fmt::format("the shared stem of '{}' is not a 'token' stem of one observation "
                      "and one token",
                      stem.sensor));
    const auto found = stem.parameters.find("widths");
    const auto widths = nlohmann::json::parse(
        found == stem.parameters.end() ? "[128]" : found->second, nullptr, false);
    const auto is_width = [](const nlohmann::json& v) {
      return v.is_number_unsigned() && v.get<std::uint64_t>() >= 1 &&
             v.get<std::uint64_t>() <= 65536;
    };
    if (!widths.is_array() || !std::ranges::all_of(widths, is_width))
      return cannot(fmt::format("the shared stem of '{}' has widths '{}', expected a list of sizes",
                                stem.sensor, found->second));
    policy.add_shared_stem(stem.sensor, stem.shape[0], widths.get<std::vector<std::uint32_t>>());
  }
  return policy;
}

Result<void> load_stock(const nn::Stock& stock, const Policy& policy, std::vector<float>& weights) {
  const auto bad = [&](const std::string& name, const std::string& what) {
    return Error{Code::bad_data,
                 fmt::format("'{}': tensor '{}' {}", stock.file().path().string(), name, what)};
  };
  std::vector<std::string> names;
  for (const ParameterPlace& place : policy.layout().places()) {
    if (place.offset >= policy.stock().end) continue;
    names.push_back(place.name);
    const nn::StoredTensor* tensor = stock.file().find(place.name);
    if (tensor == nullptr) return bad(place.name, "is missing");
    if (tensor->dtype != nn::DType::f32 || tensor->shape != place.shape)
      return bad(place.name, fmt::format("is {} {}, expected F32 {}", to_string(tensor->dtype),
                                         nn::to_string(tensor->shape), nn::to_string(place.shape)));
    const auto* values = reinterpret_cast<const float*>(tensor->bytes.data());
    std::copy_n(values, place.size, weights.begin() + static_cast<std::ptrdiff_t>(place.offset));
  }
  for (const nn::StoredTensor& tensor : stock.file().tensors())
    if (std::ranges::find(names, tensor.name) == names.end())
      return bad(tensor.name, "has no place in this trunk");
  return {};
}

}  // namespace cambium::learn
