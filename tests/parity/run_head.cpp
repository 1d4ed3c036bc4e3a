// Head cases: one chunk for each row of the batch.
#include <stdexcept>

#include "heads/conv1d/conv1d_head.hpp"
#include "heads/diffusion/diffusion_head.hpp"
#include "heads/gmm/gmm_head.hpp"
#include "heads/mlp/mlp_head.hpp"
#include "heads/transformer_decoder/transformer_decoder_head.hpp"
#include "tests/parity/parity_kinds.hpp"

namespace cambium::parity {
namespace {

void expect_ok(Status done, const char* what) {
  if (!done.ok()) throw std::runtime_error(std::string(what) + ": " + to_string(done.code()));
}

/// Activates a head with the case's weights.
void activate(Head& head, const Case& one, HeadSpec spec, const ParameterList& parameters) {
  const auto parameter_view = parameters.view();
  const auto weights = one.weights().views("");
  spec.parameters = parameter_view;
  spec.weights = weights;
  Message why;
  if (!head.activate(spec, why).ok()) throw std::runtime_error(why.text);
}

/// decode() for each row of features (batch, spec.features, spec.width).
Numbers decode(Head& head, const HeadSpec& spec, const Numbers& features) {
  const std::size_t in = std::size_t{spec.features} * spec.width;
  const std::size_t out = std::size_t{spec.horizon} * spec.dof;
  Numbers actions(features.size() / in * out);
  for (std::size_t b = 0; b < features.size() / in; ++b) {
    expect_ok(head.decode({features.data() + b * in, spec.features, spec.width},
                          {actions.data() + b * out, spec.horizon, spec.dof}),
              "decode");
  }
  return actions;
}

std::uint32_t dimension(const Shape& shape, std::size_t i) {
  return static_cast<std::uint32_t>(shape.at(i));
}

/// (batch, rows, columns) -> (batch, columns, rows).
Numbers swapped(const Numbers& x, std::size_t rows, std::size_t columns) {
  Numbers y(x.size());
  for (std::size_t b = 0; b < x.size(); b += rows * columns) {
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) y[b + c * rows + r] = x[b + r * columns + c];
    }
  }
  return y;
}

Outputs run_mlp(const Case& one, Engine) {
  const Shape& shape = one.shape("in.features");
  HeadSpec spec;  // (batch, width), or (batch, action tokens, width)
  spec.features = shape.size() == 3 ? dimension(shape, 1) : 1;
  spec.width = one.count("input_dim");
  spec.horizon = spec.features;
  spec.dof = one.count("output_dim");
  ParameterList parameters;
  parameters.copy(one, {"widths", "ln", "dropout", "tanh_end"});
  heads::MlpHead head;
  activate(head, one, spec, parameters);
  return {{"action", decode(head, spec, one.numbers("in.features"))}};
}

Outputs run_conv1d(const Case& one, Engine) {
  HeadSpec spec;
  spec.width = one.count("input_dim");
  spec.horizon = spec.features = one.count("action_horizon");
  spec.dof = one.count("output_dim") / spec.horizon;
  ParameterList parameters;
  parameters.copy(one, {"widths", "kernel_size", "n_groups"});
  heads::Conv1dHead head;
  activate(head, one, spec, parameters);
  // The case is channels first on both sides.
  const Numbers features = swapped(one.numbers("in.features"), spec.width, spec.horizon);
  return {{"action", swapped(decode(head, spec, features), spec.horizon, spec.dof)}};
}

Outputs run_transformer_decoder(const Case& one, Engine) {
  HeadSpec spec;
  spec.features = dimension(one.shape("in.features"), 1);
  spec.width = one.count("input_dim");
  spec.horizon = one.count("action_horizon");
  spec.dof = one.count("output_dim");
  ParameterList parameters;
  parameters.copy(one, {"crossattn_heads", "crossattn_dim_head"});
  heads::TransformerDecoderHead head;
  activate(head, one, spec, parameters);
  return {{"action", decode(head, spec, one.numbers("in.features"))}};
}

Outputs run_gmm(const Case& one, Engine) {
  HeadSpec spec;
  spec.width = one.count("input_dim");
  spec.horizon = 1;
  spec.dof = one.count("output_dim");
  ParameterList parameters;
  parameters.copy(one, {"hidden_size", "num_layers", "num_modes"});
  heads::GmmHead head;
  activate(head, one, spec, parameters);
  return {{"action", decode(head, spec, one.numbers("in.features"))}};
}

