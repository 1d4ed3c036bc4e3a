#include "tests/support/toy_files.hpp"

#include <cstdint>
#include <list>
#include <map>
#include <random>
#include <stdexcept>
#include <utility>

#include "core/nn/bundle.hpp"
#include "core/nn/stock.hpp"
#include "tests/support/toy_bodies.hpp"

namespace cambium::test {

namespace {

/// Tensors of random numbers, and the numbers themselves.
class RandomTensors {
 public:
  explicit RandomTensors(unsigned seed) : random_(seed) {}
  void add(std::string name, std::vector<std::uint64_t> shape) {
    std::size_t size = 1;
    for (const auto extent : shape) size *= extent;
    auto& values = storage_.emplace_back(size);
    for (auto& value : values) value = std::uniform_real_distribution<float>(-0.3F, 0.3F)(random_);
    tensors_.push_back({std::move(name), nn::DType::f32, std::move(shape), values.data()});
  }
  /// Its trunk id.
  std::string write(const std::filesystem::path& file, const nn::TrunkShape& shape) const {
    const auto stock = nn::write_stock(file, shape, {}, tensors_, "random");
    if (!stock) throw std::runtime_error(stock.error().message);
    return stock->trunk_id();
  }

 private:
  std::mt19937 random_;
  std::list<std::vector<float>> storage_;
  std::vector<nn::TensorToWrite> tensors_;
};

/// A constant head, and normalisers that change nothing.
void write_constant(const std::filesystem::path& file, const nn::BundleSpec& spec,
                    const std::vector<float>& value) {
  const std::vector<float> one = {1.0F}, zero = {0.0F};
  std::vector<nn::TensorToWrite> tensors = {
      {nn::head_prefix(spec.embodiment) + "value", nn::DType::f32, {spec.dof}, value.data()}};
  const auto normalise = [&](const std::string& name) {
    const auto prefix = nn::normaliser_prefix(spec.embodiment, name);
    tensors.push_back({prefix + "scale", nn::DType::f32, {1}, one.data()});
    tensors.push_back({prefix + "offset", nn::DType::f32, {1}, zero.data()});
  };
  for (const auto& entry : spec.layout) normalise(entry.sensor);
  normalise("action");
  if (const auto bundle = nn::write_bundle(file, spec, tensors); !bundle)
    throw std::runtime_error(bundle.error().message);
}

}  // namespace

std::string write_toy_stock(const std::filesystem::path& file, unsigned seed) {
  RandomTensors tensors(seed);
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape) {
    tensors.add("trunk.blocks.0." + name, std::move(shape));
  };
  constexpr std::uint64_t w = kToyWidth;
  for (const char* norm : {"norm_1", "norm_2"}) {
    add(std::string(norm) + ".weight", {w});
    add(std::string(norm) + ".bias", {w});
  }
  add("attn.in_proj_weight", {3 * w, w});
  add("attn.in_proj_bias", {3 * w});
  add("attn.bias_k", {1, 1, w});
  add("attn.bias_v", {1, 1, w});
  add("attn.out_proj.weight", {w, w});
  add("attn.out_proj.bias", {w});
  add("mlp.fc1.weight", {4 * w, w});
  add("mlp.fc1.bias", {4 * w});
  add("mlp.fc2.weight", {w, 4 * w});
  add("mlp.fc2.bias", {w});
  return tensors.write(file, {.width = kToyWidth, .blocks = 1, .heads = 2});
}

std::string write_toy_mamba_stock(const std::filesystem::path& file, unsigned seed) {
  RandomTensors tensors(seed);
  constexpr std::uint64_t w = kToyWidth, channels = 2 * w, states = 16, taps = 4, rank = 1;
  for (const char* block : {"trunk.layers.0.", "trunk.layers.1."}) {
    const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape) {
      tensors.add(block + name, std::move(shape));
    };
    add("norm.weight", {w});
    add("mixer.in_proj.weight", {2 * channels, w});
    add("mixer.x_proj.weight", {rank + 2 * states, channels});
    add("mixer.out_proj.weight", {w, channels});
    add("mixer.conv1d.weight", {channels, 1, taps});
    add("mixer.conv1d.bias", {channels});
    add("mixer.dt_proj.weight", {channels, rank});
    add("mixer.dt_proj.bias", {channels});
    add("mixer.A_log", {channels, states});
    add("mixer.D", {channels});
  }
  tensors.add("trunk.norm_f.weight", {w});
  return tensors.write(file,
                       {.architecture = "mamba", .width = kToyWidth, .blocks = 2, .heads = 1});
}

void write_toy_bundle(const std::filesystem::path& file, const ToyBundle& toy) {
  nn::BundleSpec spec;
  spec.embodiment = toy.embodiment;
  spec.trunk_id = toy.trunk_id;
  spec.width = toy.width;
  spec.horizon = kToyHorizon;
  spec.dof = toy.dof;
  spec.control_hz = toy.control_hz;
  spec.layout = {{.sensor = "joint_position", .stem = "pass", .shape = {toy.dof}},
                 {.sensor = "goal", .stem = "pass", .shape = {3}}};
  if (toy.goal_first) std::swap(spec.layout[0], spec.layout[1]);
  spec.head = toy.head;
  write_constant(file, spec, toy.value);
}

void write_body_bundle(const std::filesystem::path& file, const std::string& embodiment,
                       const std::string& trunk_id, float value, unsigned horizon) {
  struct Body {
    unsigned dof;
    ActionKind kind;
    double control_hz;
    std::vector<const char*> cameras;
    bool colours_first;
  };
  const std::map<std::string, Body> bodies = {
      {"toy_aloha",
       {14,
        ActionKind::joint_position,
        50,
        {"cam_high", "cam_low", "cam_left_wrist", "cam_right_wrist"},
        true}},
      {"toy_aloha_sim", {14, ActionKind::joint_position, 50, {"cam_high"}, true}},
      {"toy_droid", {8, ActionKind::joint_velocity, 15, {"exterior", "wrist"}, false}},
      {"toy_libero", {7, ActionKind::joint_position, 20, {"image", "wrist"}, false}}};
  const Body& body = bodies.at(embodiment);
  nn::BundleSpec spec;
  spec.embodiment = embodiment;
  spec.trunk_id = trunk_id;
  spec.width = kToyWidth;
  spec.horizon = horizon;
  spec.dof = body.dof;
  spec.action_kind = body.kind;
  spec.control_hz = body.control_hz;
  spec.layout = {{.sensor = "joint_position", .stem = "pass", .shape = {body.dof}}};
  constexpr auto side = toy::kPictureSide;
  for (const char* camera : body.cameras)
    spec.layout.push_back({.sensor = camera,
                           .stem = "pass",
                           .shape = body.colours_first
                                        ? std::vector<std::uint32_t>{3, side, side}
                                        : std::vector<std::uint32_t>{side, side, 3}});
  spec.head = "constant";
  write_constant(file, spec, std::vector<float>(body.dof, value));
}

}  // namespace cambium::test
