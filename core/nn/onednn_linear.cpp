#include "core/nn/onednn_linear.hpp"

#include <omp.h>

#include <algorithm>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <utility>

namespace cambium::nn {
namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

dnnl::memory::desc plain(std::uint32_t rows, std::uint32_t columns, Tag tag = Tag::ab) {
  return {{static_cast<dnnl_dim_t>(rows), static_cast<dnnl_dim_t>(columns)}, Type::f32, tag};
}

class OnednnLinear final : public PreparedLinear {
 public:
  explicit OnednnLinear(const PreparedLinearSpec& spec)
      : spec_(spec), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    spec_.weight = spec_.bias = nullptr;  // borrowed until now
    omp_set_num_threads(static_cast<int>(spec.threads));
    // The layout is chosen for the size that a single robot brings; other sizes take it as it is.
    const std::uint32_t typical = std::min(padded_rows(32), padded_rows(spec.max_rows));
    const auto chosen = describe(typical, plain(spec.in, spec.out, Tag::any));
    weight_ = dnnl::memory(chosen.weights_desc(), engine_);
    // (in, out) column-major is torch's (out, in) row-major.
    dnnl::memory given(plain(spec.in, spec.out, Tag::ba), engine_,
                       const_cast<float*>(spec.weight));  // NOLINT: only read
    dnnl::reorder(given, weight_).execute(stream_, given, weight_);
    stream_.wait();
    bias_ = dnnl::memory(plain(1, spec.out), engine_);
    std::copy_n(spec.bias, spec.out, static_cast<float*>(bias_.get_data_handle()));
    prepared(typical);
  }

  Status run(const float* x, std::uint32_t rows, float* y) noexcept override try {
    // oneDNN runs with as many threads as a primitive was made for; OpenMP keeps the number per
    // calling thread, so it is set where it is used.
    omp_set_num_threads(static_cast<int>(spec_.threads));
    Prepared& p = prepared(padded_rows(rows));
    if (dnnl_memory_set_data_handle(p.x.get(), const_cast<float*>(x)) != dnnl_success ||
        dnnl_memory_set_data_handle(p.y.get(), y) != dnnl_success) {
      return Code::failed;
    }
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, p.x.get()},
                                         {DNNL_ARG_WEIGHTS, weight_.get()},
                                         {DNNL_ARG_BIAS, bias_.get()},
                                         {DNNL_ARG_DST, p.y.get()},
                                         {DNNL_ARG_SCRATCHPAD, p.scratchpad.get()}};
    const auto done = dnnl_primitive_execute(p.primitive.get(), stream_.get(),
                                             static_cast<int>(std::size(arguments)), arguments);
    return done == dnnl_success ? Code::ok : Code::failed;
  } catch (...) {
    return Code::failed;
  }

 private:
  struct Prepared {
    dnnl::matmul primitive;
    dnnl::memory x, y, scratchpad;
  };

  dnnl::matmul::primitive_desc describe(std::uint32_t rows,
                                        const dnnl::memory::desc& weight) const {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops after;
    if (spec_.epilogue == Epilogue::gelu) {
      after.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_erf, 0, 0);
    } else if (spec_.epilogue == Epilogue::add) {
      after.append_sum(1.0f);
    }
    attributes.set_post_ops(after);
    const dnnl::matmul::desc product(plain(rows, spec_.in), weight, plain(1, spec_.out),
                                     plain(rows, spec_.out));
    return {product, attributes, engine_};
  }

  Prepared& prepared(std::uint32_t rows) {
    const auto found = prepared_.find(rows);
    if (found != prepared_.end()) return found->second;
    const auto description = describe(rows, weight_.get_desc());
    Prepared made{dnnl::matmul(description),
                  dnnl::memory(plain(rows, spec_.in), engine_, DNNL_MEMORY_NONE),
                  dnnl::memory(plain(rows, spec_.out), engine_, DNNL_MEMORY_NONE),
                  dnnl::memory(description.scratchpad_desc(), engine_)};
    return prepared_.emplace(rows, std::move(made)).first->second;
  }

  PreparedLinearSpec spec_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::memory weight_, bias_;
  std::map<std::uint32_t, Prepared> prepared_;  // by padded rows
};

}  // namespace

Result<std::unique_ptr<PreparedLinear>> prepare_onednn_linear(const PreparedLinearSpec& spec) try {
  return {std::make_unique<OnednnLinear>(spec)};
} catch (const dnnl::error& problem) {
  return Error{Code::failed, std::string("oneDNN: ") + problem.what()};
}

}  // namespace cambium::nn
