#include "core/trunk/models/hpt_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/nn/kernels.hpp"
#include "core/nn/parameters.hpp"
#include "core/trunk/models/checkpoint.hpp"

namespace cambium::trunk {
namespace {

constexpr std::uint32_t kMaxMlpRatio = 64;  // as a stock may have
constexpr float kEps = 1e-6f;

/// Where part `part` of `parts` begins in `count` outputs: whole vectors, if there are enough.
std::uint32_t boundary(std::uint32_t count, std::uint32_t part, std::uint32_t parts) noexcept {
  if (part == parts) return count;
  const std::uint32_t at = static_cast<std::uint32_t>(std::uint64_t{count} * part / parts);
  return count >= 64 * parts ? at / 16 * 16 : at;
}

}  // namespace

HptModel::HptModel(const HptSpec& spec, const ModelOptions& options, nn::ChosenPrecision chosen)
    : spec_(spec), options_(options), team_(std::min(options.threads, spec.heads), options.cores) {
  info_.architecture = "hpt";
  info_.width = spec.width;
  info_.blocks = spec.blocks;
  info_.heads = spec.heads;
  info_.precision = chosen.precision;
  info_.chosen = std::move(chosen.why);
}

Result<std::unique_ptr<TrunkModel>> HptModel::create(const HptSpec& spec,
                                                     std::span<const nn::StoredTensor> weights,
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
  nn::StoredWeights reader(owner, weights);
  const std::uint32_t width = spec.width, hidden = spec.mlp_ratio * width;
  std::vector<Block> blocks(spec.blocks);
  std::vector<Given> given(spec.blocks);
  for (std::uint32_t i = 0; i < spec.blocks && reader.ok(); ++i) {
    const std::string name = "blocks." + std::to_string(i) + ".";
    Block& block = blocks[i];
    const auto norm = [&](const std::string& of) {
      auto weight = reader.take(name + of + ".weight", {width});
      return nn::LayerNorm(std::move(weight), reader.take(name + of + ".bias", {width}), kEps);
    };
    block.norm_1 = norm("norm_1");
    block.norm_2 = norm("norm_2");
    block.bias_k = reader.take(name + "attn.bias_k", {1, 1, width});
    block.bias_v = reader.take(name + "attn.bias_v", {1, 1, width});
    const auto product = [&](const char* weight, const char* bias, std::uint32_t in,
                             std::uint32_t out) -> GivenProduct {
      const auto matrix = reader.matrix(name + weight, out, in);
      return {matrix, reader.take(name + bias, {out})};
    };
    given[i] = {product("attn.in_proj_weight", "attn.in_proj_bias", width, 3 * width),
                product("attn.out_proj.weight", "attn.out_proj.bias", width, width),
                product("mlp.fc1.weight", "mlp.fc1.bias", width, hidden),
                product("mlp.fc2.weight", "mlp.fc2.bias", hidden, width)};
  }
  // Threads and buffers only for a shape that the weights really have.
  if (auto taken = reader.finish(); !taken) return std::move(taken).error();
  const auto chosen = nn::choose_precision(options.backend, options.precision);
  std::unique_ptr<HptModel> model(new HptModel(spec, options, chosen));
  for (auto& block : blocks) block.parts.resize(model->team_.size());
  model->blocks_ = std::move(blocks);
  if (auto shared = model->share_out(); !shared)
    return Error{shared.error().code, owner + ": " + shared.error().message};
  std::vector<Result<void>> done(model->parts_.size());
  auto set_up = [&](std::uint32_t part) noexcept { done[part] = model->set_up_part(part, given); };
  model->team_.run(set_up);
  for (auto& one : done)
    if (!one) return Error{one.error().code, owner + ": " + one.error().message};
  model->info_.chosen += " (" + model->parts_[0].in_proj->implementation() + ")";
  model->make_buffers();
  return std::unique_ptr<TrunkModel>(std::move(model));
}

Result<void> HptModel::share_out() {
  const std::uint32_t parts = team_.size();
  const auto hidden = static_cast<std::uint32_t>(this->hidden());
  parts_.resize(parts);
  for (std::uint32_t i = 0; i < parts; ++i) {
    Part& part = parts_[i];
    part.first_head = spec_.heads * i / parts;
    part.heads = spec_.heads * (i + 1) / parts - part.first_head;
    part.first_hidden = boundary(hidden, i, parts);
    part.hidden = boundary(hidden, i + 1, parts) - part.first_hidden;
    if (auto made = make_products(part); !made) return made;
  }
  return {};
}

Result<void> HptModel::make_products(Part& part) {
  const auto own = static_cast<std::uint32_t>(part.heads * dim());
  const bool bf16 = info_.precision == nn::Precision::bf16;
  const auto make = [&](std::unique_ptr<nn::Product>& product, std::uint32_t from, std::uint32_t to,
                        nn::Epilogue epilogue) -> Result<void> {
    auto made = nn::make_product({.backend = options_.backend,
                                  .precision = info_.precision,
                                  .max_rows = options_.max_rows,
                                  .in = from,
                                  .out = to,
                                  .epilogue = epilogue,
                                  .y_bf16 = bf16 && epilogue == nn::Epilogue::gelu});
    if (!made) return std::move(made).error();
    product = std::move(*made);
    return {};
  };
  // Alone, a part adds to the residual itself.
  const auto add = team_.size() == 1 ? nn::Epilogue::add : nn::Epilogue::none;
  const std::uint32_t width = spec_.width;
  if (auto made = make(part.in_proj, width, 3 * own, nn::Epilogue::none); !made) return made;
  if (auto made = make(part.out_proj, own, width, add); !made) return made;
  if (auto made = make(part.fc1, width, part.hidden, nn::Epilogue::gelu); !made) return made;
  return make(part.fc2, part.hidden, width, add);
}

// On the part's own thread: twice the speed, and memory near its core.
Result<void> HptModel::set_up_part(std::uint32_t index, std::span<const Given> given) try {
  Part& part = parts_[index];
  const std::uint64_t width = spec_.width, own = part.heads * dim(),
                      first = part.first_head * dim();
  std::vector<float> weight, bias, whole;
  // Outputs of a product that are this part's.
  const auto read_rows = [&](const GivenProduct& from, std::uint64_t row, std::uint64_t count) {
    const std::size_t at = weight.size(), columns = from.weight.columns();
    weight.resize(at + count * columns);
    from.weight.read_rows(row, count, weight.data() + at);
    bias.insert(bias.end(), from.bias.data() + row, from.bias.data() + row + count);
  };
  // Inputs that are this part's; only one part adds the bias.
  const auto read_columns = [&](const GivenProduct& from, std::uint64_t column,
                                std::uint64_t count) {
    const std::size_t rows = from.weight.rows(), columns = from.weight.columns();
    weight.resize(rows * count);
    whole.resize(columns);
    for (std::size_t r = 0; r < rows; ++r) {
      from.weight.read_rows(r, 1, whole.data());
      std::copy_n(whole.data() + column, count, weight.data() + r * count);
    }
    bias = from.bias;
    if (index != 0) std::fill(bias.begin(), bias.end(), 0.0f);
  };
  const auto pack = [&](const nn::Product& product,
                        std::unique_ptr<nn::PackedWeights>& to) -> Result<void> {
    auto packed = product.pack(weight.data(), bias.data(), part.memory);
    if (!packed) return std::move(packed).error();
    to = std::move(*packed);
    weight.clear();
    bias.clear();
    return {};
  };
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    auto& to = blocks_[i].parts[index];
    // Queries, keys and values of its heads, one after the other.
    for (std::uint64_t kind = 0; kind < 3; ++kind)
      read_rows(given[i].in_proj, kind * width + first, own);
    if (auto done = pack(*part.in_proj, to.in_proj); !done) return done;
    read_columns(given[i].out_proj, first, own);
    if (auto done = pack(*part.out_proj, to.out_proj); !done) return done;
    read_rows(given[i].fc1, part.first_hidden, part.hidden);
    if (auto done = pack(*part.fc1, to.fc1); !done) return done;
    read_columns(given[i].fc2, part.first_hidden, part.hidden);
    if (auto done = pack(*part.fc2, to.fc2); !done) return done;
  }
  return {};
} catch (const std::exception& problem) {
  return Error{Code::failed, problem.what()};
}

