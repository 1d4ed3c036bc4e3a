// GR-1 from files to actions: stock and bundle, stems and head in a plugin, the trunk behind its
// socket with a session for each robot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/nn/bundle.hpp"
#include "core/nn/stock.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/local_policy.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/server.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/tokens.hpp"
#include "tests/support/trunk_caller.hpp"
#include "tests/support/weights.hpp"

namespace cambium::test {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kWidth = 16, kWindow = 3, kTokens = 8, kPooled = 2, kDof = 3;
const char* const kBody = "gr1_robot";

void add_trunk(WeightSet& set) {
  set.add("trunk.embed_timestep.weight", {kWindow, kWidth});
  set.norm("trunk.embed_ln", kWidth);
  set.norm("trunk.transformer.ln_f", kWidth);
  const auto conv1d = [&](const std::string& name, std::uint64_t in, std::uint64_t out) {
    set.add(name + ".weight", {in, out});
    set.add(name + ".bias", {out});
  };
  const std::string block = "trunk.transformer.h.0.";
  set.norm(block + "ln_1", kWidth);
  set.norm(block + "ln_2", kWidth);
  conv1d(block + "attn.c_attn", kWidth, 3 * kWidth);
  conv1d(block + "attn.c_proj", kWidth, kWidth);
  conv1d(block + "mlp.c_fc", kWidth, 4 * kWidth);
  conv1d(block + "mlp.c_proj", 4 * kWidth, kWidth);
}

void add_patch_stem(WeightSet& set, const std::string& at, const std::string& embed) {
  const std::string resampler = at + "perceiver_resampler.", layer = resampler + "layers.0.";
  set.add(resampler + "latents", {2, 8});
  set.add(resampler + "media_pos_emb", {1, 1, 8});
  for (const char* norm : {"0.norm_media", "0.norm_latents", "1.0"}) set.norm(layer + norm, 8);
  set.linear(layer + "0.to_q", 8, 8, false);
  set.linear(layer + "0.to_kv", 8, 16, false);
  set.linear(layer + "0.to_out", 8, 8, false);
  set.linear(layer + "1.1", 8, 16, false);
  set.linear(layer + "1.3", 16, 8, false);
  set.norm(resampler + "norm", 8);
  set.linear(at + embed, 8, kWidth);
}

std::vector<nn::TensorToWrite> to_write(const std::vector<TensorView>& views) {
  std::vector<nn::TensorToWrite> tensors;
  for (const auto& view : views)
    tensors.push_back({view.name, nn::DType::f32, {view.shape, view.shape + view.rank}, view.data});
  return tensors;
}

class Gr1EndToEnd : public testing::Test {
 protected:
  void SetUp() override {
    write_stock();
    auto model = trunk::load_model(stock_->file(), {.max_rows = 64});
    ASSERT_TRUE(model) << model.error().message;
    trunk::ServerOptions options;
    options.endpoint = "ipc://" + (folder_ / "trunk").string();
    options.session_memory = 4 * (*model)->info().session_bytes;
    auto server = trunk::TrunkServer::start(
        options, {.id = base::from_hex(stock_->trunk_id()), .backend = "", .max_tokens = 64},
        std::move(*model));
    ASSERT_TRUE(server) << server.error().message;
    server_.emplace(std::move(*server));
    caller_.emplace(server_->endpoint());
    auto alone = trunk::load_model(stock_->file(), {.max_rows = 64});
    ASSERT_TRUE(alone) << alone.error().message;
    alone_ = std::move(*alone);

    auto library = plugin::open_library(GR1_ROBOT, {.run_dir = folder_.path()});
    ASSERT_TRUE(library) << library.error().message;
    library_ = std::move(*library);
    body_ = *library_->embodiment();
    auto policy = make_policy(bundle());
    ASSERT_TRUE(policy) << policy.error().message;
    policy_ = std::move(*policy);
  }

