#include "stems/latent/latent_encoder.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "core/nn/cross_attention.hpp"
#include "core/nn/mlp.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/sinusoid.hpp"
#include "core/nn/weights.hpp"
#include "stems/stem_shape.hpp"

namespace cambium::stems {

struct LatentEncoder::State {
  std::uint32_t horizon = 0, size = 0, tokens = 0, width = 0;
  std::uint32_t features = 0;   // the last dimension
  std::uint32_t rows = 0;       // in one observation
  nn::SinusoidTable positions;  // (horizon * rows, features)
  std::vector<nn::Mlp> nets;    // one, or one for each of the first time steps
  nn::CrossAttention attention;
  std::vector<float> placed;   // (horizon * rows, features): the window with positions
  std::vector<float> context;  // (horizon * rows, width)
};

LatentEncoder::LatentEncoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
LatentEncoder::~LatentEncoder() = default;

Result<std::unique_ptr<LatentEncoder>> LatentEncoder::create(const std::string& owner,
                                                             const StemSpec& spec) {
  if (auto sized = check_spec(owner, spec); !sized) return std::move(sized).error();
  nn::ParameterReader parameters(owner, spec.parameters);
  nn::MlpSpec net;
  net.widths = parameters.widths("widths", {128});
  net.ln = parameters.boolean("ln", true);
  net.tanh_end = parameters.boolean("tanh_end", false);
  const std::uint32_t copies = parameters.count("num_of_copy", 1, 1, 64);
  const std::uint32_t latents = parameters.count("num_latent_tokens", spec.tokens);
  nn::CrossAttentionSpec attention;
  attention.heads = parameters.count("crossattn_heads", 8, 1, 1024);
  attention.dim_head = parameters.count("crossattn_dim_head", 64, 1, 4096);
  if (auto read = parameters.finish(); !read) return std::move(read).error();
  if (latents != spec.tokens) {
    return Error{Code::incompatible, owner + ": parameter 'num_latent_tokens' is " +
                                         std::to_string(latents) + ", but the layout has " +
                                         std::to_string(spec.tokens) + " tokens"};
  }

  auto state = std::make_unique<State>();
  state->horizon = spec.horizon;
  state->size = observation_size(spec);
  state->tokens = spec.tokens;
  state->width = spec.width;
  state->features = spec.shape[spec.rank - 1];
  state->rows = state->size / state->features;
  const std::uint32_t all_rows = spec.horizon * state->rows;

  nn::WeightReader weights(owner, spec.weights);
  net.in = state->features;
  net.out = spec.width;
  for (std::uint32_t copy = 0; copy < copies; ++copy) {
    const std::string prefix = copies == 1 ? "net." : "net." + std::to_string(copy) + ".";
    state->nets.emplace_back(weights, prefix, net, copies == 1 ? all_rows : state->rows);
  }
  attention.queries = spec.tokens;
  attention.width = spec.width;
  attention.max_context = all_rows;
  state->attention = nn::CrossAttention(weights, "cross_attention.", "tokens", attention);
  if (auto taken = weights.finish(); !taken) return std::move(taken).error();
  state->positions = nn::SinusoidTable(all_rows, state->features);
  state->placed.resize(std::size_t{all_rows} * state->features);
  state->context.resize(std::size_t{all_rows} * spec.width);
  return std::unique_ptr<LatentEncoder>(new LatentEncoder(std::move(state)));
}

Status LatentEncoder::encode(SensorWindow window, TokensView out) noexcept {
  State& s = *state_;
  if (!fits(window, s.horizon, s.size) || !fits(out, s.tokens, s.width)) return Code::bad_argument;
  std::uint32_t rows = window.steps * s.rows;
  std::memcpy(s.placed.data(), window.data, std::size_t{rows} * s.features * sizeof(float));
  nn::add_sinusoid(s.positions, s.placed.data(), rows);
  if (s.nets.size() == 1) {
    s.nets.front().run(s.placed.data(), rows, s.context.data());
  } else {
    // Copies belong to time steps, oldest first; later steps have none and are not read.
    const std::uint32_t steps = std::min(window.steps, static_cast<std::uint32_t>(s.nets.size()));
    for (std::size_t step = 0; step < steps; ++step) {
      s.nets[step].run(s.placed.data() + step * s.size, s.rows,
                       s.context.data() + step * s.rows * s.width);
    }
    rows = steps * s.rows;
  }
  s.attention.run(s.context.data(), rows, out.data);
  return {};
}

}  // namespace cambium::stems
