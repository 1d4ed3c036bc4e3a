// core/nn/kernels_attention.hpp: attention over short sequences; a part of kernels_impl.hpp. Lanes
// are keys while scores are made and columns of the values while they are mixed, so that no sum
// runs across lanes but those of the softmax.

// As wide as the widest set; narrower ones take several registers for it.
typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));
constexpr Size kLanes = 16;
constexpr Size kQueries = 4;  // computed together

constexpr Size padded(Size n) {
  return (n + kLanes - 1) / kLanes * kLanes;
}

/// scores (R, 16 C) = scale q k^T, for R queries and 16 C keys.
template <int R, int C>
void score(const float* q, Size q_stride, const float* keys, Size key_stride, Size dim, float scale,
           float* scores, Size stride) noexcept {
  Lanes sum[R][C] = {};
  for (Size d = 0; d < dim; ++d, keys += key_stride) {
    for (int c = 0; c < C; ++c) {
      const Lanes key = *reinterpret_cast<const Lanes*>(keys + kLanes * c);
      for (int r = 0; r < R; ++r) sum[r][c] += key * q[r * q_stride + d];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c)
      *reinterpret_cast<Lanes*>(scores + r * stride + kLanes * c) = sum[r][c] * scale;
  }
}

template <int R>
void score_all(const float* q, Size q_stride, const float* keys, Size all, Size dim, float scale,
               float* scores) noexcept {
  Size at = 0;
  for (; at + 3 * kLanes <= all; at += 3 * kLanes)
    score<R, 3>(q, q_stride, keys + at, all, dim, scale, scores + at, all);
  if (at + 2 * kLanes == all)
    score<R, 2>(q, q_stride, keys + at, all, dim, scale, scores + at, all);
  if (at + kLanes == all) score<R, 1>(q, q_stride, keys + at, all, dim, scale, scores + at, all);
}

/// mixed (R, 16 C) = shares values, for R queries and 16 C columns.
template <int R, int C>
void mix(const float* shares, Size stride, const float* values, Size width, Size count,
         float* mixed, Size mixed_stride) noexcept {
  Lanes sum[R][C] = {};
  for (Size k = 0; k < count; ++k, values += width) {
    for (int c = 0; c < C; ++c) {
      const Lanes value = *reinterpret_cast<const Lanes*>(values + kLanes * c);
      for (int r = 0; r < R; ++r) sum[r][c] += value * shares[r * stride + k];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c)
      *reinterpret_cast<Lanes*>(mixed + r * mixed_stride + kLanes * c) = sum[r][c];
  }
}

template <int R>
void mix_all(const float* shares, Size stride, const float* values, Size width, Size count,
             float* mixed) noexcept {
  Size at = 0;
  for (; at + 2 * kLanes <= width; at += 2 * kLanes)
    mix<R, 2>(shares, stride, values + at, width, count, mixed + at, width);
  if (at < width) mix<R, 1>(shares, stride, values + at, width, count, mixed + at, width);
}

template <int R>
void attend(const AttentionArgs& a, Size at, Size first, const float* keys, const float* values,
            float* scores, float* mixed) noexcept {
  const Size count = a.keys + (a.bias_key != nullptr ? 1 : 0);
  const Size all = padded(count), width = padded(a.dim);
  score_all<R>(a.q + first * a.q_stride + at, a.q_stride, keys, all, a.dim, a.scale, scores);
  for (int r = 0; r < R; ++r) {
    // Keys that are none get no share, and a whole number of lanes needs no tail.
    for (Size k = count; k < all; ++k) scores[r * all + k] = -1e30f;
    softmax_row(scores + r * all, all);
  }
  mix_all<R>(scores, all, values, width, count, mixed);
  for (int r = 0; r < R; ++r) {
    float* out = a.out + (first + r) * a.out_stride + at;
    for (Size d = 0; d < a.dim; ++d) out[d] = mixed[r * width + d];
  }
}

void attention(const AttentionArgs& a) noexcept {
  const Size count = a.keys + (a.bias_key != nullptr ? 1 : 0);
  const Size all = padded(count), width = padded(a.dim);
  float* const keys = a.scratch;                 // (dim, all)
  float* const values = keys + a.dim * all;      // (count, width)
  float* const scores = values + count * width;  // (kQueries, all)
  float* const mixed = scores + kQueries * all;  // (kQueries, width)
  for (Size h = a.first_head; h < a.last_head; ++h) {
    const Size at = h * a.dim;
    for (Size k = 0; k < count; ++k) {
      const float* key = k < a.keys ? a.k + k * a.kv_stride + at : a.bias_key + at;
      const float* value = k < a.keys ? a.v + k * a.kv_stride + at : a.bias_value + at;
      for (Size d = 0; d < a.dim; ++d) keys[d * all + k] = key[d];
      for (Size d = 0; d < a.dim; ++d) values[k * width + d] = value[d];
      for (Size d = a.dim; d < width; ++d) values[k * width + d] = 0.0f;
    }
    for (Size d = 0; d < a.dim; ++d) {
      for (Size k = count; k < all; ++k) keys[d * all + k] = 0.0f;
    }
    Size r = 0;
    for (; r + kQueries <= a.rows; r += kQueries)
      attend<kQueries>(a, at, r, keys, values, scores, mixed);
    for (; r < a.rows; ++r) attend<1>(a, at, r, keys, values, scores, mixed);
  }
}
