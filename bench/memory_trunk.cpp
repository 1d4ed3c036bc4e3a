#include "bench/memory_trunk.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <random>
#include <vector>

#include "bench/folder.hpp"

namespace cambium::bench {
namespace {

using Extents = std::vector<std::uint64_t>;

/// Tensors of one checkpoint, as they are drawn.
class Drawn {
 public:
  explicit Drawn(std::uint64_t seed) : random_(seed) {}

  template <class Draw>
  void add(const std::string& name, Extents extents, const Draw& draw) {
    std::size_t size = 1;
    for (const auto extent : extents) size *= extent;
    auto& values = storage_.emplace_back(size);
    for (std::size_t i = 0; i < size; ++i) values[i] = draw(i);
    tensors_.push_back(
        {nn::kTrunkPrefix + name, nn::DType::f32, std::move(extents), values.data()});
  }
  void all(const std::string& name, Extents extents, float value) {
    add(name, std::move(extents), [value](std::size_t) { return value; });
  }
  void between(const std::string& name, Extents extents, float low, float high) {
    std::uniform_real_distribution<float> any(low, high);
    add(name, std::move(extents), [&](std::size_t) { return any(random_); });
  }
  /// (out, in): a product that keeps the size of what it is given, about.
  void product(const std::string& name, std::uint64_t out, std::uint64_t in) {
    const float bound = 1 / std::sqrt(static_cast<float>(in));
    between(name, {out, in}, -bound, bound);
  }

  std::mt19937_64& random() { return random_; }
  const std::vector<nn::TensorToWrite>& tensors() const { return tensors_; }