  void write_stock() {
    WeightSet set;
    add_trunk(set);
    nn::TrunkShape shape{.architecture = "gr1", .width = kWidth, .blocks = 1, .heads = 2};
    shape.hyper_parameters = {{"sequence_length", std::to_string(kWindow)},
                              {"tokens_per_step", std::to_string(kTokens)}};
    auto stock = nn::write_stock(folder_ / "stock", shape, {}, to_write(set.views()), "random");
    ASSERT_TRUE(stock) << stock.error().message;
    stock_ = std::move(*stock);
  }
  nn::BundleSpec bundle() const {
    const nn::Parameters resampler = {
        {"resampler_depth", "1"}, {"resampler_heads", "2"}, {"resampler_dim_head", "4"}};
    nn::Parameters hand = resampler;
    hand["camera"] = "hand";
    nn::BundleSpec spec;
    spec.embodiment = kBody;
    spec.trunk_id = stock_->trunk_id();
    spec.width = kWidth;
    spec.horizon = 1;
    spec.dof = kDof;
    spec.control_hz = 30;
    spec.pooling = nn::Pooling::action_token;
    spec.pooled = kPooled;
    spec.layout = {{.sensor = "task", .stem = "gr1_language", .shape = {9}},
                   {.sensor = "state", .stem = "gr1_state", .shape = {4}},
                   {.sensor = "patches",
                    .stem = "gr1_patch",
                    .shape = {5, 8},
                    .tokens = 2,
                    .parameters = resampler},
                   {.sensor = "picture", .stem = "gr1_image", .shape = {8}},
                   {.sensor = "hand_patches",
                    .stem = "gr1_patch",
                    .shape = {5, 8},
                    .tokens = 2,
                    .parameters = hand},
                   {.sensor = "hand_picture",
                    .stem = "gr1_image",
                    .shape = {8},
                    .parameters = {{"camera", "hand"}}}};
    spec.head = "gr1_action";
    return spec;
  }
  Result<std::unique_ptr<runtime::Policy>> make_policy(const nn::BundleSpec& spec) {
    WeightSet set;
    const auto at = [&](const char* sensor) { return nn::stem_prefix(kBody, sensor); };
    set.linear(at("task") + "embed_lang", 9, kWidth);
    set.linear(at("state") + "embed_arm_state", 2, kWidth);
    set.linear(at("state") + "embed_gripper_state", 2, kWidth);
    set.linear(at("state") + "embed_state", 2 * kWidth, kWidth);
    add_patch_stem(set, at("patches"), "embed_patch");
    add_patch_stem(set, at("hand_patches"), "embed_hand_patch");
    set.linear(at("picture") + "embed_img", 8, kWidth);
    set.linear(at("hand_picture") + "embed_hand_img", 8, kWidth);
    if (spec.find("joint_position") != nullptr)
      set.linear(at("joint_position") + "embed_img", 3, kWidth);
    const std::string head = nn::head_prefix(kBody);
    set.linear(head + "pred_act_mlps.0", kWidth, 8);
    set.linear(head + "pred_act_mlps.1", 8, 8);
    set.linear(head + "pred_arm_act", 8, kDof - 1);
    set.linear(head + "pred_gripper_act", 8, 1);
    set.add("action_tokens." + std::string(kBody), {1, kPooled, kWidth});
    std::vector<std::string> normalised = {"action"};
    for (const auto& entry : spec.layout) normalised.push_back(entry.sensor);
    for (const auto& name : normalised) {
      set.add(nn::normaliser_prefix(kBody, name) + "scale", {1}, {1.0F});
      set.add(nn::normaliser_prefix(kBody, name) + "offset", {1}, {0.0F});
    }
    const auto views = set.views();
    bundle_ = nn::write_bundle(folder_ / "bundle", spec, to_write(views));
    if (!bundle_) return bundle_.error();
    return runtime::LocalPolicy::make({body_, *stock_, *bundle_, *library_, *library_, {}});
  }

