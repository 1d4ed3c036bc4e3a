#include "core/trunk/models/mamba_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>

#include "core/nn/kernels.hpp"
#include "core/nn/parameters.hpp"
#include "core/trunk/models/checkpoint.hpp"
#include "core/trunk/models/remembering.hpp"

namespace cambium::trunk {
namespace {

const char kOwner[] = "trunk 'mamba'";
constexpr std::uint32_t kMostChannels = 1 << 20;

Error refusal(std::string what) {
  return {Code::incompatible, std::string(kOwner) + ": " + std::move(what)};
}

/// (channels, count) -> (tiles, count, kScanTile).
std::vector<float> in_tiles(const std::vector<float>& from, std::size_t channels,
                            std::size_t count) {
  std::vector<float> to(nn::scan_tiles(channels) * count * nn::kScanTile);
  for (std::size_t j = 0; j < channels; ++j) {
    float* tile = to.data() + j / nn::kScanTile * count * nn::kScanTile + j % nn::kScanTile;
    for (std::size_t n = 0; n < count; ++n) tile[n * nn::kScanTile] = from[j * count + n];
  }
  return to;
}

/// (channels, 1, taps) -> (taps, channels).
std::vector<float> turned(const std::vector<float>& from, std::size_t channels, std::size_t taps) {
  std::vector<float> to(from.size());
  for (std::size_t j = 0; j < channels; ++j)
    for (std::size_t k = 0; k < taps; ++k) to[k * channels + j] = from[j * taps + k];
  return to;
}

}  // namespace

MambaModel::MambaModel(const MambaSpec& spec, const ModelOptions& options, nn::Precision precision)
    : spec_(spec), options_(options), projections_(options.backend, precision, options.max_rows) {
  info_.architecture = "mamba";
  info_.width = spec.width;
  info_.blocks = spec.blocks;
  info_.heads = 1;
  info_.precision = precision;
  info_.session_bytes = spec.blocks * block_bytes();
  info_.sinusoid = false;
}

std::uint64_t MambaModel::block_bytes() const noexcept {
  const std::uint64_t states = nn::scan_tiles(channels()) * nn::kScanTile * spec_.d_state;
  return whole_lines((window_size() + states) * sizeof(float));
}

float* MambaModel::memory_of(const Segment& segment, std::size_t block) const noexcept {
  return reinterpret_cast<float*>(segment.memory + block * block_bytes());
}

Result<void> MambaModel::check(const MambaSpec& spec) {
  if (spec.width == 0 || spec.blocks == 0 || spec.d_state == 0 || spec.d_conv == 0 ||
      spec.expand == 0 || spec.dt_rank == 0) {
    return refusal(std::to_string(spec.blocks) + " blocks of width " + std::to_string(spec.width) +
                   ", d_state " + std::to_string(spec.d_state) + ", d_conv " +
                   std::to_string(spec.d_conv) + ", expand " + std::to_string(spec.expand) +
                   ", dt_rank " + std::to_string(spec.dt_rank) + "; expected at least 1 of each");
  }
  if (std::uint64_t{spec.expand} * spec.width > kMostChannels) {
    return refusal("expand " + std::to_string(spec.expand) + " of width " +
                   std::to_string(spec.width) + "; expected at most " +
                   std::to_string(kMostChannels) + " channels");
  }
  return {};
}

Result<std::unique_ptr<TrunkModel>> MambaModel::create(const MambaSpec& wanted,
                                                       std::span<const nn::StoredTensor> weights,
                                                       const ModelOptions& options) {
  MambaSpec spec = wanted;
  if (spec.dt_rank == 0) spec.dt_rank = (spec.width + 15) / 16;
  if (auto good = check(spec); !good) return std::move(good).error();
  if (auto good = check_options(kOwner, options); !good) return std::move(good).error();
  nn::StoredWeights reader(kOwner, weights);
  const std::uint32_t width = spec.width, channels = spec.expand * width, states = spec.d_state,
                      rank = spec.dt_rank, taps = spec.d_conv;
  struct Given {
    nn::StoredMatrix in, x, out;
    std::vector<float> in_bias, out_bias;
  };
  std::vector<Given> given;
  std::vector<Block> blocks;
  for (std::uint32_t i = 0; i < spec.blocks && reader.ok(); ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".", mixer = layer + "mixer.";
    Block& block = blocks.emplace_back();
    Given& from = given.emplace_back();
    block.norm = reader.take(layer + "norm.weight", {width});
    from.in = reader.matrix(mixer + "in_proj.weight", 2 * channels, width);
    from.x = reader.matrix(mixer + "x_proj.weight", rank + 2 * states, channels);
    from.out = reader.matrix(mixer + "out_proj.weight", width, channels);
    if (spec.bias) {
      from.in_bias = reader.take(mixer + "in_proj.bias", {2 * channels});
      from.out_bias = reader.take(mixer + "out_proj.bias", {width});
    }
    block.conv_weight = reader.take(mixer + "conv1d.weight", {channels, 1, taps});
    if (spec.conv_bias) block.conv_bias = reader.take(mixer + "conv1d.bias", {channels});
    block.dt_weight = reader.take(mixer + "dt_proj.weight", {channels, rank});
    block.dt_bias = reader.take(mixer + "dt_proj.bias", {channels});
    block.a = reader.take(mixer + "A_log", {channels, states});
    block.skip = reader.take(mixer + "D", {channels});
  }
  auto last_norm = reader.take("norm_f.weight", {width});
  if (auto taken = reader.finish(); !taken) return std::move(taken).error();

  const auto chosen = nn::choose_precision(options.backend, options.precision);
  std::unique_ptr<MambaModel> model(new MambaModel(spec, options, chosen.precision));
  std::uint64_t numbers = width;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Block& to = blocks[i];
    const auto make = [&](nn::Projection& projection, const nn::StoredMatrix& weight,
                          std::span<const float> bias, nn::Epilogue epilogue) -> Result<void> {
      auto made = model->projections_.make({&weight, 1}, bias, epilogue);
      if (!made) return Error{made.error().code, kOwner + (": " + made.error().message)};
      projection = std::move(*made);
      return {};
    };
    const Given& from = given[i];
    if (auto made = make(to.in_proj, from.in, from.in_bias, nn::Epilogue::none); !made)
      return std::move(made).error();
    if (auto made = make(to.x_proj, from.x, {}, nn::Epilogue::none); !made)
      return std::move(made).error();
    if (auto made = make(to.out_proj, from.out, from.out_bias, nn::Epilogue::add); !made)
      return std::move(made).error();
    // For powers of two instead of e.
    for (float& a : to.a) a = static_cast<float>(-std::exp(double{a}) * std::numbers::log2e);
    to.a = in_tiles(to.a, channels, states);
    to.dt_weight = in_tiles(to.dt_weight, channels, rank);
    to.dt_bias = in_tiles(to.dt_bias, channels, 1);
    to.skip = in_tiles(to.skip, channels, 1);
    to.conv_weight = turned(to.conv_weight, channels, taps);
    to.conv_bias.resize(channels);
    for (const auto* small :
         {&to.norm, &to.a, &to.dt_weight, &to.dt_bias, &to.skip, &to.conv_weight, &to.conv_bias})
      numbers += small->size();
  }
  model->blocks_ = std::move(blocks);
  model->last_norm_ = std::move(last_norm);
  model->make_buffers();
  model->info_.weight_bytes = model->projections_.weight_bytes() + numbers * sizeof(float);
  model->info_.chosen = describe(chosen, model->projections_, options);
  return std::unique_ptr<TrunkModel>(std::move(model));
}

