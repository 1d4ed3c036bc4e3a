// core/nn/bundle.hpp: what was learned for one embodiment on one trunk, as a verified file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/frame.hpp"
#include "cambium/result.hpp"
#include "cambium/robot.hpp"
#include "core/nn/normaliser.hpp"
#include "core/nn/pooling.hpp"
#include "core/nn/safetensors.hpp"
#include "core/nn/stock.hpp"

namespace cambium::nn {

const char* to_string(ActionKind kind) noexcept;

/// One sensor's place among the tokens.
struct LayoutEntry {
  std::string sensor;                ///< "joint_position"
  std::string stem;                  ///< kind: "token"
  std::vector<std::uint32_t> shape;  ///< of one observation
  std::uint32_t tokens = 1;
  bool shared = false;  ///< its stem belongs to the stock
  Parameters parameters;

  std::uint32_t size() const noexcept;  ///< numbers in one observation
};

/// Everything in a bundle but tensors; immutable once read.
struct BundleSpec {
  std::string embodiment;
  std::string trunk_id;       ///< 64 hex digits
  std::uint32_t width = 0;    ///< of a token
  std::uint32_t horizon = 0;  ///< actions in a chunk
  std::uint32_t dof = 0;      ///< numbers in an action
  ActionKind action_kind = ActionKind::joint_velocity;
  double control_hz = 0;                  ///< [Hz]
  std::uint32_t observation_horizon = 1;  ///< observations in a window
  Pooling pooling = Pooling::mean;
  std::uint32_t pooled = 1;         ///< rows that the trunk returns for action_token
  std::vector<LayoutEntry> layout;  ///< the tokens, in order
  std::string head;                 ///< kind: "mlp"
  Parameters head_parameters;
  std::optional<float> clamp;  ///< normalised inputs are clamped to +- this
  std::string trained;         ///< for people

  std::uint32_t tokens() const noexcept;    ///< of the layout, without action tokens
  std::uint32_t features() const noexcept;  ///< rows that the trunk returns
  const LayoutEntry* find(std::string_view sensor) const noexcept;
};

/// A verified bundle file. Weights are views into the file's bytes. [setup]
class Bundle {
 public:
  /// Refuses what is missing, unknown, of a wrong type, shape or value, naming file, key, value and
  /// the nearest valid name. Weights are finite F32; whether they fit a stem or head is for its
  /// activate() to say. check: as SafetensorsFile's.
  static Result<Bundle> open(const std::filesystem::path& file, const base::FileCheck& check = {});

  const SafetensorsFile& file() const noexcept { return file_; }
  const BundleSpec& spec() const noexcept { return spec_; }

  /// Weights of a private stem, of the head: names without prefix; live as long as this bundle.
  std::vector<TensorView> stem_weights(std::string_view sensor) const;
  std::vector<TensorView> head_weights() const;
  /// (pooled, width), empty unless pooling is action_token.
  std::span<const float> action_tokens() const noexcept { return action_tokens_; }

  /// Of a sensor of the layout; clamps as the bundle says.
  const Normaliser& normaliser(std::string_view sensor) const {
    return normalisers_.at(std::string(sensor));
  }
  const Normaliser& action_normaliser() const { return normalisers_.at("action"); }

 private:
  Result<void> read_normaliser(const std::string& name, std::uint32_t size,
                               std::optional<float> clamp);
  Result<void> read_tensors();

  SafetensorsFile file_;
  BundleSpec spec_;
  std::span<const float> action_tokens_;
  std::map<std::string, Normaliser> normalisers_;
};

/// Whether a bundle was made for this stock: trunk id, width, every shared stem. `incompatible`
/// names both sides. [setup]
Result<void> check_fits(const Bundle& bundle, const Stock& stock);

/// Where tensors of a bundle lie.
std::string stem_prefix(std::string_view embodiment, std::string_view sensor);
std::string head_prefix(std::string_view embodiment);
std::string normaliser_prefix(std::string_view embodiment, std::string_view sensor);

/// Writes a bundle and opens it again, so that what is returned is what a reader sees. Tensors
/// carry their full names. [setup]
Result<Bundle> write_bundle(const std::filesystem::path& file, const BundleSpec& spec,
                            std::span<const TensorToWrite> tensors);

}  // namespace cambium::nn
