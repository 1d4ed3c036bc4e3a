// core/learn/parameters.hpp: where each learned tensor lies in one flat vector, and how it begins.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cambium::learn {

/// One tensor; begins uniform in +- `spread`, or at 1 for the scales of norms.
struct ParameterPlace {
  std::string name;  ///< as in the file: "trunk.blocks.0.norm_1.weight"
  std::vector<std::uint64_t> shape;
  std::size_t offset = 0;
  std::size_t size = 0;
  double spread = 0;
  double start = 0;
};

/// Half-open range of the flat vector.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const noexcept { return end - begin; }
};

/// The layout of a policy's weights, gradients and optimiser moments, which all look alike.
class ParameterLayout {
 public:
  /// Offset of the new tensor.
  std::size_t add(std::string name, std::vector<std::uint64_t> shape, double spread,
                  double start = 0);
  std::size_t size() const noexcept { return size_; }
  const std::vector<ParameterPlace>& places() const noexcept { return places_; }

  /// First values, the same for the same seed; each tensor depends on its own name only, so that a
  /// body begins alike whoever is trained beside it.
  std::vector<float> initial(std::uint64_t seed) const;

 private:
  std::vector<ParameterPlace> places_;
  std::size_t size_ = 0;
};

}  // namespace cambium::learn
