// core/learn/layers.hpp: the parts a policy is made of, forward and back. A layer is where its
// weights lie; what a pass leaves behind for the way back is its trace.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/learn/parameters.hpp"

namespace cambium::learn {

// All layers: `weights` and `gradient` are whole flat vectors. backward() writes this layer's part
// of `gradient` (it does not add), or nothing if that is null: the layer is frozen, and gradients
// only pass through. dx may be null where nobody asks for it.

inline constexpr std::size_t kNoBias = static_cast<std::size_t>(-1);

/// y = x W^T + b, or without b
struct Linear {
  std::size_t weight = 0, bias = 0;  ///< offsets
  std::size_t in = 0, out = 0;

  Linear() = default;
  Linear(ParameterLayout& layout, const std::string& weight_name, const std::string& bias_name,
         std::size_t in, std::size_t out);
  /// Without bias.
  Linear(ParameterLayout& layout, const std::string& weight_name, std::size_t in, std::size_t out);

  /// y is written, or added to if `add`.
  template <class T>
  void forward(const T* weights, std::size_t rows, const T* x, T* y, bool add = false) const;
  /// dx is written, or added to if `add`.
  template <class T>
  void backward(const T* weights, T* gradient, std::size_t rows, const T* x, const T* dy, T* dx,
                bool add = false) const;
};

template <class T>
struct MlpTrace {
  std::vector<std::vector<T>>
      inputs;  ///< of each Linear but the first, whose input is the caller's
  std::vector<std::vector<T>> slopes;  ///< of SiLU before them
  std::vector<T> before, dhidden, dnext;
  std::vector<T> out;
};

/// Linear, SiLU, Linear, … Linear; tensors net.0, net.2, …
struct Mlp {
  std::vector<Linear> layers;

  Mlp() = default;
  Mlp(ParameterLayout& layout, const std::string& prefix, std::size_t in,
      const std::vector<std::uint32_t>& widths, std::size_t out);

  /// Result in trace.out.
  template <class T>
  void forward(const T* weights, std::size_t rows, const T* x, MlpTrace<T>& trace) const;
  template <class T>
  void backward(const T* weights, T* gradient, std::size_t rows, const T* x, MlpTrace<T>& trace,
                const T* dy, T* dx) const;
};

template <class T>
struct BlockTrace {
  std::vector<T> unit_1, inverse_1, normed_1, qkv, attention_weights, context;
  std::vector<T> unit_2, inverse_2, normed_2, hidden, gelu, slope;
};

/// Room for gradients on their way back, shared by all blocks.
template <class T>
struct BlockScratch {
  std::vector<T> wide, dqkv, narrow;
};

/// x += attention(LN(x)); x += mlp(LN(x)): a block of the HPT trunk, names as there.
struct Block {
  std::size_t width = 0, heads = 0;
  std::size_t norm_1_weight = 0, norm_1_bias = 0, norm_2_weight = 0, norm_2_bias = 0;
  std::size_t bias_k = 0, bias_v = 0;
  Linear in_proj, out_proj, fc1, fc2;

  Block() = default;
  Block(ParameterLayout& layout, const std::string& prefix, std::size_t width, std::size_t heads,
        std::size_t mlp_ratio);

  /// x (batch * tokens, width) is changed in place.
  template <class T>
  void forward(const T* weights, std::size_t batch, std::size_t tokens, T* x,
               BlockTrace<T>& trace) const;
  /// dx: gradient of what comes out becomes gradient of what went in.
  template <class T>
  void backward(const T* weights, T* gradient, std::size_t batch, std::size_t tokens,
                const BlockTrace<T>& trace, BlockScratch<T>& scratch, T* dx) const;
};

/// table (rows, width): angle p / 10000^(2 floor(j/2) / width), sine at even j, cosine at odd.
template <class T>
std::vector<T> sinusoid(std::size_t rows, std::size_t width);

}  // namespace cambium::learn
