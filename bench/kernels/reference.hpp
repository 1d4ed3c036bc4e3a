// bench/kernels/reference.hpp: what the kernels mean, in double and without haste.
#pragma once

#include <vector>

#include "core/nn/kernels.hpp"

namespace cambium::bench::reference {

using Numbers = std::vector<double>;

Numbers layer_norm(const std::vector<float>& x, std::size_t width, const std::vector<float>& weight,
                   const std::vector<float>& bias, double eps);
Numbers softmax(const std::vector<float>& x);
/// (rows, heads * dim) without gaps.
Numbers attention(const nn::AttentionArgs& args);
/// To the nearest bf16, ties to even.
Numbers to_bf16(const std::vector<float>& x);
/// To the nearest of 255 steps, the largest |x| exactly.
Numbers quantised(const std::vector<float>& x);
/// Without `add`.
Numbers rescale(const nn::RescaleArgs& args);
Numbers gelu(const std::vector<float>& x);
Numbers silu(const std::vector<float>& x);
Numbers mish(const std::vector<float>& x);
Numbers tanh(const std::vector<float>& x);

}  // namespace cambium::bench::reference
