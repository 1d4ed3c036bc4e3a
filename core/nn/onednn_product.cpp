#include "core/nn/onednn_product.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/kernels.hpp"

namespace cambium::nn {
namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;
using Description = dnnl::memory::desc;

struct Types {
  Type x, weight, y;
};

Types types_of(const ProductSpec& spec) {
  switch (spec.precision) {
    case Precision::bf16:
      return {Type::bf16, Type::bf16, spec.y_bf16 ? Type::bf16 : Type::f32};
    case Precision::int8:
      return {Type::u8, Type::s8, Type::s32};
    default:
      return {Type::f32, Type::f32, Type::f32};
  }
}

dnnl::memory::dims dims(std::uint32_t rows, std::uint32_t columns) {
  return {static_cast<dnnl_dim_t>(rows), static_cast<dnnl_dim_t>(columns)};
}

struct OnednnWeights final : PackedWeights {
  dnnl::memory weight, bias;
  // int8: a number of y is (sum - offset) * scale * the row's scale + bias.
  std::vector<float> scales, biases;
  std::vector<std::int32_t> offsets;

  std::size_t bytes() const noexcept override {
    return weight.get_desc().get_size() + sizeof(float) * (offsets.size() + scales.size()) +
           (bias ? bias.get_desc().get_size() : sizeof(float) * biases.size());
  }
};

/// Symmetric, one scale for each row (an output): the largest becomes 127.
struct Quantised {
  std::vector<std::int8_t> values;
  std::vector<float> scales;
  std::vector<std::int32_t> offsets;  ///< to be taken from a sum, for x comes with 128 added
  bool all_finite = true;             ///< else the rest means nothing

  Quantised(const float* weight, std::uint32_t out, std::uint32_t in)
      : values(std::size_t{out} * in), scales(out), offsets(out) {
    std::vector<std::uint8_t> bytes(in);
    for (std::uint32_t o = 0; o < out; ++o) {
      const float* row = weight + std::size_t{o} * in;
      scales[o] = kernels().quantise(row, in, bytes.data());
      all_finite = all_finite && std::isfinite(scales[o]);
      std::int8_t* to = values.data() + std::size_t{o} * in;
      std::int32_t sum = 0;
      for (std::uint32_t i = 0; i < in; ++i) {
        to[i] = static_cast<std::int8_t>(bytes[i] - 128);
        sum += to[i];
      }
      offsets[o] = 128 * sum;
    }
  }
};

class OnednnProduct final : public Product {
 public:
  explicit OnednnProduct(const ProductSpec& spec)
      : spec_(spec), types_(types_of(spec)), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    // oneDNN uses as many threads as OpenMP would on the thread that makes a primitive; who has
    // several shares the outputs between several products.
    omp_set_num_threads(1);
    // The layout is chosen for the size that a single robot brings; other sizes take it as it is.
    const std::uint32_t most = padded_rows(spec.max_rows);
    const auto typical = describe(std::min(padded_rows(32), most),
                                  {dims(spec.in, spec.out), types_.weight, Tag::any});
    weight_ = typical.weights_desc();
    implementation_ = typical.impl_info_str();
    // The largest first: a size that the library has nothing for takes the next larger one.
    std::vector<std::uint32_t> sizes;
    for (std::uint32_t rows = 1; rows <= most; rows = sizes.back() + 1)
      sizes.push_back(padded_rows(rows));
    for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) prepare(*size);
    if (spec.precision == Precision::int8) sums_.resize(std::size_t{most} * spec.out);
  }

  Result<std::unique_ptr<PackedWeights>> pack(const float* weight, const float* bias,
                                              base::HugePages& memory) const override try {
    auto packed = std::make_unique<OnednnWeights>();
    packed->weight = dnnl::memory(weight_, engine_, memory.take(weight_.get_size()));
    if (spec_.precision == Precision::int8) {
      Quantised quantised(weight, spec_.out, spec_.in);
      if (!quantised.all_finite)
        return Error{Code::bad_data,
                     "a weight is not a finite number, and int8 has no place for it"};
      reorder(Type::s8, quantised.values.data(), packed->weight);
      packed->scales = std::move(quantised.scales);
      packed->offsets = std::move(quantised.offsets);
      packed->biases.assign(bias, bias + spec_.out);
    } else {
      reorder(Type::f32, const_cast<float*>(weight), packed->weight);  // NOLINT: only read
      packed->bias = dnnl::memory({dims(1, spec_.out), Type::f32, Tag::ab}, engine_);
      std::copy_n(bias, spec_.out, static_cast<float*>(packed->bias.get_data_handle()));
    }
    return std::unique_ptr<PackedWeights>(std::move(packed));
  } catch (const dnnl::error& problem) {
    return Error{Code::failed, std::string("oneDNN: ") + problem.what()};
  }

  Status run(const PackedWeights& weights, Activations x, std::uint32_t rows,
             void* y) noexcept override try {
    const auto& own = static_cast<const OnednnWeights&>(weights);
    omp_set_num_threads(1);  // kept by OpenMP for each calling thread
    const bool int8 = spec_.precision == Precision::int8;
    const auto found = prepared_.lower_bound(padded_rows(rows));
    if (found == prepared_.end()) return Code::bad_argument;
    Prepared& p = found->second;
    if (dnnl_memory_set_data_handle(p.x.get(), const_cast<void*>(x.data)) != dnnl_success ||
        dnnl_memory_set_data_handle(p.y.get(), int8 ? sums_.data() : y) != dnnl_success) {
      return Code::failed;
    }
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, p.x.get()},
                                         {DNNL_ARG_WEIGHTS, own.weight.get()},
                                         {DNNL_ARG_DST, p.y.get()},
                                         {DNNL_ARG_SCRATCHPAD, p.scratchpad.get()},
                                         {DNNL_ARG_BIAS, int8 ? nullptr : own.bias.get()}};
    const int count = static_cast<int>(std::size(arguments)) - (int8 ? 1 : 0);
    if (dnnl_primitive_execute(p.primitive.get(), stream_.get(), count, arguments) != dnnl_success)
      return Code::failed;
    if (int8) rescale(own, x.scales, rows, static_cast<float*>(y));
    return {};
  } catch (...) {
    return Code::failed;
  }

  std::string implementation() const override { return implementation_; }

 private:
  struct Prepared {
    dnnl::matmul primitive;
    dnnl::memory x, y, scratchpad;
  };

  dnnl::matmul::primitive_desc describe(std::uint32_t rows, const Description& weight) const {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const Description x(dims(rows, spec_.in), types_.x, Tag::ab);
    if (spec_.precision == Precision::int8) return {{x, weight, y_of(rows)}, attributes, engine_};
    dnnl::post_ops after;
    if (spec_.epilogue == Epilogue::gelu) {
      after.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_erf, 0, 0);
    } else if (spec_.epilogue == Epilogue::add) {
      after.append_sum(1.0f);
    }
    attributes.set_post_ops(after);
    const Description bias(dims(1, spec_.out), Type::f32, Tag::ab);
    return {{x, weight, bias, y_of(rows)}, attributes, engine_};
  }

  Description y_of(std::uint32_t rows) const { return {dims(rows, spec_.out), types_.y, Tag::ab}; }

  void prepare(std::uint32_t rows) try {
    const auto description = describe(rows, weight_);
    prepared_.emplace(rows,
                      Prepared{dnnl::matmul(description),
                               dnnl::memory(description.src_desc(), engine_, DNNL_MEMORY_NONE),
                               dnnl::memory(description.dst_desc(), engine_, DNNL_MEMORY_NONE),
                               dnnl::memory(description.scratchpad_desc(), engine_)});
  } catch (const dnnl::error&) {
    if (prepared_.empty()) throw;
  }

  void reorder(Type type, void* weight, dnnl::memory& packed) const {
    // (in, out) column-major is torch's (out, in) row-major.
    dnnl::memory given({dims(spec_.in, spec_.out), type, Tag::ba}, engine_, weight);
    dnnl::stream stream(engine_);
    omp_set_num_threads(1);
    dnnl::reorder(given, packed).execute(stream, given, packed);
    stream.wait();
  }

  void rescale(const OnednnWeights& weights, const float* row_scales, std::uint32_t rows,
               float* y) const noexcept {
    kernels().rescale({.sums = sums_.data(),
                       .rows = rows,
                       .n = spec_.out,
                       .row_scales = row_scales,
                       .scales = weights.scales.data(),
                       .offsets = weights.offsets.data(),
                       .bias = weights.biases.data(),
                       .y = y,
                       .y_stride = spec_.out,
                       .add = spec_.epilogue == Epilogue::add,
                       .gelu = spec_.epilogue == Epilogue::gelu});
  }

  ProductSpec spec_;
  Types types_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  Description weight_;
  std::string implementation_;
  std::map<std::uint32_t, Prepared> prepared_;  // by padded rows
  std::vector<std::int32_t> sums_;              // int8: (padded max_rows, out)
};