void MambaModel::make_buffers() {
  const std::size_t rows = projections_.buffer_rows();
  x_.resize(rows * spec_.width);
  normed_.resize(rows * spec_.width);
  xz_.resize(rows * 2 * channels());
  mixed_.resize(rows * channels());
  low_.resize(rows * low_width());
}

void MambaModel::begin(std::byte* memory) const noexcept {
  std::memset(memory, 0, info_.session_bytes);
}

Status MambaModel::forward(std::span<const Segment> segments, float* rows) noexcept {
  if (const Status good = count_rows(segments, options_.max_rows, rows_); !good.ok()) return good;
  if (rows_ == 0) return {};
  const std::size_t size = std::size_t{rows_} * spec_.width;
  // The padding starts each time from zero: what grows in it over the blocks must stay small.
  std::memcpy(x_.data(), rows, size * sizeof(float));
  std::fill(x_.data() + size, x_.data() + nn::padded_rows(rows_) * std::size_t{spec_.width}, 0.0f);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    if (const Status done = run_block(i, segments); !done.ok()) return done;
  nn::kernels().rms_norm(x_.data(), rows_, spec_.width, last_norm_.data(), spec_.norm_epsilon,
                         rows);
  return {};
}

Status MambaModel::run_block(std::size_t index, std::span<const Segment> segments) noexcept {
  const nn::Kernels& k = nn::kernels();
  const Block& block = blocks_[index];
  const std::size_t channels = this->channels();
  k.rms_norm(x_.data(), rows_, spec_.width, block.norm.data(), spec_.norm_epsilon, normed_.data());
  if (const Status done = block.in_proj.run(normed_.data(), rows_, xz_.data()); !done.ok())
    return done;
  for (const Segment& segment : segments) {
    k.causal_conv({.x = xz_.data() + segment.first_row * 2 * channels,
                   .x_stride = 2 * channels,
                   .rows = segment.rows,
                   .channels = channels,
                   .taps = spec_.d_conv,
                   .weight = block.conv_weight.data(),
                   .bias = block.conv_bias.data(),
                   .window = memory_of(segment, index),
                   .y = mixed_.data() + segment.first_row * channels});
  }
  if (const Status done = block.x_proj.run(mixed_.data(), rows_, low_.data()); !done.ok())
    return done;
  for (const Segment& segment : segments) {
    float* mixed = mixed_.data() + segment.first_row * channels;
    k.selective_scan({.x = mixed,
                      .z = xz_.data() + segment.first_row * 2 * channels + channels,
                      .z_stride = 2 * channels,
                      .low = low_.data() + std::size_t{segment.first_row} * low_width(),
                      .rows = segment.rows,
                      .channels = channels,
                      .states = spec_.d_state,
                      .rank = spec_.dt_rank,
                      .dt_weight = block.dt_weight.data(),
                      .dt_bias = block.dt_bias.data(),
                      .a = block.a.data(),
                      .skip = block.skip.data(),
                      .state = memory_of(segment, index) + window_size(),
                      .y = mixed});
  }
  return block.out_proj.run(mixed_.data(), rows_, x_.data());
}

