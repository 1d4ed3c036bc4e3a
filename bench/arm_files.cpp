#include "bench/arm_files.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <list>
#include <numeric>
#include <random>
#include <vector>

#include "core/nn/bundle.hpp"

namespace cambium::bench {
namespace {

constexpr std::uint64_t kHeads = 4, kHeadWidth = 16, kStemWidth = 64, kTokens = 4, kHorizon = 16;
constexpr std::uint64_t kHidden1 = 256, kHidden2 = 128;

/// Owns random tensors until they are written.
class RandomTensors {
 public:
  explicit RandomTensors(std::uint64_t seed) : random_(seed) {}

  void add(const std::string& name, const std::vector<std::uint64_t>& shape, double spread = 1) {
    std::uint64_t fan = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) fan *= shape[i];
    const auto most = static_cast<float>(spread / std::sqrt(static_cast<double>(fan)));
    std::uniform_real_distribution<float> between(-most, most);
    auto& values = values_of(shape);
    for (auto& value : values) value = between(random_);
    tensors.push_back(nn::to_write(name, shape, values));
  }
  void fill(const std::string& name, const std::vector<std::uint64_t>& shape, float value) {
    auto& values = values_of(shape);
    values.assign(values.size(), value);
    tensors.push_back(nn::to_write(name, shape, values));
  }
  void linear(const std::string& name, std::uint64_t in, std::uint64_t out, double spread = 1) {
    add(name + ".weight", {out, in}, spread);
    add(name + ".bias", {out}, 0.1);
  }
  /// `times` copies of the same `out` rows.
  void repeated_linear(const std::string& name, std::uint64_t in, std::uint64_t out,
                       std::uint64_t times, double spread) {
    linear(name, in, out, spread);
    for (auto* tensor : {&tensors[tensors.size() - 2], &tensors.back()}) {
      const auto* row = static_cast<const float*>(tensor->data);
      tensor->shape[0] *= times;
      auto& values = values_of(tensor->shape);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = row[i % (values.size() / times)];
      tensor->data = values.data();
    }
  }

  std::vector<nn::TensorToWrite> tensors;

 private:
  std::vector<float>& values_of(const std::vector<std::uint64_t>& shape) {
    return storage_.emplace_back(
        std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>()));
  }

  std::mt19937_64 random_;
  std::list<std::vector<float>> storage_;
};

void add_proprio(RandomTensors& random, const std::string& prefix, std::uint64_t in,
                 std::uint64_t width) {
  constexpr std::uint64_t kInner = kHeads * kHeadWidth;
  random.linear(prefix + "net.0", in, kStemWidth);
  random.linear(prefix + "net.2", kStemWidth, width);
  random.add(prefix + "tokens", {1, kTokens, width});
  random.add(prefix + "cross_attention.to_q.weight", {kInner, width});
  random.add(prefix + "cross_attention.to_kv.weight", {2 * kInner, width});
  random.linear(prefix + "cross_attention.to_out", kInner, width);
}

}  // namespace

Result<void> write_arm_bundle(const std::filesystem::path& file, const nn::Stock& stock,
                              const ArmBody& body, std::uint64_t seed) {
  const std::uint64_t width = stock.shape().width;
  nn::BundleSpec spec;
  spec.embodiment = body.name();
  spec.trunk_id = stock.trunk_id();
  spec.width = stock.shape().width;
  spec.horizon = kHorizon;
  spec.dof = body.dof;
  spec.control_hz = body.control_hz;
  spec.head = "mlp";
  spec.head_parameters = {{"widths", fmt::format("[{},{}]", kHidden1, kHidden2)},
                          {"tanh_end", "true"}};
  spec.clamp = 3.0F;
  spec.trained = "random, for cambium bench";

  RandomTensors random(seed);
  spec.layout.push_back({.sensor = "joint_position",
                         .stem = "proprio",
                         .shape = {body.dof},
                         .tokens = kTokens,
                         .parameters = {{"widths", fmt::format("[{}]", kStemWidth)},
                                        {"crossattn_heads", std::to_string(kHeads)},
                                        {"crossattn_dim_head", std::to_string(kHeadWidth)}}});
  add_proprio(random, nn::stem_prefix(spec.embodiment, "joint_position"), body.dof, width);
  for (const char* sensor : {"tool", "goal"}) {
    if (const nn::SharedStem* shared = stock.find_stem(sensor);
        shared && shared->shape == std::vector<std::uint32_t>{3} && shared->horizon == 1) {
      spec.layout.push_back({.sensor = sensor,
                             .stem = shared->stem,
                             .shape = shared->shape,
                             .tokens = shared->tokens,
                             .shared = true,
                             .parameters = shared->parameters});
      continue;
    }
    spec.layout.push_back({.sensor = sensor,
                           .stem = "token",
                           .shape = {3},
                           .parameters = {{"widths", fmt::format("[{}]", kStemWidth)}}});
    const std::string net = nn::stem_prefix(spec.embodiment, sensor) + "net.";
    random.linear(net + "0", 3, kStemWidth);
    random.linear(net + "2", kStemWidth, width);
  }
  const std::string head = nn::head_prefix(spec.embodiment) + "net.";
  random.linear(head + "0", width, kHidden1);
  random.linear(head + "2", kHidden1, kHidden2);
  // Wide enough that actions reach towards their bound of kArmSpeed, which tanh keeps; the rows of
  // a chunk are alike, as those of a policy that has learned something.
  random.repeated_linear(head + "4", kHidden2, body.dof, kHorizon, 6);
  for (const char* name : {"joint_position", "tool", "goal", "action"}) {
    const auto prefix = nn::normaliser_prefix(spec.embodiment, name);
    random.fill(prefix + "scale", {1}, name == std::string("action") ? 1 / kArmSpeed : 1.0F);
    random.fill(prefix + "offset", {1}, 0.0F);
  }
  if (auto written = nn::write_bundle(file, spec, random.tensors); !written) return written.error();
  return {};
}

Result<void> write_rebuilt(const std::filesystem::path& library, const std::filesystem::path& file,
                           std::uint64_t number) {
  constexpr std::string_view kMark = "bench mark ";
  std::ifstream in(library, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const auto at = bytes.find(kMark);
  if (at == std::string::npos)
    return Error{Code::bad_data, fmt::format("'{}' is not a library of the bench; build or install "
                                             "the bench's plugins",
                                             library.string())};
  fmt::format("{:016x}", number).copy(bytes.data() + at + kMark.size(), 16);
  const std::filesystem::path fresh = file.string() + ".new";
  if (!(std::ofstream(fresh, std::ios::binary) << bytes).flush())
    return Error{Code::failed, fmt::format("'{}' cannot be written", fresh.string())};
  std::filesystem::rename(fresh, file);
  return {};
}

}  // namespace cambium::bench
