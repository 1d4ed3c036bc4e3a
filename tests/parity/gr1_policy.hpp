// tests/parity/gr1_policy.hpp: what GR-1 has beside its trunk, from a case's features and weights.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "heads/gr1_action/gr1_action_head.hpp"
#include "heads/gr1_image/gr1_image_decoder.hpp"
#include "stems/gr1/gr1_image_stem.hpp"
#include "stems/gr1/gr1_language_stem.hpp"
#include "stems/gr1/gr1_patch_stem.hpp"
#include "stems/gr1/gr1_state_stem.hpp"
#include "tests/parity/parity_case.hpp"

namespace cambium::parity::gr1 {

inline void expect_ok(Status done, const char* what) {
  if (!done.ok()) throw std::runtime_error(std::string(what) + ": " + to_string(done.code()));
}

/// Those of the whole checkpoint that begin with one of `prefixes`, as a stem or head is given its
/// own.
inline std::vector<TensorView> weights_of(const Case& one,
                                          const std::vector<std::string>& prefixes) {
  std::vector<TensorView> own;
  for (const TensorView& tensor : one.weights().views("")) {
    const std::string name = tensor.name;
    if (std::ranges::any_of(prefixes, [&](const auto& prefix) { return name.starts_with(prefix); }))
      own.push_back(tensor);
  }
  return own;
}

/// Inputs, whole: of the batch row b, or of the one robot of a stream.
struct Inputs {
  Numbers language, arm, gripper, image, patches, hand_image, hand_patches;
  std::size_t batch = 1, steps = 0;

  explicit Inputs(const Case& one)
      : language(one.numbers("in.lang_feat")),
        arm(one.numbers("in.arm_state")),
        gripper(one.numbers("in.gripper_state")),
        image(one.numbers("in.obs_feat")),
        patches(one.numbers("in.patch_feat")) {
    const Shape& shape = one.shape("in.arm_state");  // (batch, steps, …), of a stream (steps, …)
    batch = shape.size() == 3 ? shape.at(0) : 1;
    steps = shape.at(shape.size() - 2);
    if (one.has("in.hand_obs_feat")) {
      hand_image = one.numbers("in.hand_obs_feat");
      hand_patches = one.numbers("in.hand_patch_feat");
    }
  }
};

/// Observation of one step -> its tokens.
class Stems {
 public:
  Stems(const Case& one, bool hand) : width_(one.count("hidden_size")), hand_(hand) {
    const Shape& patches = one.shape("in.patch_feat");
    const auto size = [&](const char* name) {
      return static_cast<std::uint32_t>(one.shape(name).back());
    };
    latents_ = one.count("num_latents");
    language_size_ = size("in.lang_feat");
    arm_size_ = size("in.arm_state");
    gripper_size_ = size("in.gripper_state");
    image_size_ = size("in.obs_feat");
    patch_rows_ = static_cast<std::uint32_t>(patches.at(patches.size() - 2));
    patch_size_ = size("in.patch_feat");
    activate(one, language_, {language_size_}, 1, {"embed_lang."}, {});
    activate(one, state_, {arm_size_ + gripper_size_}, 1,
             {"embed_arm_state.", "embed_gripper_state.", "embed_state."}, {});
    ParameterList camera;
    camera.copy(one, {"num_latents", "resampler_depth", "resampler_heads", "resampler_dim_head"});
    activate(one, patch_, {patch_rows_, patch_size_}, latents_,
             {"perceiver_resampler.", "embed_patch."}, camera);
    activate(one, image_, {image_size_}, 1, {"embed_img."}, {});
    if (!hand) return;
    camera.set("camera", "hand");
    activate(one, hand_patch_, {patch_rows_, patch_size_}, latents_,
             {"perceiver_resampler.", "embed_hand_patch."}, camera);
    ParameterList only;
    only.set("camera", "hand");
    activate(one, hand_image_, {image_size_}, 1, {"embed_hand_img."}, only);
  }

  std::uint32_t tokens() const noexcept { return 2 + (1 + latents_) * (hand_ ? 2 : 1); }

  void encode(const Inputs& in, std::size_t robot, std::size_t step, float* out) {
    const std::size_t at = robot * in.steps + step;
    float* to = out;
    const auto run = [&](Stem& stem, const Numbers& all, std::size_t index, std::uint32_t size,
                         std::uint32_t count) {
      expect_ok(stem.encode({all.data() + index * size, 1, size}, {to, count, width_}), "encode");
      to += std::size_t{count} * width_;
    };
    Numbers state(in.arm.data() + at * arm_size_, in.arm.data() + (at + 1) * arm_size_);
    state.insert(state.end(), in.gripper.data() + at * gripper_size_,
                 in.gripper.data() + (at + 1) * gripper_size_);
    const std::uint32_t table = patch_rows_ * patch_size_;
    run(language_, in.language, robot, language_size_, 1);
    run(state_, state, 0, arm_size_ + gripper_size_, 1);
    run(patch_, in.patches, at, table, latents_);
    run(image_, in.image, at, image_size_, 1);
    if (!hand_) return;
    run(hand_patch_, in.hand_patches, at, table, latents_);
    run(hand_image_, in.hand_image, at, image_size_, 1);
  }

 private:
  void activate(const Case& one, Stem& stem, const std::vector<std::uint32_t>& shape,
                std::uint32_t tokens, const std::vector<std::string>& prefixes,
                const ParameterList& parameters) {
    const auto parameter_view = parameters.view();
    const auto weights = weights_of(one, prefixes);
    StemSpec spec;
    spec.rank = static_cast<std::uint32_t>(shape.size());
    std::copy(shape.begin(), shape.end(), spec.shape);
    spec.tokens = tokens;
    spec.width = width_;
    spec.parameters = parameter_view;
    spec.weights = weights;
    Message why;
    if (!stem.activate(spec, why).ok()) throw std::runtime_error(why.text);
  }

