#include "core/trunk/models/retnet_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "core/nn/kernels.hpp"
#include "core/nn/parameters.hpp"
#include "core/trunk/models/checkpoint.hpp"
#include "core/trunk/models/remembering.hpp"

namespace cambium::trunk {
namespace {

const char kOwner[] = "trunk 'retnet'";

/// 1 + gamma + … + gamma^(count - 1).
double sum_of_powers(double log_gamma, double count) noexcept {
  return log_gamma == 0 ? count : std::expm1(count * log_gamma) / std::expm1(log_gamma);
}

Error refusal(std::string what) {
  return {Code::incompatible, std::string(kOwner) + ": " + std::move(what)};
}

}  // namespace

RetnetModel::RetnetModel(const RetnetSpec& spec, const ModelOptions& options,
                         nn::Precision precision)
    : spec_(spec), options_(options), projections_(options.backend, precision, options.max_rows) {
  info_.architecture = "retnet";
  info_.width = spec.width;
  info_.blocks = spec.blocks;
  info_.heads = spec.heads;
  info_.precision = precision;
  info_.session_bytes = whole_lines(kMemoryHeader + spec.blocks * state_size() * sizeof(float));
  info_.sinusoid = false;
}

Result<void> RetnetModel::check(const RetnetSpec& spec) {
  if (spec.width == 0 || spec.blocks == 0 || spec.heads == 0 || spec.value_dim == 0 ||
      spec.ffn_dim == 0 || spec.chunk == 0) {
    return refusal(std::to_string(spec.blocks) + " blocks of width " + std::to_string(spec.width) +
                   " with " + std::to_string(spec.heads) + " heads, value_dim " +
                   std::to_string(spec.value_dim) + ", ffn_dim " + std::to_string(spec.ffn_dim) +
                   ", chunk " + std::to_string(spec.chunk) + "; expected at least 1 of each");
  }
  if (spec.width % (2 * spec.heads) != 0) {
    return refusal("width " + std::to_string(spec.width) + " for " + std::to_string(spec.heads) +
                   " heads; expected an even number of keys for each head");
  }
  if (spec.value_dim % spec.heads != 0) {
    return refusal("value_dim " + std::to_string(spec.value_dim) + " for " +
                   std::to_string(spec.heads) + " heads; expected a multiple of the heads");
  }
  return {};
}

Result<std::unique_ptr<TrunkModel>> RetnetModel::create(const RetnetSpec& spec,
                                                        std::span<const nn::StoredTensor> weights,
                                                        const ModelOptions& options) {
  if (auto good = check(spec); !good) return std::move(good).error();
  if (auto good = check_options(kOwner, options); !good) return std::move(good).error();
  nn::StoredWeights reader(kOwner, weights);
  const std::uint32_t width = spec.width, value = spec.value_dim, ffn = spec.ffn_dim;
  struct Given {
    nn::StoredMatrix q, k, v, g, out, fc1, gate, fc2;
  };
  std::vector<Given> given;
  std::vector<Block> blocks;
  for (std::uint32_t i = 0; i < spec.blocks && reader.ok(); ++i) {
    const std::string name = "layers." + std::to_string(i) + ".";
    Block& block = blocks.emplace_back();
    block.retention_norm = reader.take(name + "retention_layer_norm.weight", {width});
    block.ffn_norm = reader.take(name + "final_layer_norm.weight", {width});
    const auto matrix = [&](const char* of, std::uint32_t out, std::uint32_t in) {
      return reader.matrix(name + of + ".weight", out, in);
    };
    given.push_back({.q = matrix("retention.q_proj", width, width),
                     .k = matrix("retention.k_proj", width, width),
                     .v = matrix("retention.v_proj", value, width),
                     .g = matrix("retention.g_proj", value, width),
                     .out = matrix("retention.out_proj", width, value),
                     .fc1 = matrix("ffn.fc1", ffn, width),
                     .gate = matrix("ffn.gate", ffn, width),
                     .fc2 = matrix("ffn.fc2", width, ffn)});
  }
  auto last_norm = reader.take("layer_norm.weight", {width});
  const auto angles = reader.take("retnet_rel_pos.angle", {width / spec.heads});
  const auto decays = reader.take("retnet_rel_pos.decay", {spec.heads});
  if (auto taken = reader.finish(); !taken) return std::move(taken).error();
  for (std::size_t i = 0; i < angles.size(); i += 2) {
    if (std::isfinite(angles[i]) && angles[i] == angles[i + 1]) continue;
    return refusal("tensor 'retnet_rel_pos.angle' holds " + std::to_string(angles[i]) + " and " +
                   std::to_string(angles[i + 1]) + " at numbers " + std::to_string(i) + " and " +
                   std::to_string(i + 1) + ", expected the same twice");
  }
  for (const float decay : decays) {
    if (decay <= 0 && std::isfinite(decay)) continue;
    return refusal("tensor 'retnet_rel_pos.decay' holds " + std::to_string(decay) +
                   ", expected logarithms of decays, at most 0");
  }

  const auto chosen = nn::choose_precision(options.backend, options.precision);
  std::unique_ptr<RetnetModel> model(new RetnetModel(spec, options, chosen.precision));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto make = [&](nn::Projection& to, std::initializer_list<nn::StoredMatrix> stacked,
                          nn::Epilogue epilogue) -> Result<void> {
      auto made = model->projections_.make({stacked.begin(), stacked.size()}, {}, epilogue);
      if (!made) return Error{made.error().code, kOwner + (": " + made.error().message)};
      to = std::move(*made);
      return {};
    };
    const Given& from = given[i];
    Block& to = blocks[i];
    const auto none = nn::Epilogue::none, add = nn::Epilogue::add;
    if (auto made = make(to.qkvg, {from.q, from.k, from.v, from.g}, none); !made)
      return std::move(made).error();
    if (auto made = make(to.out, {from.out}, add); !made) return std::move(made).error();
    if (auto made = make(to.fc1_and_gate, {from.fc1, from.gate}, none); !made)
      return std::move(made).error();
    if (auto made = make(to.fc2, {from.fc2}, add); !made) return std::move(made).error();
  }
  model->blocks_ = std::move(blocks);
  model->last_norm_ = std::move(last_norm);
  for (std::size_t i = 0; i < angles.size(); i += 2) model->turns_.push_back(angles[i]);
  model->make_tables(decays);
  model->make_buffers();
  model->info_.weight_bytes = model->projections_.weight_bytes() +
                              (2 * spec.blocks + 1) * std::uint64_t{width} * sizeof(float);
  model->info_.chosen = describe(chosen, model->projections_, options);
  return std::unique_ptr<TrunkModel>(std::move(model));
}

