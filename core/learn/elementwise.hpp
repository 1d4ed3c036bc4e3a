// core/learn/elementwise.hpp: what happens to numbers one by one or row by row, and its derivative.
// float runs in vectors of whatever the processor has; double is there for gradient checks.
#pragma once

#include <cstddef>

namespace cambium::learn {

/// y = SiLU(x) = x sigmoid(x); slope = its derivative. (n)
template <class T>
void silu(std::size_t n, const T* x, T* y, T* slope);

/// y = x/2 (1 + erf(x / sqrt 2)); slope = its derivative. (n) float: erf to 2e-7.
template <class T>
void gelu(std::size_t n, const T* x, T* y, T* slope);

/// y = x * by
template <class T>
void multiply(std::size_t n, const T* x, const T* by, T* y);

/// y += x
template <class T>
void add(std::size_t n, const T* x, T* y);

/// Each row of y (rows, n) becomes `row`.
template <class T>
void fill_rows(std::size_t rows, std::size_t n, const T* row, T* y);

/// sum (n) = the sum of the rows of x (rows, n).
template <class T>
void sum_rows(std::size_t rows, std::size_t n, const T* x, T* sum);

/// y = unit * weight + bias, unit = (x - mean) * inverse_deviation per row, eps 1e-6 and the biased
/// variance. x, unit, y (rows, n); inverse_deviation (rows).
template <class T>
void layer_norm(std::size_t rows, std::size_t n, const T* x, const T* weight, const T* bias,
                T* unit, T* inverse_deviation, T* y);

/// dx += gradient through layer_norm. dweight, dbias (n) are written, unless null.
template <class T>
void layer_norm_backward(std::size_t rows, std::size_t n, const T* dy, const T* weight,
                         const T* unit, const T* inverse_deviation, T* dx, T* dweight, T* dbias);

/// y = unit * weight, unit = x * inverse_root per row, eps 1e-6 and the mean square. x, unit, y
/// (rows, n); inverse_root (rows).
template <class T>
void rms_norm(std::size_t rows, std::size_t n, const T* x, const T* weight, T* unit,
              T* inverse_root, T* y);

/// dx += gradient through rms_norm. dweight (n) is written, unless null.
template <class T>
void rms_norm_backward(std::size_t rows, std::size_t n, const T* dy, const T* weight, const T* unit,
                       const T* inverse_root, T* dx, T* dweight);

/// Row i of x (n, n) becomes the softmax of scale times its first i + 1 numbers, and 0 after them.
template <class T>
void causal_softmax(std::size_t n, T scale, T* x);

/// dx (n, n): gradient of what came out becomes gradient of what went in; 0 above the diagonal.
template <class T>
void causal_softmax_backward(std::size_t n, T scale, const T* weights, T* dx);

/// Smooth L1: sum over n of d^2 / (2 beta) below beta, |d| - beta / 2 above, d = y - target.
/// dy = its derivative times `scale`.
template <class T>
double smooth_l1(std::size_t n, const T* y, const T* target, T beta, T scale, T* dy);

}  // namespace cambium::learn
