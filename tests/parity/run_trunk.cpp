// Trunk cases: all rows of the batch at once, as segments of one forward pass.
#include <stdexcept>

#include "core/trunk/models/hpt_model.hpp"
#include "tests/parity/parity_kinds.hpp"

namespace cambium::parity {
namespace {

Outputs run(const Case& one, Engine engine) {
  const Shape& shape = one.shape("in.tokens");
  if (shape.size() != 3) throw std::runtime_error("in.tokens is not (batch, tokens, width)");
  const auto length = static_cast<std::uint32_t>(shape[1]);
  const trunk::HptSpec spec{.width = one.count("embed_dim"),
                            .blocks = one.count("num_blocks"),
                            .heads = one.count("num_heads"),
                            .mlp_ratio = one.count("mlp_ratio")};
  std::vector<trunk::Segment> segments;
  for (std::uint32_t b = 0; b < shape[0]; ++b) segments.push_back({b * length, length});
  const trunk::ModelOptions options{.backend = engine.backend,
                                    .precision = engine.precision,
                                    .threads = 1,
                                    .max_rows = static_cast<std::uint32_t>(shape[0]) * length};
  auto model = trunk::HptModel::create(spec, one.weights().stored_views("trunk."), options);
  if (!model) throw std::runtime_error(model.error().message);
  Numbers rows = one.numbers("in.tokens");
  const Status done = (*model)->forward(segments, rows.data());
  if (!done.ok()) throw std::runtime_error(std::string("forward: ") + to_string(done.code()));
  return {{"tokens", std::move(rows)}};
}

bool recognises(const Case& one) {
  return one.has("in.tokens") && one.has("out.tokens") &&
         one.has_weight("trunk.blocks.0.attn.in_proj_weight");
}

}  // namespace

const Kind kTrunk = {"trunk", recognises, run, "num_blocks"};

}  // namespace cambium::parity
