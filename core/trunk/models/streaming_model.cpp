#include "core/trunk/models/streaming_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "core/nn/kernels.hpp"
#include "core/nn/parameters.hpp"
#include "core/trunk/models/checkpoint.hpp"
#include "core/trunk/models/remembering.hpp"

namespace cambium::trunk {
namespace {

constexpr const char kOwner[] = "trunk 'streaming'";
constexpr std::uint32_t kMaxWindow = 1U << 30;     // tokens
constexpr std::uint64_t kMaxSession = 1ULL << 46;  // [B], what a process can address

// Floats of one kv head of one block.
std::size_t key_floats(const StreamingSpec& spec) noexcept {
  return spec.window.slots() * spec.head_dim;
}
std::size_t value_floats(const StreamingSpec& spec) noexcept {
  return spec.window.slots() * nn::cached_value_width(spec.head_dim);
}

Error impossible(const std::string& what) {
  return {Code::incompatible, std::string(kOwner) + ": " + what};
}

Result<void> check(const StreamingSpec& spec, const ModelOptions& options) {
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  const LlamaSpec& llama = spec.llama;
  if (llama.width == 0 || llama.blocks == 0 || llama.hidden == 0 || spec.heads == 0)
    return impossible(number(llama.blocks) + " blocks of width " + number(llama.width) + " with " +
                      number(spec.heads) + " heads and an MLP of " + number(llama.hidden) +
                      "; expected at least one of each");
  if (spec.kv_heads == 0 || spec.heads % spec.kv_heads != 0)
    return impossible("'num_heads' is " + number(spec.heads) + " and 'num_kv_heads' " +
                      number(spec.kv_heads) + "; expected a multiple of it");
  if (spec.head_dim == 0 || spec.head_dim % 2 != 0)
    return impossible("'head_dim' is " + number(spec.head_dim) +
                      "; expected an even number, because rotary positions turn pairs");
  if (!(spec.rope_theta >= 1))
    return impossible("'rope_theta' is " + std::to_string(spec.rope_theta) +
                      "; expected at least 1");
  if (spec.window.recent == 0 || spec.window.recent > kMaxWindow || spec.window.start > kMaxWindow)
    return impossible("'start_size' is " + number(spec.window.start) + " and 'recent_size' " +
                      number(spec.window.recent) + "; expected at most " + number(kMaxWindow) +
                      ", and at least 1 recent token");
  if (options.max_rows == 0)
    return Error{Code::bad_argument,
                 std::string(kOwner) + ": at most 0 rows; expected at least one"};
  const long double bytes = static_cast<long double>(key_floats(spec) + value_floats(spec)) *
                            sizeof(float) * llama.blocks * spec.kv_heads;
  if (bytes > kMaxSession)
    return impossible("a window of " + number(spec.window.slots()) + " tokens would take " +
                      number(static_cast<std::uint64_t>(bytes / (1ULL << 40))) +
                      " TiB of each robot; expected at most " + number(kMaxSession / (1ULL << 40)));
  return {};
}

}  // namespace

struct StreamingModel::Given {
  LlamaStack::Given llama;
  struct Block {
    nn::StoredMatrix q, k, v, out;
  };
  std::vector<Block> blocks;
};

StreamingModel::StreamingModel(const StreamingSpec& spec, const ModelOptions& options)
    : spec_(spec), options_(options), rotary_(spec.head_dim, spec.rope_theta) {}

Result<std::unique_ptr<TrunkModel>> StreamingModel::create(
    const StreamingSpec& spec, std::span<const nn::StoredTensor> weights,
    const ModelOptions& options) {
  if (auto checked = check(spec, options); !checked) return std::move(checked).error();
  nn::StoredWeights reader(kOwner, weights);
  const std::uint32_t width = spec.llama.width, q = spec.heads * spec.head_dim,
                      kv = spec.kv_heads * spec.head_dim;
  Given given;
  given.llama = LlamaStack::take(spec.llama, reader);
  for (std::uint32_t i = 0; i < spec.llama.blocks && reader.ok(); ++i) {
    const std::string name = LlamaStack::block_name(i) + "self_attn.";
    given.blocks.push_back({.q = reader.matrix(name + "q_proj.weight", q, width),
                            .k = reader.matrix(name + "k_proj.weight", kv, width),
                            .v = reader.matrix(name + "v_proj.weight", kv, width),
                            .out = reader.matrix(name + "o_proj.weight", width, q)});
  }
  // Buffers only for a shape that the weights really have.
  if (auto taken = reader.finish(); !taken) return std::move(taken).error();
  std::unique_ptr<StreamingModel> model(new StreamingModel(spec, options));
  if (auto made = model->set_up(std::move(given)); !made)
    return Error{made.error().code, std::string(kOwner) + ": " + made.error().message};
  return std::unique_ptr<TrunkModel>(std::move(model));
}

Result<void> StreamingModel::set_up(Given given) {
  const auto chosen = nn::choose_precision(options_.backend, options_.precision);
  projections_ =
      std::make_unique<nn::Projections>(options_.backend, chosen.precision, options_.max_rows);
  for (const auto& from : given.blocks) {
    const nn::StoredMatrix qkv[] = {from.q, from.k, from.v};
    auto in = projections_->make(qkv, {});
    if (!in) return std::move(in).error();
    auto out = projections_->make({&from.out, 1}, {}, nn::Epilogue::add);
    if (!out) return std::move(out).error();
    blocks_.push_back({std::move(*in), std::move(*out)});
  }
  auto stack = LlamaStack::create(spec_.llama, std::move(given.llama), *projections_);
  if (!stack) return std::move(stack).error();
  stack_ = std::move(*stack);

  const std::size_t rows = projections_->buffer_rows();
  qkv_.resize(rows * qkv_columns());
  sink_q_.resize(rows * q_columns());
  mixed_.resize(rows * q_columns());
  turns_.resize(rows * spec_.head_dim);
  sink_turns_.resize(rows * spec_.head_dim);
  const std::size_t group = spec_.heads / spec_.kv_heads;
  scratch_.resize(nn::cached_attention_scratch(AttentionWindow::kPiece * group, spec_.head_dim));

  info_.architecture = "streaming";
  info_.width = spec_.llama.width;
  info_.blocks = spec_.llama.blocks;
  info_.heads = spec_.heads;
  info_.weight_bytes = projections_->weight_bytes() + stack_.norm_bytes();
  info_.precision = chosen.precision;
  info_.chosen = describe(chosen, *projections_, options_);
  info_.session_bytes = kMemoryHeader + std::uint64_t{spec_.llama.blocks} * spec_.kv_heads *
                                            (key_floats(spec_) + value_floats(spec_)) *
                                            sizeof(float);
  info_.sinusoid = false;
  return {};
}

void StreamingModel::begin(std::byte* memory) const noexcept {
  forget_tokens(memory);
}

Status StreamingModel::forward(std::span<const Segment> segments, float* rows) noexcept {
  if (const Status counted = count_rows(segments, options_.max_rows, rows_); !counted.ok())
    return counted;
  if (rows_ == 0) return {};
  segments_ = segments;
  find_turns(segments);
  const auto attention = [this](std::uint32_t block, const float* normed, float* x) noexcept {
    return attend(block, normed, x);
  };
  if (const Status done = stack_.run(rows_, rows, attention); !done.ok()) return done;
  for (const auto& segment : segments) add_tokens(segment.memory, segment.rows);
  return {};
}

template <class Visit>
void StreamingModel::for_each_piece(std::span<const Segment> segments,
                                    const Visit& visit) const noexcept {
  for (const auto& segment : segments) {
    const std::uint64_t before = tokens_seen(segment.memory);
    for (std::uint32_t at = 0; at < segment.rows;) {
      Piece piece{.memory = segment.memory, .seen = before + at};
      piece.chunk = spec_.window.chunk(piece.seen, segment.rows - at);
      for (std::uint32_t in_chunk = 0; in_chunk < piece.chunk; in_chunk += piece.rows) {
        piece.row = segment.first_row + at + in_chunk;
        piece.rows = std::min(AttentionWindow::kPiece, piece.chunk - in_chunk);
        piece.token = piece.seen + in_chunk;
        visit(piece);
      }
      at += piece.chunk;
    }
  }
}

void StreamingModel::find_turns(std::span<const Segment> segments) noexcept {
  const std::uint64_t start = spec_.window.start;
  for_each_piece(segments, [&](const Piece& piece) noexcept {
    for (std::uint32_t i = 0; i < piece.rows; ++i) {
      const std::uint64_t token = piece.token + i;
      const std::uint64_t evicted = spec_.window.oldest(token, piece.seen, piece.chunk) - start;
      float* const own = turns_.data() + std::size_t{piece.row + i} * spec_.head_dim;
      float* const in_cache = sink_turns_.data() + std::size_t{piece.row + i} * spec_.head_dim;
      rotary_.turn(token, own);
      if (evicted == 0)
        std::copy_n(own, spec_.head_dim, in_cache);
      else
        rotary_.turn(token - evicted, in_cache);
    }
  });
}

Status StreamingModel::attend(std::uint32_t block, const float* normed, float* x) noexcept {
  if (const Status done = blocks_[block].qkv.run(normed, rows_, qkv_.data()); !done.ok())
    return done;
  const auto& kernels = nn::kernels();
  for (std::size_t r = 0; r < rows_; ++r) {
    float *const q = qkv_.data() + r * qkv_columns(), *const k = q + q_columns();
    const float* const own = turns_.data() + r * spec_.head_dim;
    kernels.rotate(q, spec_.heads, spec_.head_dim, sink_turns_.data() + r * spec_.head_dim,
                   sink_q_.data() + r * q_columns());
    kernels.rotate(q, spec_.heads, spec_.head_dim, own, q);
    kernels.rotate(k, spec_.kv_heads, spec_.head_dim, own, k);
  }
  for_each_piece(segments_, [&](const Piece& piece) noexcept { attend(block, piece); });
  return blocks_[block].out.run(mixed_.data(), rows_, x);
}

StreamingModel::View StreamingModel::view(const Piece& piece) const noexcept {
  const AttentionWindow& window = spec_.window;
  const std::uint64_t start = window.start, end = piece.token + piece.rows;  // behind the newest
  View view;
  /// A run of slots that hold tokens from `first` on.
  const auto add = [&](std::uint64_t slot, std::uint64_t slots, std::uint64_t first) {
    View::Run& run = view.runs[view.count++];
    run.slot = slot;
    run.slots = slots;
    for (std::uint32_t i = 0; i < piece.rows; ++i) {
      const std::uint64_t token = piece.token + i;
      const bool sinks = first < start;
      const std::uint64_t from = sinks ? 0 : window.oldest(token, piece.seen, piece.chunk);
      const std::uint64_t to = sinks ? std::min(start, token + 1) : token + 1;
      run.first[i] = static_cast<std::uint32_t>(from > first ? from - first : 0);
      run.last[i] =
          static_cast<std::uint32_t>(to > first ? std::min<std::uint64_t>(to - first, slots) : 0);
    }
  };
  if (start > 0) add(0, window.sink_slots(), 0);
  if (end <= start) return view;
  // From the block that the oldest lies in to where the ring ends, and from where it begins.
  const std::uint64_t oldest = window.oldest(piece.token, piece.seen, piece.chunk) - start;
  const std::uint64_t first = oldest / nn::kCachedBlock * nn::kCachedBlock;
  const std::uint64_t in_ring = first % window.ring_slots();
  const auto whole_blocks = [](std::uint64_t count) {
    return (count + nn::kCachedBlock - 1) / nn::kCachedBlock * nn::kCachedBlock;
  };
  const std::uint64_t slots = whole_blocks(end - start - first);
  const std::uint64_t before_end = std::min(slots, window.ring_slots() - in_ring);
  add(window.sink_slots() + in_ring, before_end, start + first);
  if (slots > before_end) add(window.sink_slots(), slots - before_end, start + first + before_end);
  return view;
}

void StreamingModel::attend(std::uint32_t block, const Piece& piece) noexcept {
  const auto& kernels = nn::kernels();
  const std::size_t dim = spec_.head_dim, group = spec_.heads / spec_.kv_heads;
  const View seen = view(piece);
  for (std::uint32_t head = 0; head < spec_.kv_heads; ++head) {
    float* const keys =
        reinterpret_cast<float*>(piece.memory + kMemoryHeader) +
        (std::size_t{block} * spec_.kv_heads + head) * (key_floats(spec_) + value_floats(spec_));
    float* const values = keys + key_floats(spec_);
    float* const row = qkv_.data() + piece.row * qkv_columns();
    for (std::uint32_t i = 0; i < piece.rows; ++i) {
      const float* const key = row + i * qkv_columns() + q_columns() + head * dim;
      const std::uint64_t slot = spec_.window.slot(piece.token + i);
      kernels.remember_key(key, dim, slot, keys);
      kernels.remember_value(key + kv_columns(), dim, slot, values);
    }
    // Sinks are met at the position in the cache, which needs queries of another layout.
    const std::size_t first = head * group * dim;
    nn::CachedRun runs[3];
    for (std::size_t i = 0; i < seen.count; ++i) {
      const View::Run& run = seen.runs[i];
      runs[i] = {.q = row + first,
                 .q_stride = qkv_columns(),
                 .keys = keys + run.slot * dim,
                 .values = values + run.slot * nn::cached_value_width(dim),
                 .slots = run.slots,
                 .first = run.first.data(),
                 .last = run.last.data()};
    }
    if (spec_.window.start > 0) {
      runs[0].q = sink_q_.data() + piece.row * q_columns() + first;
      runs[0].q_stride = q_columns();
    }
    kernels.cached_attention({.runs = runs,
                              .run_count = seen.count,
                              .tokens = piece.rows,
                              .group = group,
                              .dim = dim,
                              .value_dim = dim,
                              .scale = 1.0f / std::sqrt(static_cast<float>(dim)),
                              .out = mixed_.data() + piece.row * q_columns() + first,
                              .out_stride = q_columns(),
                              .scratch = scratch_.data()});
  }
}

Result<std::unique_ptr<TrunkModel>> load_streaming(const Checkpoint& checkpoint,
                                                   const ModelOptions& options) {
  const nn::TrunkShape& shape = checkpoint.shape;
  const auto parameters = nn::views(shape.hyper_parameters);
  nn::ParameterReader read(kOwner, parameters);
  StreamingSpec spec;
  spec.llama.width = shape.width;
  spec.llama.blocks = shape.blocks;
  spec.llama.hidden = read.count("intermediate_size", 4 * shape.width, 1, 1U << 20);
  spec.llama.eps = static_cast<float>(read.number("rms_norm_eps", 1e-6, 0, 1));
  spec.heads = shape.heads;
  spec.kv_heads = read.count("num_kv_heads", shape.heads);
  spec.head_dim = read.count("head_dim", shape.width / shape.heads);
  spec.rope_theta = read.number("rope_theta", 10000, 1, 1e12);
  spec.window.start = read.count("start_size", spec.window.start, 0, kMaxWindow);
  spec.window.recent = read.count("recent_size", spec.window.recent, 1, kMaxWindow);
  const std::string eviction = read.word("eviction", "evict_for_space",
                                         {"evict_after", "evict_for_space", "evict_for_chunk"});
  spec.window.eviction = eviction == "evict_after"       ? Eviction::after
                         : eviction == "evict_for_chunk" ? Eviction::for_chunk
                                                         : Eviction::for_space;
  if (auto done = read.finish(); !done) return checkpoint.error(done.error());
  auto made = StreamingModel::create(spec, checkpoint.weights, options);
  if (!made) return checkpoint.error(made.error());
  return made;
}

}  // namespace cambium::trunk
