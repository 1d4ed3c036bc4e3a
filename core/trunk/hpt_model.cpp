#include "core/trunk/hpt_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/nn/kernels.hpp"

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
  model->share_out();
  std::vector<Result<void>> done(model->parts_.size());
  auto set_up = [&](std::uint32_t part) noexcept { done[part] = model->set_up_part(part, given); };
  model->team_.run(set_up);
  for (auto& one : done)
    if (!one) return Error{one.error().code, owner + ": " + one.error().message};
  model->info_.chosen += " (" + model->parts_[0].in_proj->implementation() + ")";
  model->make_buffers();
  return std::unique_ptr<TrunkModel>(std::move(model));
}

void HptModel::share_out() {
  const std::uint32_t parts = team_.size();
  const auto hidden = static_cast<std::uint32_t>(this->hidden());
  parts_.resize(parts);
  for (std::uint32_t i = 0; i < parts; ++i) {
    Part& part = parts_[i];
    part.first_head = spec_.heads * i / parts;
    part.heads = spec_.heads * (i + 1) / parts - part.first_head;
    part.first_out = boundary(spec_.width, i, parts);
    part.first_hidden = boundary(hidden, i, parts);
    part.out = boundary(spec_.width, i + 1, parts) - part.first_out;
    part.hidden = boundary(hidden, i + 1, parts) - part.first_hidden;
  }
}

Result<void> HptModel::make_products(Part& part) {
  const auto all_hidden = static_cast<std::uint32_t>(this->hidden());
  const auto qkv = static_cast<std::uint32_t>(3 * part.heads * dim());
  const bool bf16 = info_.precision == nn::Precision::bf16;
  nn::ProductSpec shared{
      .backend = options_.backend, .precision = info_.precision, .max_rows = options_.max_rows};
  const auto make = [&](std::unique_ptr<nn::Product>& product, std::uint32_t from, std::uint32_t to,
                        std::uint32_t stride, nn::Epilogue epilogue) -> Result<void> {
    nn::ProductSpec spec = shared;
    spec.in = from;
    spec.out = to;
    spec.y_stride = stride;
    spec.epilogue = epilogue;
    spec.y_bf16 = bf16 && epilogue == nn::Epilogue::gelu;
    auto made = nn::make_product(spec);
    if (!made) return std::move(made).error();
    product = std::move(*made);
    return {};
  };
  const std::uint32_t width = spec_.width;
  if (auto made = make(part.in_proj, width, qkv, qkv, nn::Epilogue::none); !made) return made;
  if (auto made = make(part.out_proj, width, part.out, width, nn::Epilogue::add); !made)
    return made;
  if (auto made = make(part.fc1, width, part.hidden, all_hidden, nn::Epilogue::gelu); !made)
    return made;
  return make(part.fc2, all_hidden, part.out, width, nn::Epilogue::add);
}

// On the part's own thread: twice the speed, and memory near its core.
Result<void> HptModel::set_up_part(std::uint32_t index, std::span<const Given> given) try {
  Part& part = parts_[index];
  if (auto made = make_products(part); !made) return made;
  const std::uint64_t width = spec_.width, own = part.heads * dim(),
                      first = part.first_head * dim();
  std::vector<float> weight, bias;
  const auto read = [&](const GivenProduct& from, std::uint64_t row, std::uint64_t count) {
    const std::size_t at = weight.size(), columns = from.weight.columns();
    weight.resize(at + count * columns);
    from.weight.read_rows(row, count, weight.data() + at);
    bias.insert(bias.end(), from.bias.data() + row, from.bias.data() + row + count);
  };
  const auto pack_read = [&](const nn::Product& product,
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
      read(given[i].in_proj, kind * width + first, own);
    if (auto done = pack_read(*part.in_proj, to.in_proj); !done) return done;
    read(given[i].out_proj, part.first_out, part.out);
    if (auto done = pack_read(*part.out_proj, to.out_proj); !done) return done;
    read(given[i].fc1, part.first_hidden, part.hidden);
    if (auto done = pack_read(*part.fc1, to.fc1); !done) return done;
    read(given[i].fc2, part.first_out, part.out);
    if (auto done = pack_read(*part.fc2, to.fc2); !done) return done;
  }
  return {};
} catch (const std::exception& problem) {
  return Error{Code::failed, problem.what()};
}