std::uint32_t RetnetModel::step() const noexcept {
  return spec_.form == RetentionForm::parallel ? options_.max_rows
                                               : std::min(spec_.chunk, options_.max_rows);
}

void RetnetModel::make_tables(std::span<const float> log_gammas) {
  for (const float log_gamma : log_gammas) {
    log_gammas_.push_back(log_gamma);
    for (std::uint32_t i = 0; i <= step(); ++i) {
      const double power = std::exp(i * double{log_gamma});
      powers_.push_back(power < nn::kGrain ? 0.0f : static_cast<float>(power));
    }
    if (spec_.form == RetentionForm::chunkwise)
      state_scales_.push_back(static_cast<float>(1 / sum_of_powers(log_gamma, spec_.chunk)));
  }
}

void RetnetModel::make_buffers() {
  const std::size_t rows = projections_.buffer_rows();
  x_.resize(rows * spec_.width);
  normed_.resize(rows * spec_.width);
  qkvg_.resize(rows * row_width());
  mixed_.resize(rows * spec_.value_dim);
  ffn_.resize(rows * 2 * spec_.ffn_dim);
  hidden_.resize(rows * spec_.ffn_dim);
  cosine_.resize(rows * turns_.size());
  sine_.resize(rows * turns_.size());
  scales_.resize(rows * spec_.heads);
  scratch_.resize(nn::retention_scratch(key_dim()));
}

void RetnetModel::begin(std::byte* memory) const noexcept {
  std::memset(memory, 0, info_.session_bytes);
}

Status RetnetModel::forward(std::span<const Segment> segments, float* rows) noexcept {
  if (const Status good = count_rows(segments, options_.max_rows, rows_); !good.ok()) return good;
  if (rows_ == 0) return {};
  const std::size_t size = std::size_t{rows_} * spec_.width;
  // The padding starts each time from zero: what grows in it over the blocks must stay small.
  std::memcpy(x_.data(), rows, size * sizeof(float));
  std::fill(x_.data() + size, x_.data() + nn::padded_rows(rows_) * std::size_t{spec_.width}, 0.0f);
  for (const Segment& segment : segments) place(segment);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    if (const Status done = run_block(i, segments); !done.ok()) return done;
  nn::kernels().rms_norm(x_.data(), rows_, spec_.width, last_norm_.data(), spec_.eps, rows);
  for (const Segment& segment : segments) add_tokens(segment.memory, segment.rows);
  return {};
}

// In double: after 10^9 tokens an angle in float would be off by whole turns.
void RetnetModel::place(const Segment& segment) noexcept {
  const auto before = static_cast<double>(tokens_seen(segment.memory));
  const std::size_t pairs = turns_.size();
  for (std::uint32_t i = 0; i < segment.rows; ++i) {
    const std::size_t row = segment.first_row + i;
    for (std::size_t j = 0; j < pairs; ++j) {
      const double angle = (before + i) * turns_[j];
      cosine_[row * pairs + j] = static_cast<float>(std::cos(angle));
      sine_[row * pairs + j] = static_cast<float>(std::sin(angle));
    }
    const double seen = spec_.form == RetentionForm::chunkwise ? i % step() : before + i;
    for (std::size_t h = 0; h < spec_.heads; ++h)
      scales_[row * spec_.heads + h] =
          static_cast<float>(1 / std::sqrt(sum_of_powers(log_gammas_[h], seen + 1)));
  }
}

