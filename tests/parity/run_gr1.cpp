// GR-1 cases: stems, trunk and heads, from features of pictures and a sentence to actions and
// predicted pictures.
#include <algorithm>
#include <memory>
#include <stdexcept>

#include "core/trunk/models/gr1_model.hpp"
#include "tests/parity/gr1_policy.hpp"
#include "tests/parity/parity_kinds.hpp"

namespace cambium::parity {
namespace {

using gr1::expect_ok;

class Policy {
 public:
  Policy(const Case& one, Engine engine)
      : in(one), width(one.count("hidden_size")), stems(one, !in.hand_image.empty()), heads(one) {
    std::vector<nn::StoredTensor> own;
    for (auto& tensor : one.weights().stored_views("")) {
      if (tensor.name.starts_with("transformer.") || tensor.name.starts_with("embed_timestep.") ||
          tensor.name.starts_with("embed_ln."))
        own.push_back(std::move(tensor));
    }
    const trunk::Gr1Spec spec{
        .width = width,
        .blocks = one.count("n_layer"),
        .heads = one.count("n_head"),
        .inner = one.data().metadata().contains("n_inner") ? one.count("n_inner") : 4 * width,
        .sequence_length = one.count("sequence_length"),
        .tokens_per_step = stems.tokens(),
        .activation = one.text("activation_function")};
    const std::size_t all_rows = in.batch * in.steps * (stems.tokens() + heads.count());
    auto made = trunk::Gr1Model::create(spec, own,
                                        {.backend = engine.backend,
                                         .precision = engine.precision,
                                         .threads = 1,
                                         .max_rows = static_cast<std::uint32_t>(all_rows)});
    if (!made) throw std::runtime_error(made.error().message);
    model = std::move(*made);
    for (std::size_t b = 0; b < in.batch; ++b) {
      // As much as a session has, aligned as one.
      const std::size_t lines = model->info().session_bytes / 64;
      memories.push_back(std::make_unique<Line[]>(lines));
      model->begin(memory(b));
    }
  }

  std::byte* memory(std::size_t robot) { return memories[robot][0].bytes; }
  /// Tokens of a step and the queries, (tokens + queries, width), appended.
  void add_step(std::size_t robot, std::size_t step, Numbers& rows) {
    const std::size_t at = rows.size();
    rows.resize(at + std::size_t{stems.tokens()} * width);
    stems.encode(in, robot, step, rows.data() + at);
    add_queries(rows);
  }
  void add_queries(Numbers& rows) {
    rows.insert(rows.end(), heads.queries().begin(), heads.queries().end());
  }

  struct alignas(64) Line {
    std::byte bytes[64];
  };
  gr1::Inputs in;
  std::uint32_t width;
  gr1::Stems stems;
  gr1::Heads heads;
  std::unique_ptr<trunk::TrunkModel> model;
  std::vector<std::unique_ptr<Line[]>> memories;
};

std::size_t valid_steps(const std::vector<std::int64_t>& mask, std::size_t robot,
                        std::size_t steps) {
  const auto first = mask.begin() + static_cast<std::ptrdiff_t>(robot * steps);
  const auto last = first + static_cast<std::ptrdiff_t>(steps);
  const auto padding = std::find(first, last, 0);
  if (padding == first || std::find(padding, last, 1) != last)
    throw std::runtime_error("in.attention_mask: padding that is not at the end");
  return static_cast<std::size_t>(padding - first);
}

/// All valid steps of all robots in one request each. A padded step's tokens are seen by nobody and
/// its queries see what those of the last valid step see, so they are queries that come alone.
Outputs run_batch(const Case& one, Engine engine) {
  Policy policy(one, engine);
  const std::size_t steps = policy.in.steps;
  const std::uint32_t queries = policy.heads.count();
  const std::uint32_t piece = policy.stems.tokens() + queries;
  const auto mask = one.integers("in.attention_mask");
  std::vector<std::size_t> valid;
  std::vector<trunk::Segment> together, alone;
  Numbers rows, again;
  for (std::size_t b = 0; b < policy.in.batch; ++b) {
    valid.push_back(valid_steps(mask, b, steps));
    const auto first = static_cast<std::uint32_t>(rows.size() / policy.width);
    for (std::size_t step = 0; step < valid[b]; ++step) policy.add_step(b, step, rows);
    together.push_back(
        {first, static_cast<std::uint32_t>(valid[b]) * piece, policy.memory(b), queries});
    alone.push_back({static_cast<std::uint32_t>(b) * queries, queries, policy.memory(b), queries});
    policy.add_queries(again);
  }
  expect_ok(policy.model->forward(together, rows.data()), "forward");
  expect_ok(policy.model->forward(alone, again.data()), "forward");
  Outputs outputs;
  for (std::size_t b = 0; b < policy.in.batch; ++b) {
    const float* newest = nullptr;
    for (std::size_t step = 0; step < steps; ++step) {
      const float* features =
          step < valid[b]
              ? rows.data() +
                    (together[b].first_row + step * piece + policy.stems.tokens()) * policy.width
              : again.data() + std::size_t{alone[b].first_row} * policy.width;
      policy.heads.decode(features, outputs);
      if (step < valid[b]) newest = features;
    }
    policy.heads.act(newest, outputs);
  }
  return outputs;
}

/// One robot, a step at a time, for longer than its window.
Outputs run_stream(const Case& one, Engine engine) {
  Policy policy(one, engine);
  Outputs outputs;
  for (std::size_t step = 0; step < policy.in.steps; ++step) {
    Numbers rows;
    policy.add_step(0, step, rows);
    const std::uint32_t tokens = policy.stems.tokens(), queries = policy.heads.count();
    const trunk::Segment all[] = {{0, tokens + queries, policy.memory(0), queries}};
    expect_ok(policy.model->forward(all, rows.data()), "forward");
    const float* features = rows.data() + std::size_t{tokens} * policy.width;
    policy.heads.decode(features, outputs);
    policy.heads.act(features, outputs);
  }
  return outputs;
}

bool is_gr1(const Case& one) {
  return one.has("in.arm_state") && one.has_weight("embed_timestep.weight") &&
         one.has_weight("transformer.h.0.attn.c_attn.weight");
}

bool predicts_images(const Case& one) {
  return one.has("out.obs_preds_subset") || one.has("out.obs_hand_preds_subset");
}

}  // namespace

const Kind kGr1 = {"gr1",
                   [](const Case& one) {
                     return is_gr1(one) && one.has("in.attention_mask") && !predicts_images(one);
                   },
                   run_batch, "n_layer"};
const Kind kGr1ImagePrediction = {"gr1 image prediction",
                                  [](const Case& one) {
                                    return is_gr1(one) && one.has("in.attention_mask") &&
                                           predicts_images(one);
                                  },
                                  run_batch, "n_layer"};
const Kind kGr1Stream = {
    "gr1 stream", [](const Case& one) { return is_gr1(one) && !one.has("in.attention_mask"); },
    run_stream, "n_layer"};

}  // namespace cambium::parity
