// tests/support/weights.hpp: made-up tensors for stems, heads and trunks under test.
#pragma once

#include <cmath>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string>
#include <vector>

#include "cambium/frame.hpp"

namespace cambium::test {

/// Owns tensors and hands out views of them. Contents are fixed, small and different from each
/// other.
class WeightSet {
 public:
  WeightSet() = default;
  WeightSet(const WeightSet&) = delete;  // views point into it
  WeightSet& operator=(const WeightSet&) = delete;

  void add(std::string name, std::vector<std::uint64_t> shape) {
    std::uint64_t size = 1, fan = 1;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      size *= shape[i];
      if (i > 0) fan *= shape[i];
    }
    std::vector<float> values(size);
    for (auto& value : values) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      const double unit = static_cast<double>(state_ >> 33) / 2147483648.0 - 0.5;
      value = static_cast<float>(2 * unit / std::sqrt(static_cast<double>(fan)));
    }
    add(std::move(name), std::move(shape), std::move(values));
  }

  void add(std::string name, std::vector<std::uint64_t> shape, std::vector<float> values) {
    tensors_.push_back({std::move(name), std::move(shape), std::move(values)});
  }

  /// `name`.weight (out, in) and `name`.bias (out).
  void linear(const std::string& name, std::uint64_t in, std::uint64_t out, bool bias = true) {
    add(name + ".weight", {out, in});
    if (bias) add(name + ".bias", {out});
  }
  /// The weight and bias of a norm.
  void norm(const std::string& name, std::uint64_t width) {
    add(name + ".weight", {width});
    add(name + ".bias", {width});
  }
  /// A convolution's weight (first, second, kernel) and bias.
  void conv(const std::string& name, std::uint64_t first, std::uint64_t second,
            std::uint64_t kernel, std::uint64_t bias) {
    add(name + ".weight", {first, second, kernel});
    add(name + ".bias", {bias});
  }

  std::vector<TensorView> views() const {
    std::vector<TensorView> all;
    for (const auto& tensor : tensors_) {
      TensorView view{tensor.name.c_str(),
                      tensor.values.data(),
                      static_cast<std::uint32_t>(tensor.shape.size()),
                      {}};
      for (std::size_t i = 0; i < tensor.shape.size(); ++i) view.shape[i] = tensor.shape[i];
      all.push_back(view);
    }
    return all;
  }

 private:
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::vector<float> values;
  };
  std::deque<Tensor> tensors_;
  std::uint64_t state_ = 1;
};

}  // namespace cambium::test