/// A whole denoising of every row, from the case's noise.
Numbers sample(const Case& one, const HeadSpec& spec, const std::string& sampler,
               const std::string& steps) {
  ParameterList parameters;
  parameters.copy(one, {"down_dims", "diffusion_step_embed_dim", "kernel_size", "n_groups",
                        "num_train_timesteps"});
  parameters.set("sampler", sampler);
  parameters.set("num_inference_steps", steps);
  heads::DiffusionHead head;
  activate(head, one, spec, parameters);
  const Numbers condition = one.numbers("in.global_cond"), initial = one.numbers("in.init_noise");
  const Numbers all_fresh = one.numbers("in.ddpm_step_noise");  // (steps, batch, horizon, dof)
  const std::size_t size = std::size_t{spec.horizon} * spec.dof, batch = initial.size() / size;
  Numbers actions(initial.size());
  for (std::size_t b = 0; b < batch; ++b) {
    Numbers fresh;
    for (std::size_t at = b * size; at < all_fresh.size(); at += batch * size) {
      fresh.insert(fresh.end(), all_fresh.begin() + static_cast<std::ptrdiff_t>(at),
                   all_fresh.begin() + static_cast<std::ptrdiff_t>(at + size));
    }
    expect_ok(head.sample({condition.data() + b * spec.width, 1, spec.width},
                          {initial.data() + b * size, size}, fresh,
                          {actions.data() + b * size, spec.horizon, spec.dof}),
              "sample");
  }
  return actions;
}

Numbers denoise(const Case& one, const HeadSpec& spec) {
  ParameterList parameters;
  parameters.copy(one, {"down_dims", "diffusion_step_embed_dim", "kernel_size", "n_groups",
                        "num_train_timesteps"});
  heads::DiffusionHead head;
  activate(head, one, spec, parameters);
  const Numbers noisy = one.numbers("in.unet_sample"), condition = one.numbers("in.global_cond");
  const auto timesteps = one.integers("in.unet_timesteps");
  const std::size_t size = std::size_t{spec.horizon} * spec.dof;
  const std::size_t batch = one.shape("in.global_cond").at(0);
  Numbers noise(noisy.size());
  for (std::size_t i = 0; i < noisy.size() / size; ++i) {
    expect_ok(head.denoise({condition.data() + i % batch * spec.width, 1, spec.width},
                           static_cast<std::uint32_t>(timesteps.at(i / batch)),
                           {noisy.data() + i * size, size},
                           {noise.data() + i * size, spec.horizon, spec.dof}),
              "denoise");
  }
  return noise;
}

Outputs run_diffusion(const Case& one, Engine) {
  HeadSpec spec;
  spec.width = one.count("global_cond_dim");
  spec.horizon = one.count("action_horizon");
  spec.dof = one.count("action_dim");
  Outputs outputs;
  if (one.has("out.unet")) outputs["unet"] = denoise(one, spec);
  const struct {
    const char *output, *sampler, *steps;
  } samplings[] = {{"ddim_action", "ddim", "num_inference_steps_ddim"},
                   {"ddim_full_action", "ddim", "num_train_timesteps"},
                   {"ddpm_action", "ddpm", "num_inference_steps_ddpm"}};
  for (const auto& s : samplings) {
    if (!one.has(std::string("out.") + s.output)) continue;
    outputs[s.output] = sample(one, spec, s.sampler, one.text(s.steps));
  }
  return outputs;
}

bool is_head(const Case& one, const char* weight) {
  return one.has("in.features") && one.has("out.action") && one.has_weight(weight);
}

}  // namespace

const Kind kMlp = {"head mlp", [](const Case& one) { return is_head(one, "net.0.weight"); },
                   run_mlp};
const Kind kConv1d = {
    "head conv1d", [](const Case& one) { return is_head(one, "block_in.0.weight"); }, run_conv1d};
const Kind kTransformerDecoder = {"head transformer_decoder",
                                  [](const Case& one) {
                                    return is_head(one, "mlp.0.weight") &&
                                           one.has_weight("cross_attention.to_q.weight");
                                  },
                                  run_transformer_decoder};
const Kind kGmm = {"head gmm", [](const Case& one) { return is_head(one, "share.0.weight"); },
                   run_gmm};
const Kind kDiffusion = {"head diffusion",
                         [](const Case& one) {
                           return one.has("in.global_cond") && one.has("in.init_noise") &&
                                  one.has_weight("model.final_conv.1.weight");
                         },
                         run_diffusion};

}  // namespace cambium::parity
