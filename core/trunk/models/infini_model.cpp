#include "core/trunk/models/infini_model.hpp"

#include <string>
#include <utility>

#include "core/nn/parameters.hpp"
#include "core/trunk/models/checkpoint.hpp"
#include "core/trunk/models/remembering.hpp"

namespace cambium::trunk {
namespace {

constexpr const char kOwner[] = "trunk 'infini'";

Error impossible(const std::string& what) {
  return {Code::incompatible, std::string(kOwner) + ": " + what};
}

}  // namespace

struct InfiniModel::Given {
  LlamaStack::Given llama;
  std::vector<InfiniAttention::Given> attention;
};

Result<std::unique_ptr<TrunkModel>> InfiniModel::create(const LlamaSpec& llama,
                                                        const InfiniAttentionSpec& attention,
                                                        std::span<const nn::StoredTensor> weights,
                                                        const ModelOptions& options) {
  if (llama.width == 0 || llama.blocks == 0 || llama.hidden == 0)
    return impossible(std::to_string(llama.blocks) + " blocks of width " +
                      std::to_string(llama.width) + " and an MLP of " +
                      std::to_string(llama.hidden) + "; expected at least one of each");
  if (const std::string problem = InfiniAttention::problem(attention); !problem.empty())
    return impossible(problem);
  if (options.max_rows == 0)
    return Error{Code::bad_argument,
                 std::string(kOwner) + ": at most 0 rows; expected at least one"};
  nn::StoredWeights reader(kOwner, weights);
  Given given;
  given.llama = LlamaStack::take(llama, reader);
  for (std::uint32_t i = 0; i < llama.blocks && reader.ok(); ++i)
    given.attention.push_back(InfiniAttention::take(
        attention, LlamaStack::block_name(i) + "self_attn.", weights, reader));
  // Buffers only for a shape that the weights really have.
  if (auto taken = reader.finish(); !taken) return std::move(taken).error();
  std::unique_ptr<InfiniModel> model(new InfiniModel(options));
  if (auto made = model->set_up(llama, attention, std::move(given)); !made)
    return Error{made.error().code, std::string(kOwner) + ": " + made.error().message};
  return std::unique_ptr<TrunkModel>(std::move(model));
}

Result<void> InfiniModel::set_up(const LlamaSpec& llama, const InfiniAttentionSpec& attention,
                                 Given given) {
  const auto chosen = nn::choose_precision(options_.backend, options_.precision);
  projections_ =
      std::make_unique<nn::Projections>(options_.backend, chosen.precision, options_.max_rows);
  attention_ = InfiniAttention(attention, *projections_);
  info_.weight_bytes = 0;
  for (const auto& from : given.attention) {
    auto layer = attention_.make(from, *projections_);
    if (!layer) return std::move(layer).error();
    info_.weight_bytes += layer->gate.size() * sizeof(float);
    layers_.push_back(std::move(*layer));
  }
  auto stack = LlamaStack::create(llama, std::move(given.llama), *projections_);
  if (!stack) return std::move(stack).error();
  stack_ = std::move(*stack);

  info_.architecture = "infini";
  info_.width = llama.width;
  info_.blocks = llama.blocks;
  info_.heads = attention.heads;
  info_.weight_bytes += projections_->weight_bytes() + stack_.norm_bytes();
  info_.precision = chosen.precision;
  info_.chosen = describe(chosen, *projections_, options_);
  info_.session_bytes = offset(llama.blocks);
  info_.sinusoid = false;
  return {};
}

std::size_t InfiniModel::offset(std::uint32_t block) const noexcept {
  return kMemoryHeader + block * attention_.state_bytes();
}

void InfiniModel::begin(std::byte* memory) const noexcept {
  forget_tokens(memory);
  for (std::uint32_t i = 0; i < info_.blocks; ++i) attention_.begin(memory + offset(i));
}

Status InfiniModel::forward(std::span<const Segment> segments, float* rows) noexcept {
  std::uint32_t count = 0;
  if (const Status counted = count_rows(segments, options_.max_rows, count); !counted.ok())
    return counted;
  if (count == 0) return {};
  const auto attention = [&](std::uint32_t block, const float* normed, float* x) noexcept {
    return attention_.run(layers_[block], segments, offset(block), count, normed, x);
  };
  if (const Status done = stack_.run(count, rows, attention); !done.ok()) return done;
  for (const auto& segment : segments) add_tokens(segment.memory, segment.rows);
  return {};
}

Result<std::unique_ptr<TrunkModel>> load_infini(const Checkpoint& checkpoint,
                                                const ModelOptions& options) {
  const nn::TrunkShape& shape = checkpoint.shape;
  const auto parameters = nn::views(shape.hyper_parameters);
  nn::ParameterReader read(kOwner, parameters);
  const LlamaSpec llama = {.width = shape.width,
                           .blocks = shape.blocks,
                           .hidden = read.count("intermediate_size", 4 * shape.width, 1, 1U << 20),
                           .eps = static_cast<float>(read.number("rms_norm_eps", 1e-6, 0, 1))};
  InfiniAttentionSpec attention;
  attention.width = shape.width;
  attention.heads = shape.heads;
  attention.dim_key = read.count("dim_key", shape.width / shape.heads);
  attention.dim_value = read.count("dim_value", shape.width / shape.heads);
  attention.segment_len = read.count("segment_len", attention.segment_len, 1, 1U << 20);
  attention.rule = read.word("rule", "linear", {"linear", "delta"}) == "delta" ? MemoryRule::delta
                                                                               : MemoryRule::linear;
  attention.rope = read.boolean("rope", true);
  attention.rope_base = read.number("rope_base", 10000, 1, 1e12);
  if (auto done = read.finish(); !done) return checkpoint.error(done.error());
  auto made = InfiniModel::create(llama, attention, checkpoint.weights, options);
  if (!made) return checkpoint.error(made.error());
  return made;
}

}  // namespace cambium::trunk