Result<std::unique_ptr<TrunkModel>> load_mamba(const Checkpoint& checkpoint,
                                               const ModelOptions& options) {
  const nn::TrunkShape& shape = checkpoint.shape;
  if (shape.heads != 1)
    return checkpoint.error(refusal("metadata 'num_heads' is " + std::to_string(shape.heads) +
                                    ", expected 1: it has none"));
  const auto parameters = nn::views(shape.hyper_parameters);
  nn::ParameterReader reader(kOwner, parameters);
  MambaSpec spec{.width = shape.width, .blocks = shape.blocks};
  spec.d_state = reader.count("d_state", spec.d_state, 1, 4096);
  spec.d_conv = reader.count("d_conv", spec.d_conv, 1, 4096);
  spec.expand = reader.count("expand", spec.expand, 1, 64);
  spec.dt_rank = reader.count("dt_rank", (shape.width + 15) / 16);
  spec.bias = reader.boolean("bias", spec.bias);
  spec.conv_bias = reader.boolean("conv_bias", spec.conv_bias);
  spec.norm_epsilon = static_cast<float>(reader.number("norm_epsilon", 1e-5, 1e-12, 1));
  if (auto read = reader.finish(); !read) return checkpoint.error(read.error());
  auto made = MambaModel::create(spec, checkpoint.weights, options);
  if (!made) return checkpoint.error(made.error());
  return made;
}

}  // namespace cambium::trunk
