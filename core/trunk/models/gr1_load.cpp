// GR-1's trunk from hyper-parameters and weights; what it computes is in gr1_model.cpp.
#include <algorithm>
#include <utility>

#include "core/nn/parameters.hpp"
#include "core/trunk/models/checkpoint.hpp"
#include "core/trunk/models/gr1_model.hpp"

namespace cambium::trunk {
namespace {

constexpr float kEps = 1e-5f;
constexpr std::uint32_t kMostTokens = 65536;  // of a window
const std::string kOwner = "trunk 'gr1'";

struct NamedActivation {
  const char* name;
  void (*nn::Kernels::*run)(float*, std::size_t) noexcept;
};

constexpr NamedActivation kActivations[] = {
    {"relu", &nn::Kernels::relu},          {"gelu", &nn::Kernels::gelu},
    {"gelu_new", &nn::Kernels::gelu_tanh}, {"gelu_fast", &nn::Kernels::gelu_tanh},
    {"silu", &nn::Kernels::silu},          {"swish", &nn::Kernels::silu},
    {"mish", &nn::Kernels::mish},          {"tanh", &nn::Kernels::tanh},
};

const NamedActivation* find_activation(const std::string& name) {
  const auto found = std::ranges::find(kActivations, name, &NamedActivation::name);
  return found == std::end(kActivations) ? nullptr : found;
}

Result<void> check(const Gr1Spec& spec, const ModelOptions& options) {
  const auto refuse = [](Code code, const std::string& what) {
    return Error{code, kOwner + ": " + what};
  };
  if (spec.width == 0 || spec.blocks == 0 || spec.heads == 0 || spec.width % spec.heads != 0)
    return refuse(Code::incompatible,
                  std::to_string(spec.blocks) + " blocks of width " + std::to_string(spec.width) +
                      " with " + std::to_string(spec.heads) +
                      " heads; expected at least one of each, and a width that is a multiple of "
                      "the heads");
  if (spec.sequence_length == 0 || spec.tokens_per_step == 0 ||
      spec.tokens_per_step > kMostTokens / spec.sequence_length)
    return refuse(Code::incompatible,
                  "hyper-parameters 'sequence_length' and 'tokens_per_step' are " +
                      std::to_string(spec.sequence_length) + " and " +
                      std::to_string(spec.tokens_per_step) +
                      "; expected at least one of each, and at most " +
                      std::to_string(kMostTokens) + " tokens in a window");
  if (find_activation(spec.activation) == nullptr)
    return refuse(Code::incompatible, "no activation '" + spec.activation + "'");
  // Buffers are sized by it, with a window beside.
  if (options.threads == 0 || options.max_rows == 0 || options.max_rows > 1u << 24)
    return refuse(Code::bad_argument, std::to_string(options.threads) + " threads and at most " +
                                          std::to_string(options.max_rows) +
                                          " rows; expected at least one thread, and 1 to 2^24 "
                                          "rows");
  return {};
}

/// The weight (in, out) of one of GPT-2's products, as products here have theirs.
class Transposed {
 public:
  explicit Transposed(const nn::StoredMatrix& given)
      : values_(given.rows() * given.columns()),
        tensor_{.name = {},
                .dtype = nn::DType::f32,
                .shape = {given.columns(), given.rows()},
                .bytes = std::as_bytes(std::span(values_))} {
    std::vector<float> row(given.columns());
    for (std::uint64_t i = 0; i < given.rows(); ++i) {
      given.read_rows(i, 1, row.data());
      for (std::uint64_t o = 0; o < row.size(); ++o) values_[o * given.rows() + i] = row[o];
    }
  }
  Transposed(const Transposed&) = delete;

  nn::StoredMatrix matrix() const { return {tensor_, nullptr}; }

