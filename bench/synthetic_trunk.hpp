// bench/synthetic_trunk.hpp: a trunk of any size from a seed: what a forward costs does not depend
// on what was learned.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/trunk_size.hpp"
#include "cambium/result.hpp"
#include "core/trunk/model.hpp"

namespace cambium::bench {

/// Weights as a checkpoint has them, f32: products +- 1 / sqrt(in), norms that change nothing.
class SyntheticTrunk {
 public:
  explicit SyntheticTrunk(const TrunkSize& size, std::uint64_t seed = 1);

  const TrunkSize& size() const noexcept { return size_; }
  /// Borrows the weights of this for as long as the model lives. [setup]
  Result<std::unique_ptr<trunk::TrunkModel>> load(const trunk::ModelOptions& options) const;

 private:
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::vector<float> values;
  };

  TrunkSize size_;
  std::vector<Tensor> tensors_;
};

}  // namespace cambium::bench
