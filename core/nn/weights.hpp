// core/nn/weights.hpp: tensors found by name and checked against the shape that is expected.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/frame.hpp"
#include "cambium/result.hpp"

namespace cambium::nn {

/// Hands out copies of tensors. The first missing or misshapen one is kept and told by finish(), so
/// that a layer takes all it needs and its owner checks once; until then a failed take() is empty.
/// [setup]
class WeightReader {
 public:
  /// owner   who is being set up, for errors: "stem 'token'"
  WeightReader(std::string owner, std::span<const TensorView> weights);

  /// Contents of the tensor `name`, row-major; empty if it is missing or has another shape.
  std::vector<float> take(const std::string& name, std::initializer_list<std::uint64_t> shape);
  /// One dimension of a tensor whose size only its weights tell; 0 if there is no such dimension.
  std::uint32_t dimension(const std::string& name, std::uint32_t axis);
  /// Tensors whose names begin so may be present and are not read.
  void ignore(std::string prefix);

  bool ok() const noexcept { return problem_.empty(); }
  /// What was wrong first, or a tensor that nobody took.
  Result<void> finish();

 private:
  const TensorView* find(std::string_view name) const;

  std::string owner_;
  std::span<const TensorView> weights_;
  std::vector<std::string> taken_, ignored_;
  std::string problem_;
};

/// "[128, 7]"; a number has "[]". [setup]
std::string shape_text(std::span<const std::uint64_t> shape);

}  // namespace cambium::nn
