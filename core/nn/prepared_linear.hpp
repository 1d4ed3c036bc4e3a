// core/nn/prepared_linear.hpp: one large Linear, prepared for a backend that is chosen at run time.
// For the trunk; the small matrices of stems and heads use Linear.
#pragma once

#include <cstdint>
#include <memory>

#include "cambium/result.hpp"
#include "core/nn/backend.hpp"

namespace cambium::nn {

/// What happens to x W^T + b before it is stored.
enum class Epilogue : std::uint8_t {
  none,
  gelu,  ///< erf-GELU
  add    ///< added to what y holds
};

struct PreparedLinearSpec {
  Backend backend = default_backend();
  std::uint32_t threads = 1;
  std::uint32_t max_rows = 1;
  std::uint32_t in = 0, out = 0;
  Epilogue epilogue = Epilogue::none;
  const float* weight = nullptr;  ///< (out, in) row-major; borrowed until prepare_linear() returns
  const float* bias = nullptr;    ///< (out)
};

/// Rows are computed in groups of a few sizes, so that each size is prepared once: buffers of x and
/// y hold this many rows, of which those beyond `rows` may be read and overwritten. [any, rt]
std::uint32_t padded_rows(std::uint32_t rows) noexcept;

/// One thread at a time.
class PreparedLinear {
 public:
  virtual ~PreparedLinear() = default;

  /// x (padded_rows(rows), in), y (padded_rows(rows), out), without gaps. [loop, rt but for what
  /// oneDNN does: the first call with a padded size prepares it, and every call makes a small
  /// argument table inside the library]
  virtual Status run(const float* x, std::uint32_t rows, float* y) noexcept = 0;
};

/// unavailable if the backend was not built in. [setup]
Result<std::unique_ptr<PreparedLinear>> prepare_linear(const PreparedLinearSpec& spec);

}  // namespace cambium::nn
