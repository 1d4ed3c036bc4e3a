#include "tests/support/joint_files.hpp"

#include <list>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/learn/embodiment_scale.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/joint_chain.hpp"
#include "tests/support/toy_files.hpp"
#include "tests/support/weights.hpp"

namespace cambium::test {
namespace {

const nn::Parameters kWidths = {{"widths", "[6]"}};
constexpr std::uint64_t kHidden = 6;

nn::TensorToWrite to_write(const std::string& name, const TensorView& view) {
  return {name, nn::DType::f32, {view.shape, view.shape + view.rank}, view.data};
}

}  // namespace

nn::Stock write_joint_stock(const std::filesystem::path& file, unsigned seed) {
  write_toy_stock(file, seed);
  const auto toy = nn::Stock::open(file);
  if (!toy) throw std::runtime_error(toy.error().message);
  WeightSet weights;
  std::vector<nn::SharedStem> stems;
  for (const char* sensor : {"tool", "goal"}) {
    stems.push_back({sensor, "token", {3}, 1, 1, kWidths});
    weights.linear(nn::shared_stem_prefix(sensor) + "net.0", 3, kHidden);
    weights.linear(nn::shared_stem_prefix(sensor) + "net.2", kHidden, kToyWidth);
  }
  stems.push_back({"joint_position", "joints", {}, 1, 0, kWidths});
  const std::string joints = nn::shared_stem_prefix("joint_position") + "net.";
  weights.linear(joints + "0", nn::JointChain::kFeatures, kHidden);
  weights.linear(joints + "2", kHidden, kToyWidth);
  const std::string head = std::string(nn::kSharedHeadPrefix) + "net.";
  weights.linear(head + "0", 2 * kToyWidth, kHidden);
  weights.linear(head + "2", kHidden, kToyHorizon);

  std::vector<nn::TensorToWrite> tensors;
  for (const auto& tensor : toy->file().tensors())
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes.data()});
  for (const TensorView& view : weights.views()) tensors.push_back(to_write(view.name, view));
  auto stock = nn::write_stock(file, toy->shape(), stems, tensors, "random",
                               nn::SharedHead{"joint", kWidths, kToyHorizon});
  if (!stock) throw std::runtime_error(stock.error().message);
  return std::move(*stock);
}

void write_joint_bundle(const std::filesystem::path& file, const nn::Stock& stock,
                        const plugin::Embodiment& body) {
  nn::BundleSpec spec;
  spec.embodiment = body.name;
  spec.trunk_id = stock.trunk_id();
  spec.width = stock.shape().width;
  spec.horizon = stock.shared_head()->horizon;
  spec.dof = static_cast<std::uint32_t>(body.dof());
  spec.action_kind = body.action;
  spec.control_hz = body.control_hz;
  spec.pooling = nn::Pooling::none;
  for (const auto& stem : stock.shared_stems()) {
    auto& entry = spec.layout.emplace_back();
    entry = {stem.sensor, stem.stem, stem.shape, stem.tokens, true, stem.parameters};
    if (!stem.each_number()) continue;
    entry.shape = {spec.dof};
    entry.tokens = spec.dof;
    entry.parameters["chain"] = learn::chain_of(body).value().to_text();
  }
  spec.head = stock.shared_head()->head;
  spec.head_parameters = stock.shared_head()->parameters;
  spec.head_parameters["first"] = "2";

  std::list<std::vector<float>> numbers;  // what the tensors point to
  std::vector<nn::TensorToWrite> tensors;
  for (const TensorView& view : stock.shared_head_weights())
    tensors.push_back(to_write(nn::head_prefix(body.name) + view.name, view));
  const auto add = [&](const std::string& name, std::vector<float> values) {
    const auto& kept = numbers.emplace_back(std::move(values));
    tensors.push_back({name, nn::DType::f32, {kept.size()}, kept.data()});
  };
  const auto normalise = [&](const std::string& sensor, std::vector<float> scale,
                             std::vector<float> offset) {
    const auto prefix = nn::normaliser_prefix(body.name, sensor);
    add(prefix + "scale", std::move(scale));
    add(prefix + "offset", std::move(offset));
  };
  std::vector<float> scale, offset, per_speed;
  for (const auto& joint : body.joints) {
    const double range = joint.position_max - joint.position_min;
    scale.push_back(static_cast<float>(2 / range));
    offset.push_back(static_cast<float>(-(joint.position_max + joint.position_min) / range));
    per_speed.push_back(static_cast<float>(1 / joint.velocity_max));
  }
  normalise("joint_position", scale, offset);
  normalise("action", per_speed, std::vector<float>(per_speed.size()));
  std::vector<float> home;
  for (const double x : body.home_tool) home.push_back(static_cast<float>(-x / body.reach));
  for (const char* point : {"tool", "goal"})
    normalise(point, std::vector<float>(3, static_cast<float>(1 / body.reach)), home);
  if (const auto bundle = nn::write_bundle(file, spec, tensors); !bundle)
    throw std::runtime_error(bundle.error().message);
}

}  // namespace cambium::test
