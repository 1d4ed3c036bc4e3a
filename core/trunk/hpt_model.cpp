#include "core/trunk/hpt_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/nn/kernels.hpp"
#include "core/nn/weights.hpp"

namespace cambium::trunk {
namespace {
constexpr std::uint32_t kMaxMlpRatio = 64;  // as a stock may have
}  // namespace

HptModel::HptModel(const HptSpec& spec, const ModelOptions& options)
    : spec_(spec), options_(options) {}

void HptModel::make_buffers() {
  const std::size_t rows = nn::padded_rows(options_.max_rows), width = spec_.width;
  x_.resize(rows * width);
  normed_.resize(rows * width);
  qkv_.resize(rows * 3 * width);
  attended_.resize(rows * width);
  hidden_.resize(rows * spec_.mlp_ratio * width);
  scratch_.resize(options_.threads);
  for (auto& one : scratch_) one.resize(nn::attention_scratch(options_.max_rows + std::size_t{1}));
}

Result<std::unique_ptr<TrunkModel>> HptModel::create(const HptSpec& spec,
                                                     std::span<const TensorView> weights,
                                                     const ModelOptions& options) {
  const std::string owner = "trunk 'hpt'";
  if (spec.width == 0 || spec.blocks == 0 || spec.heads == 0 || spec.mlp_ratio == 0 ||
      spec.width % spec.heads != 0) {
    return Error{Code::incompatible, owner + ": " + std::to_string(spec.blocks) +
                                         " blocks of width " + std::to_string(spec.width) +
                                         " with " + std::to_string(spec.heads) +
                                         " heads; expected at least one of each, and a width that "
                                         "is a multiple of the heads"};
  }
  if (spec.mlp_ratio > kMaxMlpRatio) {
    return Error{Code::incompatible, owner + ": an MLP of " + std::to_string(spec.mlp_ratio) +
                                         " widths; expected at most " +
                                         std::to_string(kMaxMlpRatio)};
  }
  if (options.max_rows == 0 || options.threads == 0 || options.threads > 1024) {
    return Error{Code::bad_argument, owner + ": " + std::to_string(options.threads) +
                                         " threads and at most " +
                                         std::to_string(options.max_rows) +
                                         " rows; expected 1 to 1024 threads and at least one row"};
  }
  if (options.precision != Precision::f32)
    return Error{Code::unavailable, owner + ": precision " + nn::to_string(options.precision)};
  std::unique_ptr<HptModel> model(new HptModel(spec, options));
  nn::WeightReader reader(owner, weights);
  constexpr float kEps = 1e-6f;
  const std::uint32_t width = spec.width, hidden = spec.mlp_ratio * width;
  std::uint64_t numbers = 0;
  for (std::uint32_t i = 0; i < spec.blocks; ++i) {
    const std::string name = "blocks." + std::to_string(i) + ".";
    Block block;
    block.norm_1 = nn::LayerNorm(reader, name + "norm_1", width, kEps);
    block.norm_2 = nn::LayerNorm(reader, name + "norm_2", width, kEps);
    block.bias_k = reader.take(name + "attn.bias_k", {1, 1, width});
    block.bias_v = reader.take(name + "attn.bias_v", {1, 1, width});
    numbers += std::uint64_t{6} * width;

    struct Product {
      std::unique_ptr<nn::PreparedLinear>* linear;
      std::string weight, bias;
      std::uint32_t in, out;
      nn::Epilogue epilogue;
    };
    const Product products[] = {
        {&block.in_proj, "attn.in_proj_weight", "attn.in_proj_bias", width, 3 * width,
         nn::Epilogue::none},
        {&block.out_proj, "attn.out_proj.weight", "attn.out_proj.bias", width, width,
         nn::Epilogue::add},
        {&block.fc1, "mlp.fc1.weight", "mlp.fc1.bias", width, hidden, nn::Epilogue::gelu},
        {&block.fc2, "mlp.fc2.weight", "mlp.fc2.bias", hidden, width, nn::Epilogue::add}};
    for (const auto& product : products) {
      const auto weight = reader.take(name + product.weight, {product.out, product.in});
      const auto bias = reader.take(name + product.bias, {product.out});
      if (!reader.ok()) return reader.finish().error();
      numbers += weight.size() + bias.size();
      auto made = nn::prepare_linear({.backend = options.backend,
                                      .threads = options.threads,
                                      .max_rows = options.max_rows,
                                      .in = product.in,
                                      .out = product.out,
                                      .epilogue = product.epilogue,
                                      .weight = weight.data(),
                                      .bias = bias.data()});
      if (!made) return Error{made.error().code, owner + ": " + made.error().message};
      *product.linear = std::move(*made);
    }
    model->blocks_.push_back(std::move(block));
  }
  if (auto taken = reader.finish(); !taken) return std::move(taken).error();
  model->make_buffers();
  model->info_ = {"hpt",          spec.width, spec.blocks, spec.heads, numbers * sizeof(float),
                  Precision::f32, ""};
  return std::unique_ptr<TrunkModel>(std::move(model));
}

Status HptModel::forward(std::span<const Segment> segments, float* rows) noexcept {
  std::uint64_t count = 0;
  for (const auto& segment : segments) {
    if (segment.first_row != count || segment.rows == 0) return Code::bad_argument;
    count += segment.rows;
    if (count > options_.max_rows) return Code::bad_argument;
  }
  if (count == 0) return {};
  const auto all = static_cast<std::uint32_t>(count);
  const std::size_t size = count * spec_.width;
  // The padding starts each time from zero: what grows in it over the blocks must stay small.
  const std::size_t padded = std::size_t{nn::padded_rows(all)} * spec_.width;
  std::memcpy(x_.data(), rows, size * sizeof(float));
  std::fill(x_.data() + size, x_.data() + padded, 0.0f);
  for (auto& block : blocks_) {
    if (const Status done = run_block(block, segments, all); !done.ok()) return done;
  }
  std::memcpy(rows, x_.data(), size * sizeof(float));
  return {};
}

Status HptModel::run_block(Block& block, std::span<const Segment> segments,
                           std::uint32_t rows) noexcept {
  block.norm_1.run(x_.data(), rows, normed_.data());
  Status done = block.in_proj->run(normed_.data(), rows, qkv_.data());
  if (!done.ok()) return done;
  attend(block, segments);
  done = block.out_proj->run(attended_.data(), rows, x_.data());
  if (!done.ok()) return done;
  block.norm_2.run(x_.data(), rows, normed_.data());
  done = block.fc1->run(normed_.data(), rows, hidden_.data());
  if (!done.ok()) return done;
  return block.fc2->run(hidden_.data(), rows, x_.data());
}

void HptModel::attend(const Block& block, std::span<const Segment> segments) noexcept {
  const std::uint32_t parts = std::min(options_.threads, spec_.heads);
  if (parts == 1) {  // OpenMP allocates even for a team of one
    attend_heads(block, segments, 0, spec_.heads, scratch_[0].data());
    return;
  }
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static)
  for (std::uint32_t part = 0; part < parts; ++part) {
    attend_heads(block, segments, spec_.heads * part / parts, spec_.heads * (part + 1) / parts,
                 scratch_[part].data());
  }
}

void HptModel::attend_heads(const Block& block, std::span<const Segment> segments,
                            std::uint32_t first, std::uint32_t last, float* scratch) noexcept {
  const std::size_t width = spec_.width, dim = width / spec_.heads;
  for (const auto& segment : segments) {
    const float* qkv = qkv_.data() + segment.first_row * 3 * width;
    nn::kernels().attention({.q = qkv,
                             .q_stride = 3 * width,
                             .rows = segment.rows,
                             .k = qkv + width,
                             .v = qkv + 2 * width,
                             .kv_stride = 3 * width,
                             .keys = segment.rows,
                             .bias_key = block.bias_k.data(),
                             .bias_value = block.bias_v.data(),
                             .first_head = first,
                             .last_head = last,
                             .dim = dim,
                             .scale = 1.0f / std::sqrt(static_cast<float>(dim)),
                             .out = attended_.data() + segment.first_row * width,
                             .out_stride = width,
                             .scratch = scratch});
  }
}

}  // namespace cambium::trunk
