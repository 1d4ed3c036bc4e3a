#include "core/trunk/models/gr1_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cambium::trunk {

void Gr1Model::begin(std::byte* memory) const noexcept {
  std::memset(memory, 0, info_.session_bytes);
}

bool Gr1Model::well_formed(std::span<const Segment> segments) const noexcept {
  std::uint64_t count = 0;
  for (const auto& segment : segments) {
    if (segment.first_row != count || segment.rows == 0 || segment.queries > segment.rows ||
        segment.memory == nullptr)
      return false;
    count += segment.rows;
  }
  return count <= max_rows_;
}

Status Gr1Model::forward(std::span<const Segment> segments, float* rows) noexcept {
  if (!well_formed(segments)) return Code::bad_argument;
  for (const auto& segment : segments)
    if (!Gr1Memory(shape_, segment.memory).sound()) return Code::bad_data;
  clear_pass();
  taken_.clear();
  for (const auto& segment : segments) taken_.push_back(take_what_fits(segment, rows));
  if (const Status done = run_pass(); !done.ok()) return done;
  for (std::size_t i = 0; i < segments.size(); ++i)
    if (const Status done = slide_over(segments[i], taken_[i], rows); !done.ok()) return done;
  return {};
}

Gr1Model::Piece Gr1Model::piece_of(const Segment& segment, std::uint32_t from) const noexcept {
  const std::uint32_t rows = std::min(spec_.tokens_per_step + segment.queries, segment.rows - from);
  const std::uint32_t queries = std::min(segment.queries, rows);
  return {rows - queries, queries};
}

// The rows of the request that the window has room for.
std::uint32_t Gr1Model::take_what_fits(const Segment& segment, float* rows) noexcept {
  Gr1Memory memory(shape_, segment.memory);
  const auto first = static_cast<std::uint32_t>(rows_.size());
  std::uint32_t at = 0;
  while (at < segment.rows) {
    const Piece piece = piece_of(segment, at);
    if (piece.tokens > 0 && memory.full()) break;
    float* const given = rows + (std::size_t{segment.first_row} + at) * spec_.width;
    const std::uint32_t old = memory.rows();
    if (piece.tokens > 0) memory.append(given, piece.tokens);
    for (std::uint32_t place = old; place < memory.rows(); ++place)
      add_token(memory, place, memory.steps() - 1, given + std::size_t{place - old} * spec_.width);
    add_queries(memory, given + std::size_t{piece.tokens} * spec_.width, piece.queries);
    at += piece.tokens + piece.queries;
  }
  if (at > 0) parts_.push_back({memory, first, at});
  return at;
}

// The rest, step by step: with each of them every time moves.
Status Gr1Model::slide_over(const Segment& segment, std::uint32_t from, float* rows) noexcept {
  Gr1Memory memory(shape_, segment.memory);
  for (std::uint32_t at = from; at < segment.rows;) {
    const Piece piece = piece_of(segment, at);
    float* const given = rows + (std::size_t{segment.first_row} + at) * spec_.width;
    if (piece.tokens > 0) {
      memory.drop_oldest();
      memory.append(given, piece.tokens);
    }
    clear_pass();
    const std::uint32_t old = memory.rows() - piece.tokens;
    std::uint32_t place = 0;
    for (std::uint32_t step = 0; step < memory.steps(); ++step) {
      for (const std::uint32_t end = place + memory.counts()[step]; place < end; ++place)
        add_token(memory, place, step,
                  place < old ? nullptr : given + std::size_t{place - old} * spec_.width);
    }
    add_queries(memory, given + std::size_t{piece.tokens} * spec_.width, piece.queries);
    parts_.push_back({memory, 0, static_cast<std::uint32_t>(rows_.size())});
    if (const Status done = run_pass(); !done.ok()) return done;
    at += piece.tokens + piece.queries;
  }
  return {};
}

