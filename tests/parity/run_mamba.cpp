// Selective state space cases: the rows of the batch are robots.
#include <stdexcept>

#include "core/trunk/models/mamba_model.hpp"
#include "tests/parity/parity_kinds.hpp"
#include "tests/parity/stream.hpp"

namespace cambium::parity {
namespace {

bool flag(const Case& one, const std::string& key) {
  const std::string value = one.text(key);
  if (value != "true" && value != "false")
    throw std::runtime_error("metadata '" + key + "' is '" + value + "', expected true or false");
  return value == "true";
}

Outputs run(const Case& one, Engine engine) {
  const Stream stream = read_stream(one, "in.embeds");
  const trunk::MambaSpec spec{.width = one.count("d_model"),
                              .blocks = one.count("n_layer"),
                              .d_state = one.count("d_state"),
                              .d_conv = one.count("d_conv"),
                              .expand = one.count("expand"),
                              .dt_rank = one.count("dt_rank"),
                              .bias = flag(one, "bias"),
                              .conv_bias = flag(one, "conv_bias"),
                              .norm_epsilon = std::stof(one.text("norm_epsilon"))};
  auto model = trunk::MambaModel::create(spec, one.weights().stored_views(""),
                                         {.backend = engine.backend,
                                          .precision = engine.precision,
                                          .max_rows = stream.batch * stream.length});
  if (!model) throw std::runtime_error(model.error().message);
  const Numbers at_once[] = {feed(**model, stream, stream.length), feed(**model, stream, 7)};
  return {{"parallel", farthest(one, "parallel", at_once)},
          {"recurrent", feed(**model, stream, 1)}};
}

bool recognises(const Case& one) {
  return one.has("in.embeds") && one.has_weight("layers.0.mixer.A_log");
}

}  // namespace

// x, z, dt, B and C are multiplied with each other.
const Kind kMamba = {"mamba", recognises, run, "n_layer", 6};

}  // namespace cambium::parity
