// Stem cases: one observation window for each row of the batch.
#include <algorithm>
#include <stdexcept>

#include "stems/image/image_stem.hpp"
#include "stems/proprio/proprio_stem.hpp"
#include "tests/parity/parity_kinds.hpp"

namespace cambium::parity {
namespace {

std::string input_of(const Case& one) {
  return one.has("in.state") ? "in.state" : "in.image";
}

template <class Kind>
Numbers encode(const Case& one, StemSpec spec) {
  const std::string input = input_of(one);
  const Numbers x = one.numbers(input);
  const Shape& shape = one.shape(input);
  ParameterList parameters;
  parameters.copy(one, {"widths", "ln", "tanh_end", "num_of_copy", "num_latent_tokens",
                        "crossattn_heads", "crossattn_dim_head"});
  const auto parameter_view = parameters.view();
  const auto weights = one.weights().views("");
  spec.parameters = parameter_view;
  spec.weights = weights;
  Kind stem;
  Message why;
  if (!stem.activate(spec, why).ok()) throw std::runtime_error(why.text);
  std::uint32_t size = 1;
  for (std::uint32_t i = 0; i < spec.rank; ++i) size *= spec.shape[i];
  Numbers out(shape[0] * spec.tokens * spec.width);
  for (std::size_t b = 0; b < shape[0]; ++b) {
    const Status done =
        stem.encode({x.data() + b * spec.horizon * size, spec.horizon, size},
                    {out.data() + b * spec.tokens * spec.width, spec.tokens, spec.width});
    if (!done.ok()) throw std::runtime_error(std::string("encode: ") + to_string(done.code()));
  }
  return out;
}

Outputs run(const Case& one, Engine) {
  const Shape& shape = one.shape(input_of(one));  // (batch, time, …, features)
  if (shape.size() < 4 || shape.size() > 6) throw std::runtime_error("input is not rank 4 to 6");
  StemSpec spec;
  spec.horizon = static_cast<std::uint32_t>(shape[1]);
  spec.tokens = one.count("num_latent_tokens");
  spec.width = one.count("output_dim");
  // A state is (batch, time, 1, size): its observations are lists.
  const bool list = std::all_of(shape.begin() + 2, shape.end() - 1, [](auto n) { return n == 1; });
  const std::size_t first = list ? shape.size() - 1 : 2;
  spec.rank = static_cast<std::uint32_t>(shape.size() - first);
  for (std::size_t i = first; i < shape.size(); ++i) {
    spec.shape[i - first] = static_cast<std::uint32_t>(shape[i]);
  }
  return {{"latent",
           list ? encode<stems::ProprioStem>(one, spec) : encode<stems::ImageStem>(one, spec)}};
}

bool recognises(const Case& one) {
  return one.has("out.latent") && (one.has("in.state") || one.has("in.image")) &&
         one.has_weight("cross_attention.to_q.weight");
}

}  // namespace

const Kind kStem = {"stem", recognises, run};

}  // namespace cambium::parity
