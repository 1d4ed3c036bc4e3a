// Infini-attention: the layer alone, with both rules, with and without positions; the batch's rows
// are robots.
#include <stdexcept>

#include "core/base/huge_pages.hpp"
#include "core/nn/product.hpp"
#include "core/trunk/models/infini_attention.hpp"
#include "core/trunk/models/remembering.hpp"
#include "tests/parity/parity_kinds.hpp"

namespace cambium::parity {
namespace {

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

/// All tokens of all robots, `at_once` of each at a time.
Numbers feed(const Case& one, const Engine& engine, const trunk::InfiniAttentionSpec& spec,
             std::uint32_t at_once) {
  const Numbers x = one.numbers("in.x");
  const Shape& shape = one.shape("in.x");
  const auto batch = static_cast<std::uint32_t>(shape.at(0)),
             tokens = static_cast<std::uint32_t>(shape.at(1));
  if (const auto problem = trunk::InfiniAttention::problem(spec); !problem.empty())
    throw std::runtime_error(problem);
  nn::Projections projections(engine.backend, engine.precision, batch * at_once);
  trunk::InfiniAttention attention(spec, projections);
  const auto tensors = one.weights().stored_views("");
  nn::StoredWeights reader("infini-attention", tensors);
  const auto given = trunk::InfiniAttention::take(spec, "", tensors, reader);
  if (auto taken = reader.finish(); !taken) throw std::runtime_error(taken.error().message);
  const auto layer = value_or_throw(attention.make(given, projections));

  base::HugePages pages;
  std::vector<trunk::Segment> segments(batch);
  for (auto& segment : segments) {
    segment.memory = pages.take(trunk::kMemoryHeader + attention.state_bytes());
    attention.begin(segment.memory + trunk::kMemoryHeader);
  }
  const std::size_t width = spec.width;
  Numbers y(x.size()), in(projections.buffer_rows() * width), out(in.size());
  for (std::uint32_t at = 0; at < tokens; at += at_once) {
    const std::uint32_t rows = std::min(at_once, tokens - at);
    const auto piece_of = [&](auto& all, std::uint32_t robot) {
      return all.begin() + static_cast<std::ptrdiff_t>((robot * tokens + at) * width);
    };
    for (std::uint32_t b = 0; b < batch; ++b) {
      segments[b].first_row = b * rows;
      segments[b].rows = rows;
      std::copy_n(piece_of(x, b), rows * width,
                  in.begin() + static_cast<std::ptrdiff_t>(b * rows * width));
    }
    std::fill(out.begin(), out.end(), 0.0f);
    const Status done =
        attention.run(layer, segments, trunk::kMemoryHeader, batch * rows, in.data(), out.data());
    if (!done.ok()) throw std::runtime_error(std::string("run: ") + to_string(done.code()));
    for (std::uint32_t b = 0; b < batch; ++b) {
      trunk::add_tokens(segments[b].memory, rows);
      std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(b * rows * width), rows * width,
                  piece_of(y, b));
    }
  }
  return y;
}

Outputs run(const Case& one, Engine engine) {
  trunk::InfiniAttentionSpec spec;
  spec.width = one.count("dim_input");
  spec.heads = one.count("num_heads");
  spec.dim_key = one.count("dim_key");
  spec.dim_value = one.count("dim_value");
  spec.segment_len = one.count("segment_len");
  spec.rope_base = std::stod(one.text("rope_base"));
  const auto tokens = static_cast<std::uint32_t>(one.shape("in.x").at(1));
  Outputs outputs;
  for (const auto rule : {trunk::MemoryRule::linear, trunk::MemoryRule::delta}) {
    for (const bool rope : {false, true}) {
      spec.rule = rule;
      spec.rope = rope;
      const std::string name = std::string(rule == trunk::MemoryRule::delta ? "delta" : "linear") +
                               (rope ? "_rope" : "");
      // One way for each output: one by one, and more than a segment at once.
      outputs[name] = feed(one, engine, spec, rope ? 1 : std::min(tokens, spec.segment_len + 3));
    }
  }
  return outputs;
}

bool recognises(const Case& one) {
  return one.has("in.x") && one.has("out.linear") && one.has_weight("betas") &&
         one.has_weight("proj_q.weight");
}

}  // namespace

const Kind kInfini = {"infini_attention", recognises, run, ""};

}  // namespace cambium::parity