  std::uint32_t width_, latents_ = 0, language_size_ = 0, arm_size_ = 0, gripper_size_ = 0,
                        image_size_ = 0, patch_rows_ = 0, patch_size_ = 0;
  bool hand_;
  stems::Gr1LanguageStem language_;
  stems::Gr1StateStem state_;
  stems::Gr1PatchStem patch_, hand_patch_;
  stems::Gr1ImageStem image_, hand_image_;
};

/// Outputs of a step's queries -> what the case wants of them.
class Heads {
 public:
  explicit Heads(const Case& one) : width_(one.count("hidden_size")) {
    const auto targets =
        nlohmann::json::parse(one.text("training_target")).get<std::vector<std::string>>();
    const auto wants = [&](const char* target) {
      return std::ranges::find(targets, target) != targets.end();
    };
    if (wants("act_pred")) {
      dof_ = one.count("act_dim");
      add_queries(one, "action_queries.weight");
    }
    if (wants("fwd_pred")) add_camera(one, "obs");
    if (wants("fwd_pred_hand")) add_camera(one, "obs_hand");
    if (dof_ > 0) activate_actions(one);
    if (!cameras_.empty()) activate_decoder(one);
  }

  const Numbers& queries() const noexcept { return queries_; }
  std::uint32_t count() const noexcept {
    return static_cast<std::uint32_t>(queries_.size() / width_);
  }

  /// Appends what the outputs of one step's queries mean.
  void decode(const float* features, Outputs& out) {
    if (dof_ > 0) {
      Numbers action(dof_);
      expect_ok(action_.decode({features, count(), width_}, {action.data(), 1, dof_}), "decode");
      append(out["arm_action"], action.begin(), action.end() - 1);
      out["gripper_logit"].push_back(action.back());
    }
    for (const auto& camera : cameras_) {
      Numbers picture(std::size_t{patches_} * patch_size_);
      expect_ok(
          decoder_.run({features + std::size_t{camera.first} * width_, queries_of_camera_, width_},
                       {picture.data(), patches_, patch_size_}),
          "run");
      for (const auto index : wanted_) {
        const auto from = picture.begin() + static_cast<std::ptrdiff_t>(index * patch_size_);
        append(out[camera.name + "_preds_subset"], from,
               from + static_cast<std::ptrdiff_t>(patch_size_));
      }
    }
  }
  /// Appends the action as the robot gets it.
  void act(const float* features, Outputs& out) {
    if (dof_ == 0) return;
    Numbers action(dof_);
    expect_ok(env_action_.decode({features, count(), width_}, {action.data(), 1, dof_}), "decode");
    append(out["env_action"], action.begin(), action.end());
  }

 private:
  struct Camera {
    std::string name;
    std::uint32_t first;  ///< of its queries
  };

  template <class It>
  static void append(Numbers& to, It first, It last) {
    to.insert(to.end(), first, last);
  }
  void add_queries(const Case& one, const std::string& name) {
    const Numbers own = one.weight(name);
    append(queries_, own.begin(), own.end());
  }
  static void check(Status done, const Message& why) {
    if (!done.ok()) throw std::runtime_error(why.text);
  }
  void add_camera(const Case& one, const std::string& name) {
    cameras_.push_back({name, count()});
    add_queries(one, name + "_queries.weight");
    queries_of_camera_ = count() - cameras_.back().first;
  }
  void activate_actions(const Case& one) {
    const auto weights = weights_of(one, {"pred_act_mlps.", "pred_arm_act.", "pred_gripper_act."});
    const Parameter logit[] = {{"gripper", "logit"}};
    HeadSpec spec;
    spec.features = count();
    spec.width = width_;
    spec.horizon = 1;
    spec.dof = dof_;
    spec.weights = weights;
    Message why;
    check(env_action_.activate(spec, why), why);
    spec.parameters = logit;
    check(action_.activate(spec, why), why);
  }
  void activate_decoder(const Case& one) {
    ParameterList parameters;
    parameters.copy(one, {"decoder_num_heads", "decoder_depth"});
    const auto parameter_view = parameters.view();
    const auto weights = weights_of(one, {"decoder_", "mask_token"});
    patches_ = one.count("n_image_patches");
    patch_size_ = 3 * one.count("patch_size") * one.count("patch_size");
    HeadSpec spec;
    spec.features = queries_of_camera_;
    spec.width = width_;
    spec.horizon = patches_;
    spec.dof = patch_size_;
    spec.parameters = parameter_view;
    spec.weights = weights;
    Message why;
    check(decoder_.activate(spec, why), why);
    for (const auto index : one.integers("in.obs_preds_patch_index")) {
      if (index < 0 || index >= patches_)
        throw std::runtime_error("in.obs_preds_patch_index names a patch that is none");
      wanted_.push_back(static_cast<std::size_t>(index));
    }
  }

  std::uint32_t width_, dof_ = 0, queries_of_camera_ = 0, patches_ = 0, patch_size_ = 0;
  Numbers queries_;  // (count, width)
  heads::Gr1ActionHead action_, env_action_;
  heads::Gr1ImageDecoder decoder_;
  std::vector<Camera> cameras_;
  std::vector<std::size_t> wanted_;
};

}  // namespace cambium::parity::gr1
