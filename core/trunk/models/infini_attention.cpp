#include "core/trunk/models/infini_attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/nn/kernels.hpp"
#include "core/nn/rotary.hpp"
#include "core/trunk/models/remembering.hpp"

namespace cambium::trunk {
namespace {

constexpr std::uint32_t kPiece = 16;             // tokens that share one look at the keys
constexpr std::uint32_t kMaxSegment = 1U << 20;  // tokens
constexpr float kLeast = 1e-6f;                  // that a memory's answer is divided by

}  // namespace

std::string InfiniAttention::problem(const InfiniAttentionSpec& spec) {
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  if (spec.width == 0 || spec.heads == 0 || spec.dim_key == 0 || spec.dim_value == 0)
    return number(spec.heads) + " heads with keys of " + number(spec.dim_key) + " and values of " +
           number(spec.dim_value) + " for rows of " + number(spec.width) +
           "; expected at least one of each";
  if (spec.rope && spec.dim_key % 2 != 0)
    return "'dim_key' is " + number(spec.dim_key) +
           "; expected an even number, because rotary positions turn pairs";
  if (spec.rope && !(spec.rope_base >= 1))
    return "'rope_base' is " + std::to_string(spec.rope_base) + "; expected at least 1";
  if (spec.segment_len == 0 || spec.segment_len > kMaxSegment)
    return "'segment_len' is " + number(spec.segment_len) + "; expected 1 to " +
           number(kMaxSegment);
  return {};
}

InfiniAttention::Given InfiniAttention::take(const InfiniAttentionSpec& spec,
                                             const std::string& prefix,
                                             std::span<const nn::StoredTensor> tensors,
                                             nn::StoredWeights& weights) {
  const std::uint64_t keys = std::uint64_t{spec.heads} * spec.dim_key,
                      values = std::uint64_t{spec.heads} * spec.dim_value;
  Given given = {.q = weights.matrix(prefix + "proj_q.weight", keys, spec.width),
                 .k = weights.matrix(prefix + "proj_k.weight", keys, spec.width),
                 .v = weights.matrix(prefix + "proj_v.weight", values, spec.width),
                 .out = weights.matrix(prefix + "proj_out.weight", spec.width, values),
                 .betas = {}};
  // One for each head, or for each number of a head.
  const auto found = std::ranges::find(tensors, prefix + "betas", &nn::StoredTensor::name);
  const bool each = found != tensors.end() && !found->shape.empty() && found->shape.back() != 1;
  given.betas = weights.take(prefix + "betas", {1, spec.heads, 1, each ? spec.dim_value : 1});
  return given;
}

InfiniAttention::InfiniAttention(const InfiniAttentionSpec& spec, nn::Projections& projections)
    : spec_(spec) {
  const std::size_t rows = projections.buffer_rows();
  qkv_.resize(rows * qkv_columns());
  mixed_.resize(rows * v_columns());
  local_q_.resize(kPiece * spec.dim_key);
  local_k_.resize(spec.dim_key);
  features_.resize(2 * kPiece * spec.dim_key);
  recalled_.resize(2 * kPiece * memory_width());
  scratch_.resize(nn::cached_attention_scratch(kPiece, spec.dim_value));
  if (!spec.rope) return;
  // Positions begin anew with each segment: only differences within one matter.
  const nn::Rotary rotary(spec.dim_key, spec.rope_base);
  turns_.resize(std::size_t{spec.segment_len} * spec.dim_key);
  for (std::size_t p = 0; p < spec.segment_len; ++p)
    rotary.turn(p, turns_.data() + p * spec.dim_key);
}

Result<InfiniAttention::Layer> InfiniAttention::make(const Given& given,
                                                     nn::Projections& projections) const {
  Layer layer;
  const nn::StoredMatrix qkv[] = {given.q, given.k, given.v};
  auto in = projections.make(qkv, {});
  if (!in) return std::move(in).error();
  auto out = projections.make({&given.out, 1}, {}, nn::Epilogue::add);
  if (!out) return std::move(out).error();
  layer.qkv = std::move(*in);
  layer.out = std::move(*out);
  const std::size_t repeats = v_columns() / given.betas.size();
  for (const float beta : given.betas)
    layer.gate.insert(layer.gate.end(), repeats, 1.0f / (1.0f + std::exp(-beta)));
  return layer;
}

std::size_t InfiniAttention::memory_width() const noexcept {
  return nn::cached_value_width(spec_.dim_value + 1);
}

std::size_t InfiniAttention::slots() const noexcept {
  return (spec_.segment_len + nn::kCachedBlock - 1) / nn::kCachedBlock * nn::kCachedBlock;
}

std::size_t InfiniAttention::head_floats() const noexcept {
  return 2 * memory_floats() + slots() * (spec_.dim_key + nn::cached_value_width(spec_.dim_value));
}

std::uint64_t InfiniAttention::state_bytes() const noexcept {
  return std::uint64_t{spec_.heads} * head_floats() * sizeof(float);
}

InfiniAttention::State InfiniAttention::state_of(std::byte* state,
                                                 std::uint32_t head) const noexcept {
  float* const memory = reinterpret_cast<float*>(state) + head * head_floats();
  float *const pending = memory + memory_floats(), *const keys = pending + memory_floats();
  return {memory, pending, keys, keys + slots() * spec_.dim_key};
}

void InfiniAttention::begin(std::byte* state) const noexcept {
  for (std::uint32_t head = 0; head < spec_.heads; ++head)
    std::memset(state_of(state, head).memory, 0, 2 * memory_floats() * sizeof(float));
}

Status InfiniAttention::run(const Layer& layer, std::span<const Segment> segments,
                            std::size_t offset, std::uint32_t count, const float* normed,
                            float* x) noexcept {
  if (const Status done = layer.qkv.run(normed, count, qkv_.data()); !done.ok()) return done;
  for (const auto& segment : segments) {
    const std::uint64_t seen = tokens_seen(segment.memory);
    Piece piece;
    for (std::uint32_t done = 0; done < segment.rows; done += piece.rows) {
      piece.row = segment.first_row + done;
      piece.at = static_cast<std::uint32_t>((seen + done) % spec_.segment_len);
      piece.rows = std::min({segment.rows - done, spec_.segment_len - piece.at, kPiece});
      for (std::uint32_t head = 0; head < spec_.heads; ++head) {
        const State state = state_of(segment.memory + offset, head);
        attend(piece, head, state);
        recall(layer, piece, head, state);
        if (piece.at + piece.rows < spec_.segment_len) continue;
        nn::kernels().add(state.pending, memory_floats(), state.memory);
        std::memset(state.pending, 0, memory_floats() * sizeof(float));
      }
    }
  }
  return layer.out.run(mixed_.data(), count, x);
}

void InfiniAttention::attend(const Piece& piece, std::uint32_t head, const State& state) noexcept {
  const auto& kernels = nn::kernels();
  const std::size_t dim = spec_.dim_key;
  std::array<std::uint32_t, kPiece> first{}, last{};
  for (std::uint32_t i = 0; i < piece.rows; ++i) {
    const std::uint32_t at = piece.at + i;
    const float* const q = qkv_.data() + (piece.row + i) * qkv_columns() + head * dim;
    const float *const k = q + k_columns(), *const v = qkv_.data() +
                                                       (piece.row + i) * qkv_columns() +
                                                       2 * k_columns() + head * spec_.dim_value;
    float* const local_q = local_q_.data() + i * dim;
    if (spec_.rope) {
      const float* const turn = turns_.data() + at * dim;
      kernels.rotate(q, 1, dim, turn, local_q);
      kernels.rotate(k, 1, dim, turn, local_k_.data());
    } else {
      std::copy_n(q, dim, local_q);
      std::copy_n(k, dim, local_k_.data());
    }
    kernels.remember_key(local_k_.data(), dim, at, state.keys);
    kernels.remember_value(v, spec_.dim_value, at, state.values);
    last[i] = at + 1;
  }
  const nn::CachedRun run = {.q = local_q_.data(),
                             .q_stride = dim,
                             .keys = state.keys,
                             .values = state.values,
                             .slots = nn::cached_value_width(piece.at + piece.rows),
                             .first = first.data(),
                             .last = last.data()};
  kernels.cached_attention({.runs = &run,
                            .run_count = 1,
                            .tokens = piece.rows,
                            .group = 1,
                            .dim = dim,
                            .value_dim = spec_.dim_value,
                            .scale = 1.0f / std::sqrt(static_cast<float>(dim)),
                            .out = mixed_.data() + piece.row * v_columns() + head * spec_.dim_value,
                            .out_stride = v_columns(),
                            .scratch = scratch_.data()});
}

void InfiniAttention::recall(const Layer& layer, const Piece& piece, std::uint32_t head,
                             const State& state) noexcept {
  const auto& kernels = nn::kernels();
  const std::size_t dim = spec_.dim_key, values = spec_.dim_value, width = memory_width(),
                    rows = piece.rows;
  float *const of_q = features_.data(), *const of_k = of_q + rows * dim;
  for (std::size_t i = 0; i < rows; ++i) {
    const float* const q = qkv_.data() + (piece.row + i) * qkv_columns() + head * dim;
    std::copy_n(q, dim, of_q + i * dim);
    std::copy_n(q + k_columns(), dim, of_k + i * dim);
  }
  kernels.elu_plus_one(of_q, 2 * rows * dim);
  const bool delta = spec_.rule == MemoryRule::delta;
  kernels.read_state(of_q, (delta ? 2 : 1) * rows, dim, state.memory, width, recalled_.data());

  const float* const gate = layer.gate.data() + head * values;
  float* const known =
      recalled_.data() + rows * width;  // what it says of the keys; then what to add
  for (std::size_t i = 0; i < rows; ++i) {
    const float* const answer = recalled_.data() + i * width;
    const float inverse = 1.0f / std::max(answer[values], kLeast);
    float* const mixed = mixed_.data() + (piece.row + i) * v_columns() + head * values;
    for (std::size_t d = 0; d < values; ++d)
      mixed[d] = gate[d] * (answer[d] * inverse) + (1.0f - gate[d]) * mixed[d];

    const float* const v =
        qkv_.data() + (piece.row + i) * qkv_columns() + 2 * k_columns() + head * values;
    float* const add = known + i * width;
    if (delta) {
      const float of_known = 1.0f / std::max(add[values], kLeast);
      for (std::size_t d = 0; d < values; ++d) add[d] = v[d] - add[d] * of_known;
    } else {
      std::copy_n(v, values, add);
    }
    add[values] = 1;  // the normaliser sums the keys themselves
    std::fill(add + values + 1, add + width, 0.0f);
  }
  kernels.add_to_state(of_k, known, rows, dim, width, state.pending);
}

}  // namespace cambium::trunk
