// core/nn/kernels_state.hpp: reading and writing a memory that is a matrix; a part of
// kernels_impl.hpp. Lanes are its columns.

void elu_plus_one(float* x, Size n) noexcept {
#pragma omp simd
  for (Size i = 0; i < n; ++i) x[i] = x[i] > 0.0f ? x[i] + 1.0f : exp_of(x[i]);
}

/// y (R rows, C lanes) = x state
template <int R, int C>
void read_columns(const float* x, Size dim, const float* state, Size width, float* y) noexcept {
  Lanes sum[R][C] = {};
  for (Size i = 0; i < dim; ++i, state += width) {
    for (int c = 0; c < C; ++c) {
      const Lanes column = load(state + kLanes * c);
      for (int r = 0; r < R; ++r) sum[r][c] += column * x[r * dim + i];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) store(y + r * width + kLanes * c, sum[r][c]);
  }
}

template <int R>
void read_rows(const float* x, Size dim, const float* state, Size width, float* y) noexcept {
  Size at = 0;
  for (; at + 4 * kLanes <= width; at += 4 * kLanes)
    read_columns<R, 4>(x, dim, state + at, width, y + at);
  for (; at < width; at += kLanes) read_columns<R, 1>(x, dim, state + at, width, y + at);
}

void read_state(const float* x, Size rows, Size dim, const float* state, Size width,
                float* y) noexcept {
  Size r = 0;
  for (; r + 2 <= rows; r += 2) read_rows<2>(x + r * dim, dim, state, width, y + r * width);
  if (r < rows) read_rows<1>(x + r * dim, dim, state, width, y + r * width);
}

void add_to_state(const float* x, const float* y, Size rows, Size dim, Size width,
                  float* state) noexcept {
  for (Size i = 0; i < dim; ++i, state += width) {
    for (Size at = 0; at < width; at += kLanes) {
      Lanes sum = load(state + at);
      for (Size r = 0; r < rows; ++r) sum += load(y + r * width + at) * x[r * dim + i];
      store(state + at, sum);
    }
  }
}
