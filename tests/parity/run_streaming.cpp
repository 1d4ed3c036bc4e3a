// Attention sinks: the same weights with each way of making room, fed as the original was.
#include <algorithm>
#include <stdexcept>

#include "core/base/huge_pages.hpp"
#include "core/trunk/models/streaming_model.hpp"
#include "tests/parity/parity_kinds.hpp"

namespace cambium::parity {
namespace {

trunk::StreamingSpec spec_of(const Case& one) {
  trunk::StreamingSpec spec;
  spec.llama = {.width = one.count("hidden_size"),
                .blocks = one.count("num_layers"),
                .hidden = one.count("intermediate_size"),
                .eps = std::stof(one.text("rms_norm_eps"))};
  spec.heads = one.count("num_heads");
  spec.kv_heads = one.count("num_kv_heads");
  spec.head_dim = one.count("head_dim");
  spec.rope_theta = std::stod(one.text("rope_theta"));
  spec.window.start = static_cast<std::uint32_t>(std::stoul(one.text("start_size")));
  spec.window.recent = one.count("recent_size");
  return spec;
}

/// All tokens of the case, `chunk` at a time.
Numbers feed(const Case& one, const Engine& engine, const trunk::StreamingSpec& spec,
             std::uint32_t chunk) {
  Numbers rows = one.numbers("in.embeds");
  const std::uint32_t width = spec.llama.width,
                      tokens = static_cast<std::uint32_t>(rows.size() / width);
  auto model = trunk::StreamingModel::create(
      spec, one.weights().stored_views(""),
      {.backend = engine.backend, .precision = engine.precision, .max_rows = chunk});
  if (!model) throw std::runtime_error(model.error().message);
  base::HugePages pages;
  std::byte* const memory = pages.take((*model)->info().session_bytes);
  (*model)->begin(memory);
  for (std::uint32_t at = 0; at < tokens; at += chunk) {
    const trunk::Segment next[] = {{.rows = std::min(chunk, tokens - at), .memory = memory}};
    const Status done = (*model)->forward(next, rows.data() + std::size_t{at} * width);
    if (!done.ok()) throw std::runtime_error(std::string("forward: ") + to_string(done.code()));
  }
  return rows;
}

Outputs run(const Case& one, Engine engine) {
  const trunk::StreamingSpec spec = spec_of(one);
  const auto tokens = static_cast<std::uint32_t>(one.shape("in.embeds").at(0));
  const auto feed_as = [&](trunk::Eviction eviction, std::uint32_t recent, std::uint32_t chunk) {
    auto with = spec;
    with.window.eviction = eviction;
    with.window.recent = recent;
    return feed(one, engine, with, chunk);
  };
  using enum trunk::Eviction;
  const std::uint32_t recent = spec.window.recent;
  return {{"evict_after", feed_as(after, recent, 1)},
          {"evict_for_space", feed_as(for_space, recent, 1)},
          {"chunked_evict_for_space", feed_as(for_chunk, recent, one.count("chunk"))},
          {"full_cache", feed_as(for_space, tokens, 1)}};
}

bool recognises(const Case& one) {
  return one.has("in.embeds") && one.has("out.evict_after") &&
         one.has_weight("model.layers.0.self_attn.q_proj.weight");
}

}  // namespace

const Kind kStreaming = {"streaming_attention", recognises, run, "num_layers", 12};

}  // namespace cambium::parity
