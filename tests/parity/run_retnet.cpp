// Retention cases: the rows of the batch are robots; each form of the original against its own
// numbers.
#include <stdexcept>

#include "core/trunk/models/retnet_model.hpp"
#include "tests/parity/parity_kinds.hpp"
#include "tests/parity/stream.hpp"

namespace cambium::parity {
namespace {

std::unique_ptr<trunk::TrunkModel> make(const Case& one, Engine engine, trunk::RetentionForm form) {
  const Shape& shape = one.shape("in.embeds");
  const std::string activation = one.text("activation_fn");
  if (activation != "gelu" && activation != "swish")
    throw std::runtime_error("metadata 'activation_fn' is '" + activation +
                             "', expected gelu or swish");
  const trunk::RetnetSpec spec{.width = one.count("decoder_embed_dim"),
                               .blocks = one.count("decoder_layers"),
                               .heads = one.count("decoder_retention_heads"),
                               .value_dim = one.count("decoder_value_embed_dim"),
                               .ffn_dim = one.count("decoder_ffn_embed_dim"),
                               .swish = activation == "swish",
                               .eps = std::stof(one.text("layernorm_eps")),
                               .chunk = one.count("recurrent_chunk_size"),
                               .form = form};
  auto model =
      trunk::RetnetModel::create(spec, one.weights().stored_views(""),
                                 {.backend = engine.backend,
                                  .precision = engine.precision,
                                  .max_rows = static_cast<std::uint32_t>(shape[0] * shape[1])});
  if (!model) throw std::runtime_error(model.error().message);
  return std::move(*model);
}

Outputs run(const Case& one, Engine engine) {
  const Stream stream = read_stream(one, "in.embeds");
  const auto recurrent = make(one, engine, trunk::RetentionForm::recurrent);
  // One token at a time and many at once are the same form here.
  const Numbers ways[] = {feed(*recurrent, stream, 1), feed(*recurrent, stream, stream.length),
                          feed(*recurrent, stream, 7)};
  Outputs outputs;
  outputs["recurrent"] = farthest(one, "recurrent", ways);
  outputs["chunkwise"] =
      feed(*make(one, engine, trunk::RetentionForm::chunkwise), stream, stream.length);
  outputs["parallel"] =
      feed(*make(one, engine, trunk::RetentionForm::parallel), stream, stream.length);
  return outputs;
}

bool recognises(const Case& one) {
  return one.has("in.embeds") && one.has_weight("layers.0.retention.q_proj.weight");
}

}  // namespace

// Queries, keys, values and gates are multiplied with each other, fc1 and gate too.
const Kind kRetnet = {"retnet", recognises, run, "decoder_layers", 8};

}  // namespace cambium::parity