  /// Tokens of what a robot sees at a tick, and its queries.
  std::vector<float> encode(unsigned robot, unsigned tick) {
    runtime::ObservationWindow window(body_.sensor_sizes(), 1);
    const auto seen = some_tokens(body_.observation_size(), 50 * robot + tick);
    window.push(seen.data());
    std::vector<float> tokens(std::size_t{policy_->shape().tokens} * kWidth);
    EXPECT_TRUE(policy_->encode(window, tokens).status.ok());
    return tokens;
  }
  std::vector<float> decode(const std::vector<float>& features) {
    std::vector<float> action(kDof);
    EXPECT_TRUE(policy_->decode({features.data(), kPooled, kWidth}, action).status.ok());
    return action;
  }
  /// Through the server, as the next observation of that robot's session.
  std::vector<float> features(unsigned robot, unsigned tick, const std::vector<float>& tokens) {
    TokensMessage message;
    const auto id = base::from_hex(stock_->trunk_id());
    message.trunk.assign(id.begin(), id.end());
    message.request = ++requests_;
    message.robot_id = robot;
    message.pooling = policy_->shape().pooling;
    message.pooled = kPooled;
    message.count = policy_->shape().tokens;
    message.width = kWidth;
    message.values = tokens;
    message.session = "robot_" + std::to_string(robot);
    message.owner = 5;
    message.episode = 1;
    message.time_ns = tick + 1;
    caller_->send(message.bytes());
    const auto* answer = caller_->receive_features();
    EXPECT_EQ(answer->code(), 0u);
    EXPECT_EQ(answer->count(), kPooled);
    return values(*answer);
  }

  TemporaryFolder folder_;
  std::optional<nn::Stock> stock_;
  std::optional<trunk::TrunkServer> server_;
  std::optional<TrunkCaller> caller_;
  std::unique_ptr<trunk::TrunkModel> alone_;
  std::shared_ptr<const plugin::PluginLibrary> library_;
  plugin::Embodiment body_;
  Result<nn::Bundle> bundle_ = Error{Code::unavailable, "not written yet"};
  std::unique_ptr<runtime::Policy> policy_;
  std::uint64_t requests_ = 0;
};

TEST_F(Gr1EndToEnd, EachRobotsActionsAreThoseOfItsOwnWindow) {
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  const std::size_t lines = alone_->info().session_bytes / sizeof(Line);
  std::vector<Line> memories[2] = {std::vector<Line>(lines), std::vector<Line>(lines)};
  for (auto& memory : memories) alone_->begin(memory[0].bytes);
  std::vector<std::vector<float>> actions;
  for (unsigned tick = 0; tick < 2 * kWindow; ++tick) {
    for (const unsigned robot : {0u, 1u}) {
      auto tokens = encode(robot, tick);
      const auto action = decode(features(robot, tick, tokens));
      const trunk::Segment whole[] = {{0, kTokens + kPooled, memories[robot][0].bytes, kPooled}};
      ASSERT_TRUE(alone_->forward(whole, tokens.data()).ok());
      const auto expected = decode({tokens.begin() + kTokens * kWidth, tokens.end()});
      for (std::size_t i = 0; i < kDof; ++i)
        EXPECT_NEAR(action[i], expected[i], 1e-5) << "robot " << robot << ", tick " << tick;
      EXPECT_EQ(std::abs(action[kDof - 1]), 1);
      actions.push_back(action);
    }
  }
  EXPECT_NE(actions[0], actions[1]);
}

TEST_F(Gr1EndToEnd, TheSameSightMeansSomethingElseLater) {
  const auto tokens = encode(0, 0);
  const auto first = features(0, 0, tokens);
  EXPECT_NE(features(0, 1, tokens), first);
  EXPECT_EQ(features(1, 1, tokens), first) << "another robot's memory";
}

TEST_F(Gr1EndToEnd, ABundleWithMoreTokensThanATimeStepIsRefused) {
  auto spec = bundle();
  spec.layout.push_back({.sensor = "joint_position", .stem = "gr1_image", .shape = {3}});
  const auto policy = make_policy(spec);
  ASSERT_FALSE(policy);
  EXPECT_THAT(policy.error().message,
              HasSubstr("its layout has 9 tokens, a time step of the trunk at most 8"));
}

}  // namespace
}  // namespace cambium::test
