#include "core/nn/product.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/nn/kernels.hpp"
#ifdef CAMBIUM_HAVE_ONEDNN
#include "core/nn/onednn_product.hpp"
#endif

namespace cambium::nn {
namespace {

// torch's own layout.
struct EigenWeights final : PackedWeights {
  float* weight = nullptr;
  std::vector<float> bias;
  std::size_t size = 0;

  std::size_t bytes() const noexcept override { return (size + bias.size()) * sizeof(float); }
};

class EigenProduct final : public Product {
 public:
  explicit EigenProduct(const ProductSpec& spec) : spec_(spec) {}

  Result<std::unique_ptr<PackedWeights>> pack(const float* weight, const float* bias,
                                              base::HugePages& memory) const override {
    auto packed = std::make_unique<EigenWeights>();
    packed->size = std::size_t{spec_.out} * spec_.in;
    packed->weight = reinterpret_cast<float*>(memory.take(packed->size * sizeof(float)));
    std::copy_n(weight, packed->size, packed->weight);
    packed->bias.assign(bias, bias + spec_.out);
    return std::unique_ptr<PackedWeights>(std::move(packed));
  }

  Status run(const PackedWeights& weights, Activations x, std::uint32_t rows,
             void* y) noexcept override {
    const auto& own = static_cast<const EigenWeights&>(weights);
    auto* out = static_cast<float*>(y);
    const Kernels& k = kernels();
    k.product({.x = static_cast<const float*>(x.data),
               .x_stride = spec_.in,
               .rows = rows,
               .weight = own.weight,
               .bias = own.bias.data(),
               .in = spec_.in,
               .out = spec_.out,
               .y = out,
               .y_stride = spec_.out,
               .add = spec_.epilogue == Epilogue::add});
    if (spec_.epilogue != Epilogue::gelu) return {};
    k.gelu(out, std::size_t{rows} * spec_.out);
    return {};
  }

  std::string implementation() const override { return std::string("Eigen, ") + kernels().name; }

 private:
  ProductSpec spec_;
};

std::string text(const ProductSpec& spec) {
  return std::to_string(spec.in) + " -> " + std::to_string(spec.out) + ", at most " +
         std::to_string(spec.max_rows) + " rows";
}

}  // namespace

Backend default_backend() noexcept {
#ifdef CAMBIUM_HAVE_ONEDNN
  return Backend::onednn;
#else
  return Backend::eigen;
#endif
}

std::uint32_t padded_rows(std::uint32_t rows) noexcept {
  const std::uint32_t step = rows <= 64 ? 1 : rows <= 256 ? 8 : rows <= 512 ? 32 : 128;
  return (rows + step - 1) / step * step;
}

Result<std::unique_ptr<Product>> make_product(const ProductSpec& spec) {
  const bool odd_store =
      spec.y_bf16 && (spec.precision != Precision::bf16 || spec.epilogue == Epilogue::add);
  if (spec.in == 0 || spec.out == 0 || spec.max_rows == 0 || odd_store)
    return Error{Code::bad_argument, "a product was asked for with " + text(spec) +
                                         "; expected at least one of each, and bf16 only from "
                                         "bf16"};
  if (spec.backend == Backend::eigen) {
    if (spec.precision != Precision::f32)
      return Error{Code::unavailable, std::string("backend 'eigen' computes in f32, not in ") +
                                          to_string(spec.precision)};
    return {std::make_unique<EigenProduct>(spec)};
  }
#ifdef CAMBIUM_HAVE_ONEDNN
  return make_onednn_product(spec);
#else
  return Error{Code::unavailable,
               "backend 'onednn' was not built in (CAMBIUM_ONEDNN=OFF); use backend 'eigen'"};
#endif
}

ChosenPrecision choose_precision(Backend backend, Precision wanted) {
#ifdef CAMBIUM_HAVE_ONEDNN
  if (backend == Backend::onednn) return choose_onednn_precision(wanted);
#endif
  (void)backend;
  if (wanted == Precision::f32) return {Precision::f32, "f32 as wanted"};
  return {Precision::f32, std::string("f32 instead of ") + to_string(wanted) +
                              ": backend 'eigen' computes in f32 only"};
}

}  // namespace cambium::nn
