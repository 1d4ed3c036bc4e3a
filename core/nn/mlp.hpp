// core/nn/mlp.hpp: the multilayer perceptron that HPT's stems and heads share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/nn/linear.hpp"

namespace cambium::nn {

struct MlpSpec {
  std::uint32_t in = 0, out = 0;
  std::vector<std::uint32_t> widths;  ///< of the hidden layers
  bool ln = false;       ///< LayerNorm (eps 1e-5) after each hidden layer but the first
  bool dropout = false;  ///< trained with dropout: it does nothing here but takes a number in names
  bool tanh_end = false;
};

/// Linear, SiLU, then for each further width Linear, (LayerNorm), SiLU; at the end Linear, (tanh).
/// Layers are numbered as in a torch Sequential: `prefix`0, `prefix`2, …
class Mlp {
 public:
  Mlp() = default;
  /// Takes its weights and sizes its buffers for up to `max_rows` rows. [setup]
  Mlp(WeightReader& weights, const std::string& prefix, const MlpSpec& spec,
      std::uint32_t max_rows);

  /// x (rows, in), y (rows, out); rows <= max_rows. [loop & active, rt]
  void run(const float* x, std::uint32_t rows, float* y) noexcept;

 private:
  struct Hidden {
    Linear linear;
    LayerNorm norm;
    bool normed = false;
  };
  std::vector<Hidden> hidden_;
  Linear last_;
  bool tanh_end_ = false;
  std::vector<float> ping_, pong_;  // (max_rows, widest hidden layer)
};

}  // namespace cambium::nn
