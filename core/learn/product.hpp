// core/learn/product.hpp: the matrix product that training spends its time in.
#pragma once

#include <cstddef>

namespace cambium::learn {

enum class Op : char { plain = 'N', transposed = 'T' };

/// c (m, n) = op_a(a) op_b(b), added to c if `add`; op(a) is (m, k), op(b) is (k, n). All row-major
/// and dense. float through oneDNN where built with it, double through Eigen (gradient checks).
/// The same numbers on the same machine whenever it is called. [any]
template <class T>
void product(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, const T* a, const T* b,
             T* c, bool add);

/// Keeps oneDNN from starting threads of its own for products of the calling thread: training
/// splits work by batch, and results would otherwise depend on who is idle.
void compute_alone() noexcept;

}  // namespace cambium::learn
