// core/learn/policy.hpp: a trunk, its shared stems and the bodies that are trained on it, as one
// function of one flat vector of weights.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/learn/layers.hpp"
#include "core/learn/parameters.hpp"
#include "core/learn/streaming_trunk.hpp"
#include "core/nn/stock.hpp"

namespace cambium::learn {

/// One sensor's tokens: an MLP that makes one of what it is told about one thing, be it the whole
/// observation or, of the joints stem, a single joint.
struct TokenStem {
  std::string sensor;
  std::size_t size = 0;    ///< numbers in one observation, all tokens'
  std::size_t tokens = 1;  ///< each of size / tokens numbers
  bool shared = false;
  Mlp net;
};

enum class HeadKind : std::uint8_t {
  mlp,    ///< mean of all rows -> all actions
  joint,  ///< the joint's row and that mean -> the joint's actions, the same net for every joint
};

/// One embodiment, or several that are alike but for their numbers: tokens in order, and a head.
struct Body {
  std::string name;
  std::vector<TokenStem> stems;
  std::size_t tokens = 0;  ///< of all stems
  HeadKind head_kind = HeadKind::mlp;
  bool head_is_shared = false;
  std::size_t horizon = 0, dof = 0;
  std::size_t first_joint = 0;  ///< its token, for a joint head
  Mlp head;
  Range own;  ///< private stems and head in the flat vector

  std::size_t outputs() const noexcept { return horizon * dof; }
  std::size_t features() const noexcept;  ///< numbers that the head reads of one observation
};

/// Samples of a pass: each is a window of ticks that follow one another. A trunk that remembers
/// sees in each tick those before it; to one that does not, a window is one tick.
struct Batch {
  std::size_t windows = 0, ticks = 1;

  Batch(std::size_t count, std::size_t ticks_each = 1) : windows(count), ticks(ticks_each) {}
  std::size_t rows() const noexcept { return windows * ticks; }
};

/// What a pass over one body's samples leaves behind.
template <class T>
struct PolicyTrace {
  std::vector<MlpTrace<T>> stems;
  std::vector<BlockTrace<T>> blocks;
  BlockScratch<T> scratch;
  StreamingTrace<T> streaming;
  std::vector<T> tokens, dtoken, positions;
  std::vector<T> features;  ///< (rows, body.features())
  MlpTrace<T> head;
  std::vector<T> actions;  ///< of a joint head; an MLP's are head.out
  std::vector<T> dfeatures, dactions;
};

/// Stock first in the flat vector, then body after body.
class Policy {
 public:
  /// The architectures that can be trained: "hpt", "streaming". [any]
  static Result<void> can_train(const std::string& architecture);

  /// can_train(shape.architecture); of `streaming`, hyper_parameters has intermediate_size and
  /// rope_theta.
  explicit Policy(const nn::TrunkShape& shape);

  /// All that is shared comes before the first body. An empty shape: the joints stem, which reads
  /// nn::JointChain's features and makes one token a joint.
  void add_shared_stem(const std::string& sensor, const std::vector<std::uint32_t>& shape,
                       const std::vector<std::uint32_t>& widths);
  /// A joint head for all bodies that ask for it.
  void add_shared_head(std::size_t horizon, const std::vector<std::uint32_t>& widths);

  struct StemSpec {
    std::string sensor;
    std::size_t size = 0;
    bool shared = false;
    std::vector<std::uint32_t> widths = {};  ///< not looked at if shared
    std::size_t tokens = 1;
  };
  struct HeadSpec {
    std::size_t horizon = 0, dof = 0;
    std::vector<std::uint32_t> widths = {};  ///< not looked at if shared
    HeadKind kind = HeadKind::mlp;
    bool shared = false;
  };
  /// A joint head needs a stem of joint_position with a token a joint.
  void add_body(const std::string& name, const std::vector<StemSpec>& stems, const HeadSpec& head);

  const nn::TrunkShape& shape() const noexcept { return shape_; }
  const ParameterLayout& layout() const noexcept { return layout_; }
  const std::vector<Body>& bodies() const noexcept { return bodies_; }
  struct SharedStem {
    std::string sensor;
    std::vector<std::uint32_t> shape;  ///< empty: the joints stem
    Mlp net;
  };
  struct SharedHead {
    std::size_t horizon = 0;
    Mlp net;
  };
  /// In the order in which they were added, which is the order of their tokens on every body.
  const std::vector<SharedStem>& shared_stems() const noexcept { return shared_; }
  const std::optional<SharedHead>& shared_head() const noexcept { return shared_head_; }
  /// Trunk, shared stems and shared head in the flat vector.
  Range stock() const noexcept { return stock_; }

  /// inputs[i] (rows, size) of the i-th sensor, normalised, rows = windows * ticks; returns
  /// (rows, outputs), which lies in the trace.
  template <class T>
  const T* forward(const T* weights, const Body& body, Batch batch,
                   const std::vector<const T*>& inputs, PolicyTrace<T>& trace) const;

  /// dout (rows, outputs). Writes the body's part of `gradient`, and the stock's unless frozen.
  template <class T>
  void backward(const T* weights, T* gradient, bool stock_is_frozen, const Body& body, Batch batch,
                const std::vector<const T*>& inputs, PolicyTrace<T>& trace, const T* dout) const;

  /// The same in two halves, for who computes the first one once: into trace.features, and from
  /// features (rows, body.features()), wherever they lie. dfeatures may be null.
  template <class T>
  void forward_features(const T* weights, const Body& body, Batch batch,
                        const std::vector<const T*>& inputs, PolicyTrace<T>& trace) const;
  template <class T>
  const T* forward_head(const T* weights, const Body& body, std::size_t rows, const T* features,
                        PolicyTrace<T>& trace) const;
  template <class T>
  void backward_head(const T* weights, T* gradient, const Body& body, std::size_t rows,
                     const T* features, PolicyTrace<T>& trace, const T* dout, T* dfeatures) const;

  /// Of one training sample, products only: forward, and back as far as needed.
  double flops(const Body& body, std::size_t ticks, bool stock_is_frozen) const;
  double head_flops(const Body& body) const;  ///< of its head alone

 private:
  nn::TrunkShape shape_;
  ParameterLayout layout_;
  std::vector<Block> blocks_;                // of an HPT trunk
  std::optional<StreamingTrunk> streaming_;  // else
  std::vector<SharedStem> shared_;
  std::optional<SharedHead> shared_head_;
  std::vector<Body> bodies_;
  Range stock_;
};

}  // namespace cambium::learn