void HptModel::make_buffers() {
  const std::size_t rows = nn::padded_rows(options_.max_rows), width = spec_.width;
  const auto make = [&](Rows& buffer, std::size_t columns) {
    buffer.data.resize(rows * columns * nn::size_of_activation(info_.precision));
    if (int8()) buffer.scales.resize(rows);
  };
  for (auto& part : parts_) {
    const std::size_t own = part.heads * dim();
    part.x.resize(rows * width);
    part.row.resize(width);
    make(part.normed, width);
    part.qkv.resize(rows * 3 * own);
    make(part.mixed, own);
    make(part.hidden_rows, part.hidden);
    if (int8()) part.unrounded.resize(rows * part.hidden);
    if (parts_.size() > 1) {
      part.attention_sum.resize(rows * width);
      part.mlp_sum.resize(rows * width);
    }
    part.scratch.resize(nn::attention_scratch(options_.max_rows, dim()));
  }
  for (const auto& block : blocks_) {
    info_.weight_bytes += 6 * width * sizeof(float);
    for (const auto& own : block.parts)
      info_.weight_bytes +=
          own.in_proj->bytes() + own.out_proj->bytes() + own.fc1->bytes() + own.fc2->bytes();
  }
}

Status HptModel::forward(std::span<const Segment> segments, float* rows) noexcept {
  std::uint64_t count = 0;
  for (const auto& segment : segments) {
    if (segment.first_row != count || segment.rows == 0) return Code::bad_argument;
    count += segment.rows;
    if (count > options_.max_rows) return Code::bad_argument;
  }
  if (count == 0) return {};
  segments_ = segments;
  rows_ = static_cast<std::uint32_t>(count);
  given_ = rows;
  auto work = [this](std::uint32_t part) noexcept { run_blocks(part); };
  team_.run(work);
  for (const auto& part : parts_)
    if (!part.status.ok()) return part.status;
  std::memcpy(rows, parts_[0].x.data(), count * spec_.width * sizeof(float));
  return {};
}