void HptModel::make_buffers() {
  const std::size_t rows = nn::padded_rows(options_.max_rows), width = spec_.width;
  const std::size_t number = nn::size_of_activation(info_.precision);
  x_.resize(rows * width);
  narrow_.data.resize(rows * width * number);
  wide_.data.resize(rows * hidden() * number);
  if (int8()) {
    mixed_.resize(rows * width);
    hidden_.resize(rows * hidden());
    narrow_.scales.resize(rows);
    wide_.scales.resize(rows);
  }
  for (auto& part : parts_) {
    part.qkv.resize(rows * 3 * part.heads * dim());
    part.row.resize(width);
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
  const std::size_t size = count * spec_.width;
  // The padding starts each time from zero: what grows in it over the blocks must stay small.
  const std::size_t padded = std::size_t{nn::padded_rows(rows_)} * spec_.width;
  std::memcpy(x_.data(), rows, size * sizeof(float));
  std::fill(x_.data() + size, x_.data() + padded, 0.0f);
  auto work = [this](std::uint32_t part) noexcept { run_blocks(part); };
  team_.run(work);
  for (const auto& part : parts_)
    if (!part.status.ok()) return part.status;
  std::memcpy(rows, x_.data(), size * sizeof(float));
  return {};
}

void HptModel::run_blocks(std::uint32_t part) noexcept {
  parts_[part].status = {};
  for (const auto& block : blocks_) run_block(block, part);
}

// A part that failed goes on: the others wait for it at every step.
void HptModel::run_block(const Block& block, std::uint32_t part) noexcept {
  Part& own = parts_[part];
  const auto& weights = block.parts[part];
  const auto run = [&](nn::Product& product, const nn::PackedWeights& packed, const Rows& x,
                       void* y) {
    const Status done = product.run(packed, x.view(), rows_, y);
    if (own.status.ok()) own.status = done;
  };
  normalise_rows(block.norm_1, part);
  team_.meet();
  run(*own.in_proj, *weights.in_proj, narrow_, own.qkv.data());
  attend(block, own);
  team_.meet();
  if (int8()) {
    convert_rows(mixed_.data(), spec_.width, part);
    team_.meet();
  }
  run(*own.out_proj, *weights.out_proj, wide_, x_.data() + own.first_out);
  team_.meet();
  normalise_rows(block.norm_2, part);
  team_.meet();
  if (int8()) {
    run(*own.fc1, *weights.fc1, narrow_, hidden_.data() + own.first_hidden);
    team_.meet();
    convert_rows(hidden_.data(), hidden(), part);
  } else {
    const std::size_t first = own.first_hidden * nn::size_of_activation(info_.precision);
    run(*own.fc1, *weights.fc1, narrow_, wide_.data.data() + first);
  }
  team_.meet();
  run(*own.fc2, *weights.fc2, wide_, x_.data() + own.first_out);
  team_.meet();
}

void HptModel::attend(const Block& block, Part& own) noexcept {
  const std::size_t columns = own.heads * dim(), first = own.first_head * dim();
  const std::size_t width = spec_.width;
  // bf16 is made of the part's own qkv, whose queries of a row are read before it is written.
  const bool bf16 = info_.precision == nn::Precision::bf16;
  float* const made = int8() ? mixed_.data() : reinterpret_cast<float*>(wide_.data.data());
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
                             .out = bf16 ? qkv : made + segment.first_row * width + first,
                             .out_stride = bf16 ? 3 * columns : width,
                             .scratch = own.scratch.data()});
  }
  if (!bf16) return;
  auto* to = reinterpret_cast<std::uint16_t*>(wide_.data.data()) + first;
  for (std::size_t r = 0; r < rows_; ++r)
    nn::kernels().to_bf16(own.qkv.data() + r * 3 * columns, columns, to + r * width);
}

void HptModel::normalise_rows(const nn::LayerNorm& norm, std::uint32_t part) noexcept {
  const std::size_t width = spec_.width;
  const std::uint32_t last = rows_ * (part + 1) / team_.size();
  float* const row = parts_[part].row.data();
  for (std::size_t r = rows_ * part / team_.size(); r < last; ++r) {
    norm.run(x_.data() + r * width, 1, row);
    convert(row, width, narrow_, r);
  }
}

void HptModel::convert_rows(const float* from, std::size_t columns, std::uint32_t part) noexcept {
  const std::uint32_t last = rows_ * (part + 1) / team_.size();
  for (std::size_t r = rows_ * part / team_.size(); r < last; ++r)
    convert(from + r * columns, columns, wide_, r);
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

}  // namespace cambium::trunk
