#include "bench/kernels/reference.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::bench::reference {
namespace {

template <class Function>
Numbers each(const std::vector<float>& x, const Function& function) {
  Numbers y;
  for (const double value : x) y.push_back(function(value));
  return y;
}

double gelu(double x) {
  return x / 2 * std::erfc(-x / std::sqrt(2.0));
}

void make_softmax(Numbers& x) {
  const double largest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& value : x) sum += value = std::exp(value - largest);
  for (double& value : x) value /= sum;
}

}  // namespace

Numbers layer_norm(const std::vector<float>& x, std::size_t width, const std::vector<float>& weight,
                   const std::vector<float>& bias, double eps) {
  Numbers y;
  for (std::size_t row = 0; row < x.size(); row += width) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < width; ++i) mean += double{x[row + i]};
    mean /= static_cast<double>(width);
    for (std::size_t i = 0; i < width; ++i) variance += std::pow(double{x[row + i]} - mean, 2);
    variance /= static_cast<double>(width);
    for (std::size_t i = 0; i < width; ++i) {
      const double normal = (double{x[row + i]} - mean) / std::sqrt(variance + eps);
      y.push_back(normal * double{weight[i]} + double{bias[i]});
    }
  }
  return y;
}

Numbers softmax(const std::vector<float>& x) {
  Numbers y(x.begin(), x.end());
  make_softmax(y);
  return y;
}

Numbers attention(const nn::AttentionArgs& a) {
  const std::size_t width = a.last_head * a.dim, keys = a.keys + (a.bias_key != nullptr ? 1 : 0);
  const auto key = [&](std::size_t i) { return i < a.keys ? a.k + i * a.kv_stride : a.bias_key; };
  const auto value = [&](std::size_t i) {
    return i < a.keys ? a.v + i * a.kv_stride : a.bias_value;
  };
  Numbers out(a.rows * width, 0.0);
  for (std::size_t row = 0; row < a.rows; ++row) {
    for (std::size_t first = a.first_head * a.dim; first < width; first += a.dim) {
      Numbers scores(keys, 0.0);
      for (std::size_t i = 0; i < keys; ++i) {
        for (std::size_t d = first; d < first + a.dim; ++d)
          scores[i] += double{a.q[row * a.q_stride + d]} * double{key(i)[d]};
        scores[i] *= double{a.scale};
      }
      make_softmax(scores);
      for (std::size_t i = 0; i < keys; ++i)
        for (std::size_t d = first; d < first + a.dim; ++d)
          out[row * width + d] += scores[i] * double{value(i)[d]};
    }
  }
  return out;
}

Numbers to_bf16(const std::vector<float>& x) {
  return each(x, [](double v) {
    int exponent = 0;
    const double fraction = std::frexp(v, &exponent);  // |fraction| in [0.5, 1), 8 bits of it stay
    return std::ldexp(std::nearbyint(fraction * 256), exponent - 8);
  });
}

Numbers quantised(const std::vector<float>& x) {
  double largest = 0;
  for (const double v : x) largest = std::max(largest, std::abs(v));
  const double scale = largest / 127;
  return each(x, [=](double v) { return std::nearbyint(v / scale) * scale; });
}

Numbers rescale(const nn::RescaleArgs& a) {
  Numbers y;
  for (std::size_t i = 0; i < a.rows * a.n; ++i) {
    const std::size_t row = i / a.n, column = i % a.n;
    const double sum = static_cast<double>(a.sums[i]) - static_cast<double>(a.offsets[column]);
    const double v =
        sum * double{a.row_scales[row]} * double{a.scales[column]} + double{a.bias[column]};
    y.push_back(a.gelu ? gelu(v) : v);
  }
  return y;
}

Numbers gelu(const std::vector<float>& x) {
  return each(x, [](double v) { return gelu(v); });
}

Numbers silu(const std::vector<float>& x) {
  return each(x, [](double v) { return v / (1 + std::exp(-v)); });
}

Numbers mish(const std::vector<float>& x) {
  return each(x, [](double v) { return v * std::tanh(std::log1p(std::exp(v))); });
}

Numbers tanh(const std::vector<float>& x) {
  return each(x, [](double v) { return std::tanh(v); });
}

}  // namespace cambium::bench::reference