const char* name_of(dnnl::cpu_isa isa) noexcept {
  switch (isa) {
    case dnnl::cpu_isa::avx512_core_amx:
      return "AVX-512 with AMX tiles";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "AVX-512 with bf16 and VNNI";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "AVX-512 with VNNI";
    case dnnl::cpu_isa::avx512_core:
      return "AVX-512";
    case dnnl::cpu_isa::avx2_vnni:
      return "AVX2 with VNNI";
    case dnnl::cpu_isa::avx2:
      return "AVX2";
    default:
      return "this processor";
  }
}

bool has(dnnl::cpu_isa isa, Precision precision) noexcept {
  using Isa = dnnl::cpu_isa;
  const bool bf16 = isa == Isa::avx512_core_amx || isa == Isa::avx512_core_bf16;
  switch (precision) {
    case Precision::bf16:
      return bf16;
    case Precision::int8:  // without VNNI, sums of pairs overflow 16 bits
      return bf16 || isa == Isa::avx512_core_vnni || isa == Isa::avx2_vnni;
    default:
      return true;
  }
}

}  // namespace

Result<std::unique_ptr<Product>> make_onednn_product(const ProductSpec& spec) try {
  return {std::make_unique<OnednnProduct>(spec)};
} catch (const dnnl::error& problem) {
  return Error{Code::failed, std::string("oneDNN: ") + problem.what()};
}

ChosenPrecision choose_onednn_precision(Precision wanted) {
  const auto isa = dnnl::get_effective_cpu_isa();
  const std::string on = std::string(" on ") + name_of(isa);
  if (has(isa, wanted)) return {wanted, to_string(wanted) + on + ", as wanted"};
  const Precision next =
      wanted == Precision::int8 && has(isa, Precision::bf16) ? Precision::bf16 : Precision::f32;
  return {next, std::string(to_string(next)) + " instead of " + to_string(wanted) + ": " +
                    name_of(isa) + " has no fast product in " + to_string(wanted)};
}

}  // namespace cambium::nn
