// core/learn/streaming_trunk.hpp: the trunk `streaming`, forward and back over whole windows. While
// a window fits into its cache (sinks and recent tokens) nothing is evicted, and streaming
// attention is causal attention; only such windows are trained on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/learn/causal_attention.hpp"
#include "core/learn/layers.hpp"
#include "core/learn/parameters.hpp"

namespace cambium::learn {

template <class T>
struct StreamingBlockTrace {
  std::vector<T> unit_1, inverse_1, normed_1, q, k, v, context;
  CausalTrace<T> attention;
  std::vector<T> unit_2, inverse_2, normed_2, gate, up, silu, slope, hidden;
};

template <class T>
struct StreamingTrace {
  std::vector<StreamingBlockTrace<T>> blocks;
  std::vector<T> unit, inverse;                     ///< of the final norm
  std::vector<T> wide, wide_2, narrow, dq, dk, dv;  ///< scratch
};

/// x += o(attention(q, k, v of RMSNorm(x))); x += down(SiLU(gate(n)) * up(n)), n = RMSNorm(x).
struct StreamingBlock {
  std::size_t norm_1 = 0, norm_2 = 0;
  Linear q, k, v, o, gate, up, down;

  StreamingBlock(ParameterLayout& layout, const std::string& prefix, std::size_t width,
                 std::size_t hidden);
};

/// Blocks and a final RMSNorm; tensors as LLaMA's checkpoints name them, below "trunk.".
class StreamingTrunk {
 public:
  struct Spec {
    std::size_t width = 0, blocks = 0, heads = 0;
    std::size_t hidden = 0;  ///< of the SwiGLU
    double rope_theta = 10000;
  };
  StreamingTrunk(ParameterLayout& layout, const Spec& spec);

  /// x (batch * tokens, width) is changed in place; attention never leaves a sample's tokens.
  template <class T>
  void forward(const T* weights, std::size_t batch, std::size_t tokens, T* x,
               StreamingTrace<T>& trace) const;
  /// dx: gradient of what comes out becomes gradient of what went in. Writes the trunk's part of
  /// `gradient` unless null.
  template <class T>
  void backward(const T* weights, T* gradient, std::size_t batch, std::size_t tokens,
                StreamingTrace<T>& trace, T* dx) const;

  /// Multiplications of one sample's products, forward.
  double multiply_adds(std::size_t tokens) const;

 private:
  template <class T>
  void forward(const StreamingBlock& block, const T* weights, const CausalShape& shape, T* x,
               StreamingBlockTrace<T>& t) const;
  template <class T>
  void backward(const StreamingBlock& block, const T* weights, T* gradient,
                const CausalShape& shape, StreamingBlockTrace<T>& t, StreamingTrace<T>& s,
                T* dx) const;

  Spec spec_;
  std::vector<StreamingBlock> blocks_;
  std::size_t norm_ = 0;
};

}  // namespace cambium::learn