 private:
  std::vector<float> values_;
  nn::StoredTensor tensor_;
};

}  // namespace

Gr1Model::Gr1Model(const Gr1Spec& spec, const ModelOptions& options, nn::ChosenPrecision chosen)
    : spec_(spec),
      max_rows_(options.max_rows),
      shape_{.width = spec.width,
             .blocks = spec.blocks,
             .steps = spec.sequence_length,
             .step_tokens = spec.tokens_per_step},
      activation_(find_activation(spec.activation)->run),
      projections_(options.backend, chosen.precision,
                   options.max_rows + static_cast<std::uint32_t>(shape_.rows())) {
  info_.architecture = "gr1";
  info_.width = spec.width;
  info_.blocks = spec.blocks;
  info_.heads = spec.heads;
  info_.precision = chosen.precision;
  info_.chosen = std::move(chosen.why);
  info_.session_bytes = shape_.bytes();
  info_.sinusoid = false;
}

Result<std::unique_ptr<TrunkModel>> Gr1Model::create(const Gr1Spec& spec,
                                                     std::span<const nn::StoredTensor> weights,
                                                     const ModelOptions& options) {
  if (auto fine = check(spec, options); !fine) return std::move(fine).error();
  Gr1Spec whole = spec;
  if (whole.inner == 0) whole.inner = 4 * whole.width;
  const auto chosen = nn::choose_precision(options.backend, options.precision);
  std::unique_ptr<Gr1Model> model(new Gr1Model(whole, options, chosen));
  if (auto taken = model->take_weights(weights); !taken) return std::move(taken).error();
  model->info_.weight_bytes =
      model->projections_.weight_bytes() +
      sizeof(float) * whole.width * (std::uint64_t{whole.sequence_length} + 4 + 4 * whole.blocks);
  model->info_.chosen += " (" + model->projections_.implementation() + ")";
  if (options.threads > 1) model->info_.chosen += ", on one thread";

  const std::size_t rows = model->projections_.buffer_rows();
  model->rows_.reserve(rows);
  model->visible_.reserve(rows);
  model->parts_.reserve(options.max_rows);
  model->taken_.reserve(options.max_rows);
  model->x_.resize(rows * whole.width);
  model->normed_.resize(rows * whole.width);
  model->qkv_.resize(rows * 3 * whole.width);
  model->hidden_.resize(rows * whole.inner);
  model->scratch_.resize(nn::attention_scratch(model->shape_.rows(), whole.width / whole.heads));
  return std::unique_ptr<TrunkModel>(std::move(model));
}

// Products are packed while the rest is read: what is wrong with a name or a shape shows first in
// take(), and finish() tells it.
Result<void> Gr1Model::take_weights(std::span<const nn::StoredTensor> tensors) {
  nn::StoredWeights reader(kOwner, tensors);
  const std::uint32_t width = spec_.width;
  const auto norm = [&](const std::string& name) {
    auto weight = reader.take(name + ".weight", {width});
    return nn::LayerNorm(std::move(weight), reader.take(name + ".bias", {width}), kEps);
  };
  Result<void> packed;
  const auto product = [&](const std::string& name, std::uint32_t in, std::uint32_t out,
                           nn::Epilogue epilogue) -> nn::Projection {
    const auto weight = reader.matrix(name + ".weight", in, out);
    const auto bias = reader.take(name + ".bias", {out});
    if (!reader.ok() || !packed) return {};
    const Transposed transposed(weight);
    const nn::StoredMatrix matrix = transposed.matrix();
    auto made = projections_.make({&matrix, 1}, bias, epilogue);
    if (made) return std::move(*made);
    packed = Error{made.error().code, kOwner + ": " + made.error().message};
    return {};
  };
  embed_timestep_ = reader.take("embed_timestep.weight", {spec_.sequence_length, width});
  embed_ln_ = norm("embed_ln");
  ln_f_ = norm("transformer.ln_f");
  reader.ignore("transformer.wte.weight");
  blocks_.resize(spec_.blocks);
  for (std::uint32_t i = 0; i < spec_.blocks && reader.ok() && packed; ++i) {
    const std::string name = "transformer.h." + std::to_string(i) + ".";
    Block& block = blocks_[i];
    block.ln_1 = norm(name + "ln_1");
    block.ln_2 = norm(name + "ln_2");
    block.c_attn = product(name + "attn.c_attn", width, 3 * width, nn::Epilogue::none);
    block.attn_proj = product(name + "attn.c_proj", width, width, nn::Epilogue::add);
    block.c_fc = product(name + "mlp.c_fc", width, spec_.inner, nn::Epilogue::none);
    block.mlp_proj = product(name + "mlp.c_proj", spec_.inner, width, nn::Epilogue::add);
    reader.ignore(name + "attn.bias");
    reader.ignore(name + "attn.masked_bias");
  }
  if (auto taken = reader.finish(); !taken) return taken;
  return packed;
}

Result<std::unique_ptr<TrunkModel>> load_gr1(const Checkpoint& checkpoint,
                                             const ModelOptions& options) {
  const nn::TrunkShape& shape = checkpoint.shape;
  const auto parameters = nn::views(shape.hyper_parameters);
  nn::ParameterReader reader(kOwner, parameters);
  std::vector<std::string> activations;
  for (const auto& one : kActivations) activations.emplace_back(one.name);
  Gr1Spec spec{.width = shape.width, .blocks = shape.blocks, .heads = shape.heads};
  spec.inner = reader.count("n_inner", 4 * shape.width);
  spec.sequence_length = reader.count("sequence_length", 0);
  spec.tokens_per_step = reader.count("tokens_per_step", 0);
  spec.activation = reader.word("activation_function", "relu", activations);
  if (auto read = reader.finish(); !read) return checkpoint.error(read.error());
  auto made = Gr1Model::create(spec, checkpoint.weights, options);
  if (!made) return checkpoint.error(made.error());
  return made;
}

}  // namespace cambium::trunk