void HptModel::run_blocks(std::uint32_t part) noexcept {
  Part& own = parts_[part];
  own.status = {};
  const std::size_t size = std::size_t{rows_} * spec_.width;
  // The padding starts each time from zero: what grows in it over the blocks must stay small.
  const std::size_t padded = std::size_t{nn::padded_rows(rows_)} * spec_.width;
  std::memcpy(own.x.data(), given_, size * sizeof(float));
  std::fill(own.x.data() + size, own.x.data() + padded, 0.0f);
  for (const auto& block : blocks_) run_block(block, part);
}

// A part that failed goes on: the others wait for it at every meeting.
void HptModel::run_block(const Block& block, std::uint32_t part) noexcept {
  Part& own = parts_[part];
  const auto& weights = block.parts[part];
  const bool alone = parts_.size() == 1;
  const auto run = [&](nn::Product& product, const nn::PackedWeights& packed, const Rows& x,
                       void* y) {
    const Status done = product.run(packed, x.view(), rows_, y);
    if (own.status.ok()) own.status = done;
  };
  normalise(block.norm_1, own);
  run(*own.in_proj, *weights.in_proj, own.normed, own.qkv.data());
  attend(block, own);
  run(*own.out_proj, *weights.out_proj, own.mixed, alone ? own.x.data() : own.attention_sum.data());
  if (!alone) add(&Part::attention_sum, own);

  normalise(block.norm_2, own);
  void* const hidden = int8() ? static_cast<void*>(own.unrounded.data()) : own.hidden_rows.f32();
  run(*own.fc1, *weights.fc1, own.normed, hidden);
  if (int8()) {
    for (std::size_t r = 0; r < rows_; ++r)
      convert(own.unrounded.data() + r * own.hidden, own.hidden, own.hidden_rows, r);
  }
  run(*own.fc2, *weights.fc2, own.hidden_rows, alone ? own.x.data() : own.mlp_sum.data());
  if (!alone) add(&Part::mlp_sum, own);
}

