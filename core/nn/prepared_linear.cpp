#include "core/nn/prepared_linear.hpp"

#include <utility>
#include <vector>

#include "core/nn/kernels.hpp"
#ifdef CAMBIUM_HAVE_ONEDNN
#include "core/nn/onednn_linear.hpp"
#endif

namespace cambium::nn {
namespace {

class EigenLinear final : public PreparedLinear {
 public:
  explicit EigenLinear(const PreparedLinearSpec& spec)
      : spec_(spec),
        weight_(spec.weight, spec.weight + std::size_t{spec.out} * spec.in),
        bias_(spec.bias, spec.bias + spec.out) {}

  Status run(const float* x, std::uint32_t rows, float* y) noexcept override {
    const int parts = static_cast<int>(spec_.threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int part = 0; part < parts; ++part) run_part(x, rows, y, static_cast<std::uint32_t>(part));
    return {};
  }

 private:
  /// The columns of y that belong to one thread.
  void run_part(const float* x, std::uint32_t rows, float* y, std::uint32_t part) const noexcept {
    const std::size_t first = std::size_t{spec_.out} * part / spec_.threads;
    const std::size_t last = std::size_t{spec_.out} * (part + 1) / spec_.threads;
    const Kernels& k = kernels();
    k.product({.x = x,
               .x_stride = spec_.in,
               .rows = rows,
               .weight = weight_.data() + first * spec_.in,
               .bias = bias_.data() + first,
               .in = spec_.in,
               .out = last - first,
               .y = y + first,
               .y_stride = spec_.out,
               .add = spec_.epilogue == Epilogue::add});
    if (spec_.epilogue != Epilogue::gelu) return;
    for (std::size_t r = 0; r < rows; ++r) k.gelu(y + r * spec_.out + first, last - first);
  }

  PreparedLinearSpec spec_;
  std::vector<float> weight_, bias_;
};

}  // namespace

Backend default_backend() noexcept {
#ifdef CAMBIUM_HAVE_ONEDNN
  return Backend::onednn;
#else
  return Backend::eigen;
#endif
}

std::uint32_t padded_rows(std::uint32_t rows) noexcept {
  const std::uint32_t step = rows <= 64 ? 8 : rows <= 256 ? 32 : 128;
  return (rows + step - 1) / step * step;
}

Result<std::unique_ptr<PreparedLinear>> prepare_linear(const PreparedLinearSpec& spec) {
  if (spec.threads == 0 || spec.threads > 1024 || spec.max_rows == 0) {
    return Error{Code::bad_argument, "a product was asked for with " +
                                         std::to_string(spec.threads) + " threads and " +
                                         std::to_string(spec.max_rows) +
                                         " rows; expected 1 to 1024 threads and at least one row"};
  }
  if (spec.backend == Backend::eigen) return {std::make_unique<EigenLinear>(spec)};
#ifdef CAMBIUM_HAVE_ONEDNN
  return prepare_onednn_linear(spec);
#else
  return Error{Code::unavailable,
               "backend 'onednn' was not built in (CAMBIUM_ONEDNN=OFF); use backend 'eigen'"};
#endif
}

}  // namespace cambium::nn