 private:
  std::mt19937_64 random_;
  std::deque<std::vector<float>> storage_;
  std::vector<nn::TensorToWrite> tensors_;
};

/// The part of `width` so many eighths, in whole vectors of 16.
std::uint32_t eighths(std::uint32_t width, std::uint32_t of) {
  return (width * of / 8 + 15) / 16 * 16;
}

std::string block_of(const char* layers, std::uint32_t block) {
  return layers + std::to_string(block) + ".";
}

// LLaMA's gated MLP and its norms.
void llama_block(Drawn& drawn, const std::string& name, std::uint64_t width, std::uint64_t hidden) {
  drawn.all(name + "input_layernorm.weight", {width}, 1);
  drawn.all(name + "post_attention_layernorm.weight", {width}, 1);
  drawn.product(name + "mlp.gate_proj.weight", hidden, width);
  drawn.product(name + "mlp.up_proj.weight", hidden, width);
  drawn.product(name + "mlp.down_proj.weight", width, hidden);
}

nn::Parameters streaming(Drawn& drawn, const MemoryTrunk& trunk) {
  const std::uint32_t width = trunk.size.width, hidden = eighths(width, 21);  // 8/3
  for (std::uint32_t i = 0; i < trunk.size.blocks; ++i) {
    const std::string name = block_of("model.layers.", i);
    llama_block(drawn, name, width, hidden);
    for (const char* which : {"q", "k", "v", "o"})
      drawn.product(name + "self_attn." + which + "_proj.weight", width, width);
  }
  drawn.all("model.norm.weight", {width}, 1);
  return {{"start_size", std::to_string(kSinks)},
          {"recent_size", std::to_string(trunk.window - kSinks)},
          {"intermediate_size", std::to_string(hidden)}};
}

nn::Parameters infini(Drawn& drawn, const MemoryTrunk& trunk) {
  const std::uint32_t width = trunk.size.width, hidden = eighths(width, 21);
  for (std::uint32_t i = 0; i < trunk.size.blocks; ++i) {
    const std::string name = block_of("model.layers.", i);
    llama_block(drawn, name, width, hidden);
    for (const char* which : {"q", "k", "v", "out"})
      drawn.product(name + "self_attn.proj_" + which + ".weight", width, width);
    drawn.between(name + "self_attn.betas", {1, trunk.size.heads, 1, 1}, -1, 1);
  }
  drawn.all("model.norm.weight", {width}, 1);
  return {{"segment_len", std::to_string(trunk.window)},
          {"intermediate_size", std::to_string(hidden)}};
}

// Values of twice the width, as published; the gated MLP makes up for it.
nn::Parameters retnet(Drawn& drawn, const MemoryTrunk& trunk) {
  const std::uint32_t width = trunk.size.width, heads = trunk.size.heads;
  const std::uint32_t values = 2 * width, hidden = eighths(width, 11);  // 4/3
  for (std::uint32_t i = 0; i < trunk.size.blocks; ++i) {
    const std::string name = block_of("layers.", i);
    drawn.all(name + "retention_layer_norm.weight", {width}, 1);
    drawn.all(name + "final_layer_norm.weight", {width}, 1);
    drawn.product(name + "retention.q_proj.weight", width, width);
    drawn.product(name + "retention.k_proj.weight", width, width);
    drawn.product(name + "retention.v_proj.weight", values, width);
    drawn.product(name + "retention.g_proj.weight", values, width);
    drawn.product(name + "retention.out_proj.weight", width, values);
    drawn.product(name + "ffn.fc1.weight", hidden, width);
    drawn.product(name + "ffn.gate.weight", hidden, width);
    drawn.product(name + "ffn.fc2.weight", width, hidden);
  }
  drawn.all("layer_norm.weight", {width}, 1);
  const std::uint64_t key = width / heads;
  drawn.add("retnet_rel_pos.angle", {key}, [&](std::size_t i) {
    const double step = key > 2 ? static_cast<double>(i / 2) / static_cast<double>(key / 2 - 1) : 0;
    return static_cast<float>(std::pow(10000, -step));
  });
  drawn.add("retnet_rel_pos.decay", {heads}, [](std::size_t i) {
    return static_cast<float>(std::log1p(-std::exp2(-5.0 - static_cast<double>(i))));
  });
  return {{"value_dim", std::to_string(values)}, {"ffn_dim", std::to_string(hidden)}};
}

nn::Parameters mamba(Drawn& drawn, const MemoryTrunk& trunk) {
  const std::uint32_t width = trunk.size.width, inner = 2 * width, state = 16, taps = 4;
  const std::uint32_t rank = (width + 15) / 16;
  for (std::uint32_t i = 0; i < trunk.size.blocks; ++i) {
    const std::string name = block_of("layers.", i) + "mixer.";
    drawn.all(block_of("layers.", i) + "norm.weight", {width}, 1);
    drawn.product(name + "in_proj.weight", 2 * inner, width);
    drawn.between(name + "conv1d.weight", {inner, 1, taps}, -0.5f, 0.5f);
    drawn.between(name + "conv1d.bias", {inner}, -0.5f, 0.5f);
    drawn.product(name + "x_proj.weight", rank + 2 * state, inner);
    drawn.product(name + "dt_proj.weight", inner, rank);
    // softplus of it: steps from a thousandth to a tenth, as the original begins with.
    std::uniform_real_distribution<float> any(std::log(1e-3f), std::log(1e-1f));
    drawn.add(name + "dt_proj.bias", {inner},
              [&](std::size_t) { return std::log(std::expm1(std::exp(any(drawn.random())))); });
    drawn.add(name + "A_log", {inner, state},
              [&](std::size_t k) { return std::log(static_cast<float>(k % state + 1)); });
    drawn.all(name + "D", {inner}, 1);
    drawn.product(name + "out_proj.weight", width, inner);
  }
  drawn.all("norm_f.weight", {width}, 1);
  return {};
}

nn::Parameters gr1(Drawn& drawn, const MemoryTrunk& trunk) {
  const std::uint64_t width = trunk.size.width;
  const auto norm = [&](const std::string& name) {
    drawn.all(name + ".weight", {width}, 1);
    drawn.all(name + ".bias", {width}, 0);
  };
  const auto product = [&](const std::string& name, std::uint64_t in, std::uint64_t out) {
    const float bound = 1 / std::sqrt(static_cast<float>(in));
    drawn.between(name + ".weight", {in, out}, -bound, bound);  // GPT-2's lie this way
    drawn.between(name + ".bias", {out}, -bound, bound);
  };
  for (std::uint32_t i = 0; i < trunk.size.blocks; ++i) {
    const std::string name = block_of("transformer.h.", i);
    norm(name + "ln_1");
    norm(name + "ln_2");
    product(name + "attn.c_attn", width, 3 * width);
    product(name + "attn.c_proj", width, width);
    product(name + "mlp.c_fc", width, 4 * width);
    product(name + "mlp.c_proj", 4 * width, width);
  }
  norm("transformer.ln_f");
  norm("embed_ln");
  drawn.between("embed_timestep.weight", {kGr1Steps, width}, -0.1f, 0.1f);
  return {{"sequence_length", std::to_string(kGr1Steps)},
          {"tokens_per_step", std::to_string(trunk.tokens_per_step)}};
}

constexpr std::pair<const char*, nn::Parameters (*)(Drawn&, const MemoryTrunk&)> kDraws[] = {
    {"streaming", streaming}, {"infini", infini}, {"retnet", retnet},
    {"mamba", mamba},         {"gr1", gr1},
};

}  // namespace

Result<nn::Stock> write_memory_stock(const std::filesystem::path& file, const MemoryTrunk& trunk,
                                     std::uint64_t seed) {
  const auto draw = std::find_if(std::begin(kDraws), std::end(kDraws),
                                 [&](const auto& one) { return one.first == trunk.architecture; });
  if (draw == std::end(kDraws))
    return Error{Code::bad_argument, "no architecture '" + trunk.architecture + "' remembers"};
  Drawn drawn(seed);
  nn::TrunkShape shape{.architecture = trunk.architecture,
                       .width = trunk.size.width,
                       .blocks = trunk.size.blocks,
                       .heads = trunk.architecture == "mamba" ? 1 : trunk.size.heads};
  shape.hyper_parameters = draw->second(drawn, trunk);
  return nn::write_stock(file, shape, {}, drawn.tensors(), "random, for measurements");
}

Result<std::unique_ptr<trunk::TrunkModel>> load_memory_trunk(const MemoryTrunk& trunk,
                                                             const trunk::ModelOptions& options) {
  const Folder folder;
  const auto stock = write_memory_stock(folder.path / "trunk.safetensors", trunk);
  if (!stock) return stock.error();
  return trunk::load_model(stock->file(), options);
}

const MemorySize* find_memory_size(const std::string& name) {
  const auto found = std::find_if(kMemorySizes.begin(), kMemorySizes.end(),
                                  [&](const MemorySize& size) { return size.name == name; });
  return found == kMemorySizes.end() ? nullptr : &*found;
}

std::uint64_t tokens_until_full(const MemoryTrunk& trunk) {
  if (trunk.architecture == "gr1") return std::uint64_t{kGr1Steps} * trunk.tokens_per_step;
  if (trunk.architecture == "infini") return 2 * std::uint64_t{trunk.window};
  return trunk.window;  // of retention and state space: until what came first has mostly decayed
}

}  // namespace cambium::bench