// A sum is written again one block later, after the other meeting: nobody reads it any more then.
void HptModel::add(std::vector<float> Part::*sum, Part& own) noexcept {
  team_.meet();
  const std::size_t size = std::size_t{rows_} * spec_.width;
  for (const Part& other : parts_) nn::kernels().add((other.*sum).data(), size, own.x.data());
}

void HptModel::attend(const Block& block, Part& own) noexcept {
  const std::size_t columns = own.heads * dim(), first = own.first_head * dim();
  // What is rounded lies in place of the queries before, which are read before it is written.
  const bool rounded = info_.precision != nn::Precision::f32;
  for (const auto& segment : segments_) {
    float* qkv = own.qkv.data() + std::size_t{segment.first_row} * 3 * columns;
    nn::kernels().attention({.q = qkv,
                             .q_stride = 3 * columns,
                             .rows = segment.rows,
                             .k = qkv + columns,
                             .v = qkv + 2 * columns,
                             .kv_stride = 3 * columns,
                             .keys = segment.rows,
                             .bias_key = block.bias_k.data() + first,
                             .bias_value = block.bias_v.data() + first,
                             .last_head = own.heads,
                             .dim = dim(),
                             .scale = 1.0f / std::sqrt(static_cast<float>(dim())),
                             .out = rounded ? qkv : own.mixed.f32() + segment.first_row * columns,
                             .out_stride = rounded ? 3 * columns : columns,
                             .scratch = own.scratch.data()});
  }
  if (!rounded) return;
  for (std::size_t r = 0; r < rows_; ++r)
    convert(own.qkv.data() + r * 3 * columns, columns, own.mixed, r);
}

void HptModel::normalise(const nn::LayerNorm& norm, Part& own) noexcept {
  const std::size_t width = spec_.width;
  for (std::size_t r = 0; r < rows_; ++r) {
    norm.run(own.x.data() + r * width, 1, own.row.data());
    convert(own.row.data(), width, own.normed, r);
  }
}

void HptModel::convert(const float* row, std::size_t columns, Rows& to,
                       std::size_t index) noexcept {
  std::byte* data = to.data.data() + index * columns * nn::size_of_activation(info_.precision);
  switch (info_.precision) {
    case nn::Precision::bf16:
      nn::kernels().to_bf16(row, columns, reinterpret_cast<std::uint16_t*>(data));
      break;
    case nn::Precision::int8:
      to.scales[index] =
          nn::kernels().quantise(row, columns, reinterpret_cast<std::uint8_t*>(data));
      break;
    default:
      std::memcpy(data, row, columns * sizeof(float));
  }
}

Result<std::unique_ptr<TrunkModel>> load_hpt(const Checkpoint& checkpoint,
                                             const ModelOptions& options) {
  const nn::TrunkShape& shape = checkpoint.shape;
  const auto parameters = nn::views(shape.hyper_parameters);
  nn::ParameterReader none("trunk 'hpt'", parameters);
  if (auto read = none.finish(); !read) return checkpoint.error(read.error());
  auto made = HptModel::create({shape.width, shape.blocks, shape.heads, shape.mlp_ratio},
                               checkpoint.weights, options);
  if (!made) return checkpoint.error(made.error());
  return made;
}

}  // namespace cambium::trunk