Status RetnetModel::run_block(std::size_t index, std::span<const Segment> segments) noexcept {
  const nn::Kernels& k = nn::kernels();
  const Block& block = blocks_[index];
  const std::size_t width = spec_.width, value = spec_.value_dim, ffn = spec_.ffn_dim;
  k.rms_norm(x_.data(), rows_, width, block.retention_norm.data(), spec_.eps, normed_.data());
  if (const Status done = block.qkvg.run(normed_.data(), rows_, qkvg_.data()); !done.ok())
    return done;
  for (const Segment& segment : segments) retain(index, segment);
  // Each head of each row is a row of its own.
  k.rms_norm(mixed_.data(), rows_ * spec_.heads, value / spec_.heads, nullptr, spec_.eps,
             mixed_.data());
  for (std::size_t r = 0; r < rows_; ++r)
    k.silu_times(qkvg_.data() + r * row_width() + 2 * width + value, value,
                 mixed_.data() + r * value);
  if (const Status done = block.out.run(mixed_.data(), rows_, x_.data()); !done.ok()) return done;

  k.rms_norm(x_.data(), rows_, width, block.ffn_norm.data(), spec_.eps, normed_.data());
  if (const Status done = block.fc1_and_gate.run(normed_.data(), rows_, ffn_.data()); !done.ok())
    return done;
  for (std::size_t r = 0; r < rows_; ++r) {
    const float* fc1 = ffn_.data() + r * 2 * ffn;
    float* hidden = hidden_.data() + r * ffn;
    std::memcpy(hidden, fc1 + ffn, ffn * sizeof(float));
    (spec_.swish ? k.silu_times : k.gelu_times)(fc1, ffn, hidden);
  }
  return block.fc2.run(hidden_.data(), rows_, x_.data());
}

void RetnetModel::retain(std::size_t index, const Segment& segment) noexcept {
  const nn::Kernels& kernels = nn::kernels();
  const std::size_t width = spec_.width, pairs = turns_.size();
  const float size = 1 / std::sqrt(static_cast<float>(key_dim()));
  float* state = reinterpret_cast<float*>(segment.memory + kMemoryHeader) + index * state_size();
  const bool recurrent = spec_.form == RetentionForm::recurrent;
  for (std::uint32_t at = 0; at < segment.rows; at += step()) {
    const std::uint32_t rows = std::min(step(), segment.rows - at);
    const std::size_t first = segment.first_row + at;
    float* qkvg = qkvg_.data() + first * row_width();
    for (std::size_t r = 0; r < rows; ++r) {
      const float *cosine = cosine_.data() + (first + r) * pairs,
                  *sine = sine_.data() + (first + r) * pairs;
      float* row = qkvg + r * row_width();
      kernels.rotate_pairs(row, spec_.heads, pairs, cosine, sine, 1);
      kernels.rotate_pairs(row + width, spec_.heads, pairs, cosine, sine, size);
    }
    const bool chunkwise = spec_.form == RetentionForm::chunkwise;
    kernels.retention({.q = qkvg,
                       .k = qkvg + width,
                       .v = qkvg + 2 * width,
                       .stride = row_width(),
                       .rows = rows,
                       .heads = spec_.heads,
                       .key_dim = key_dim(),
                       .value_dim = spec_.value_dim / spec_.heads,
                       .powers = powers_.data(),
                       .powers_stride = std::size_t{step()} + 1,
                       .scales = scales_.data() + first * spec_.heads,
                       .least = 1,
                       // The original's bounds.
                       .most = recurrent   ? 1
                               : chunkwise ? std::numeric_limits<float>::max()
                                           : 5e4f,
                       .state_scales = chunkwise ? state_scales_.data() : nullptr,
                       .state = state,
                       .out = mixed_.data() + first * spec_.value_dim,
                       .scratch = scratch_.data()});
  }
}

Result<std::unique_ptr<TrunkModel>> load_retnet(const Checkpoint& checkpoint,
                                                const ModelOptions& options) {
  const nn::TrunkShape& shape = checkpoint.shape;
  const auto parameters = nn::views(shape.hyper_parameters);
  nn::ParameterReader reader(kOwner, parameters);
  RetnetSpec spec{.width = shape.width, .blocks = shape.blocks, .heads = shape.heads};
  spec.value_dim = reader.count("value_dim", 2 * shape.width);
  spec.ffn_dim = reader.count("ffn_dim", 2 * shape.width);
  spec.swish = reader.word("activation", "gelu", {"gelu", "swish"}) == "swish";
  spec.eps = static_cast<float>(reader.number("layernorm_eps", 1e-6, 1e-12, 1));
  spec.chunk = reader.count("chunk", spec.chunk);
  const std::string form = reader.word("form", "recurrent", {"recurrent", "chunkwise", "parallel"});
  if (form == "chunkwise") spec.form = RetentionForm::chunkwise;
  if (form == "parallel") spec.form = RetentionForm::parallel;
  if (auto read = reader.finish(); !read) return checkpoint.error(read.error());
  auto made = RetnetModel::create(spec, checkpoint.weights, options);
  if (!made) return checkpoint.error(made.error());
  return made;
}

}  // namespace cambium::trunk