void Gr1Model::clear_pass() noexcept {
  rows_.clear();
  visible_.clear();
  parts_.clear();
}

void Gr1Model::add_token(const Gr1Memory& memory, std::uint32_t place, std::uint32_t step,
                         float* answer) noexcept {
  rows_.push_back({memory.token(place), answer, step, place});
  visible_.push_back(place + 1);
}

void Gr1Model::add_queries(const Gr1Memory& memory, float* rows, std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) {
    float* const query = rows + std::size_t{i} * spec_.width;
    rows_.push_back({query, query, kQuery, 0});
    visible_.push_back(memory.rows());
  }
}

Status Gr1Model::run_pass() noexcept {
  if (rows_.empty()) return {};
  const std::size_t width = spec_.width, count = rows_.size();
  float* x = x_.data();
  for (const Row& row : rows_) {
    std::memcpy(x, row.token, width * sizeof(float));
    if (row.step != kQuery) nn::kernels().add(embed_timestep_.data() + row.step * width, width, x);
    x += width;
  }
  // The padding starts each time from zero: what grows in it over the blocks must stay small.
  const std::size_t padded = nn::padded_rows(static_cast<std::uint32_t>(count));
  std::fill(x, x_.data() + padded * width, 0.0f);
  embed_ln_.run(x_.data(), static_cast<std::uint32_t>(count), x_.data());
  for (std::uint32_t i = 0; i < spec_.blocks; ++i)
    if (const Status done = run_block(i); !done.ok()) return done;
  const float* out = x_.data();
  for (const Row& row : rows_) {
    if (row.answer != nullptr) ln_f_.run(out, 1, row.answer);
    out += width;
  }
  return {};
}

Status Gr1Model::run_block(std::uint32_t index) noexcept {
  const Block& block = blocks_[index];
  const auto rows = static_cast<std::uint32_t>(rows_.size());
  block.ln_1.run(x_.data(), rows, normed_.data());
  if (const Status done = block.c_attn.run(normed_.data(), rows, qkv_.data()); !done.ok())
    return done;
  attend(index);
  if (const Status done = block.attn_proj.run(normed_.data(), rows, x_.data()); !done.ok())
    return done;
  block.ln_2.run(x_.data(), rows, normed_.data());
  if (const Status done = block.c_fc.run(normed_.data(), rows, hidden_.data()); !done.ok())
    return done;
  (nn::kernels().*activation_)(hidden_.data(), std::size_t{rows} * spec_.inner);
  return block.mlp_proj.run(hidden_.data(), rows, x_.data());
}

// From qkv_ into normed_. Keys and values go to the memory first: there lie the older ones.
void Gr1Model::attend(std::uint32_t block) noexcept {
  const std::size_t width = spec_.width;
  const std::uint32_t dim = spec_.width / spec_.heads;
  for (Part& part : parts_) {
    float* const qkv = qkv_.data() + part.first_row * 3 * width;
    for (std::uint32_t i = 0; i < part.rows; ++i) {
      const Row& row = rows_[part.first_row + i];
      if (row.step != kQuery)
        std::memcpy(part.memory.key(block, row.place), qkv + i * 3 * width + width,
                    2 * width * sizeof(float));
    }
    nn::kernels().prefix_attention({.q = qkv,
                                    .q_stride = 3 * width,
                                    .rows = part.rows,
                                    .k = part.memory.key(block, 0),
                                    .v = part.memory.key(block, 0) + width,
                                    .kv_stride = 2 * width,
                                    .keys = part.memory.rows(),
                                    .last_head = spec_.heads,
                                    .dim = dim,
                                    .scale = 1.0f / std::sqrt(static_cast<float>(dim)),
                                    .out = normed_.data() + part.first_row * width,
                                    .out_stride = width,
                                    .scratch = scratch_.data()},
                                   visible_.data() + part.first_row);
  }
}

}  // namespace cambium::trunk
