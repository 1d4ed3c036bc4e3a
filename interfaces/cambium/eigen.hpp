// cambium/eigen.hpp: Eigen maps over the views; opt-in, the only public header that knows Eigen.
// Inline, nothing crosses.
#pragma once

#include <Eigen/Core>

#include "cambium/frame.hpp"

namespace cambium {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline auto map(TokensView v) noexcept {
  return Eigen::Map<RowMatrix>(v.data, v.count, v.width);
}
inline auto map(ChunkView v) noexcept {
  return Eigen::Map<RowMatrix>(v.data, v.horizon, v.dof);
}
inline auto map(FeaturesView v) noexcept {
  return Eigen::Map<const RowMatrix>(v.data, v.count, v.width);
}
inline auto map(SensorWindow v) noexcept {
  return Eigen::Map<const RowMatrix>(v.data, v.steps, v.size);
}

}  // namespace cambium
