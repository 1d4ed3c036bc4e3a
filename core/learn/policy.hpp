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

/// One sensor's token: an MLP from one observation to one token.
struct TokenStem {
  std::string sensor;
  std::size_t size = 0;  ///< numbers in one observation
  bool shared = false;
  Mlp net;
};

/// One embodiment: its tokens in order, and its head.
struct Body {
  std::string name;
  std::vector<TokenStem> stems;
  Mlp head;
  std::size_t outputs = 0;  ///< horizon * dof
  Range own;                ///< private stems and head in the flat vector
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
  std::vector<T> tokens, features, dtoken, dfeatures, positions;
  MlpTrace<T> head;
};

/// Stock first in the flat vector, then body after body.
class Policy {
 public:
  /// The architectures that can be trained: "hpt", "streaming". [any]
  static Result<void> can_train(const std::string& architecture);

  /// can_train(shape.architecture); of `streaming`, hyper_parameters has intermediate_size and
  /// rope_theta.
  explicit Policy(const nn::TrunkShape& shape);

  /// All shared stems come before the first body.
  void add_shared_stem(const std::string& sensor, std::size_t size,
                       const std::vector<std::uint32_t>& widths);

  struct SensorSize {
    std::string sensor;
    std::size_t size = 0;
    bool shared = false;
  };
  void add_body(const std::string& name, const std::vector<SensorSize>& sensors,
                std::size_t outputs, const std::vector<std::uint32_t>& stem_widths,
                const std::vector<std::uint32_t>& head_widths);

  const nn::TrunkShape& shape() const noexcept { return shape_; }
  const ParameterLayout& layout() const noexcept { return layout_; }
  const std::vector<Body>& bodies() const noexcept { return bodies_; }
  struct SharedStem {
    std::string sensor;
    Mlp net;
  };
  /// In the order in which they were added, which is the order of their tokens on every body.
  const std::vector<SharedStem>& shared_stems() const noexcept { return shared_; }
  /// Trunk and shared stems in the flat vector.
  Range stock() const noexcept { return stock_; }

  /// inputs[i] (rows, size) of the i-th sensor, normalised, rows = windows * ticks; result
  /// (rows, outputs) in trace.head.out.
  template <class T>
  void forward(const T* weights, const Body& body, Batch batch, const std::vector<const T*>& inputs,
               PolicyTrace<T>& trace) const;

  /// dout (rows, outputs). Writes the body's part of `gradient`, and the stock's unless frozen.
  template <class T>
  void backward(const T* weights, T* gradient, bool stock_is_frozen, const Body& body, Batch batch,
                const std::vector<const T*>& inputs, PolicyTrace<T>& trace, const T* dout) const;

  /// Of one training sample, products only: forward, and back as far as needed.
  double flops(const Body& body, std::size_t ticks, bool stock_is_frozen) const;

 private:
  nn::TrunkShape shape_;
  ParameterLayout layout_;
  std::vector<Block> blocks_;                // of an HPT trunk
  std::optional<StreamingTrunk> streaming_;  // else
  std::vector<SharedStem> shared_;
  std::vector<Body> bodies_;
  Range stock_;
};

}  // namespace cambium::learn
