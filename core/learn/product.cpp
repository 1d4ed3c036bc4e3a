#include "core/learn/product.hpp"

#include <Eigen/Core>

#ifdef CAMBIUM_WITH_ONEDNN
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#endif

namespace cambium::learn {
namespace {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
Eigen::Map<const Matrix<T>> view(Op op, std::size_t rows, std::size_t cols, const T* data) {
  if (op == Op::transposed) std::swap(rows, cols);  // as it lies in memory
  return {data, static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols)};
}

template <class T>
void eigen_product(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, const T* a,
                   const T* b, T* c, bool add) {
  const auto left = view(op_a, m, k, a);
  const auto right = view(op_b, k, n, b);
  Eigen::Map<Matrix<T>> out(c, static_cast<Eigen::Index>(m), static_cast<Eigen::Index>(n));
  if (!add) out.setZero();
  const bool ta = op_a == Op::transposed;
  const bool tb = op_b == Op::transposed;
  if (!ta && !tb) out.noalias() += left * right;
  if (!ta && tb) out.noalias() += left * right.transpose();
  if (ta && !tb) out.noalias() += left.transpose() * right;
  if (ta && tb) out.noalias() += left.transpose() * right.transpose();
}

}  // namespace

template <>
void product<double>(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, const double* a,
                     const double* b, double* c, bool add) {
  eigen_product(op_a, op_b, m, n, k, a, b, c, add);
}

#ifdef CAMBIUM_WITH_ONEDNN

template <>
void product<float>(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, const float* a,
                    const float* b, float* c, bool add) {
  const auto lda = static_cast<dnnl_dim_t>(op_a == Op::plain ? k : m);
  const auto ldb = static_cast<dnnl_dim_t>(op_b == Op::plain ? n : k);
  const auto status =
      dnnl_sgemm(static_cast<char>(op_a), static_cast<char>(op_b), static_cast<dnnl_dim_t>(m),
                 static_cast<dnnl_dim_t>(n), static_cast<dnnl_dim_t>(k), 1.0F, a, lda, b, ldb,
                 add ? 1.0F : 0.0F, c, static_cast<dnnl_dim_t>(n));
  // oneDNN refuses only what it has no memory or kernel for; the product is owed all the same.
  if (status != dnnl_success) eigen_product(op_a, op_b, m, n, k, a, b, c, add);
}

void compute_alone() noexcept {
  omp_set_num_threads(1);  // of the calling thread: what oneDNN would use
}

#else

template <>
void product<float>(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, const float* a,
                    const float* b, float* c, bool add) {
  eigen_product(op_a, op_b, m, n, k, a, b, c, add);
}

void compute_alone() noexcept {}

#endif

}  // namespace cambium::learn
