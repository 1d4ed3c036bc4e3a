// core/nn/kernels_prefix_attention.hpp: attention in which each row sees only the first so many
// keys; a part of kernels_impl.hpp, made of what kernels_attention.hpp has.

template <int R>
void attend_prefix(const AttentionArgs& a, const std::uint32_t* visible, Size at, Size first,
                   const float* keys, Size key_stride, const float* values, float* scores,
                   float* mixed) noexcept {
  Size count = 0;  // that the row that sees most sees
  for (int r = 0; r < R; ++r) count = visible[first + r] > count ? visible[first + r] : count;
  const Size all = padded(count), width = padded(a.dim);
  if (count > 0) {
    const float* q = a.q + first * a.q_stride + at;
    Size k = 0;
    for (; k + 2 * kLanes <= all; k += 2 * kLanes)
      score<R, 2>(q, a.q_stride, keys + k, key_stride, a.dim, a.scale, scores + k, all);
    if (k < all) score<R, 1>(q, a.q_stride, keys + k, key_stride, a.dim, a.scale, scores + k, all);
    for (int r = 0; r < R; ++r) {
      for (Size i = visible[first + r]; i < all; ++i) scores[r * all + i] = -1e30f;
    }
    mix_all<R>(scores, all, soften<R>(scores, all), values, width, count, mixed);
  }
  for (int r = 0; r < R; ++r) {
    float* out = a.out + (first + r) * a.out_stride + at;
    const bool any = visible[first + r] > 0;
    for (Size d = 0; d < a.dim; ++d) out[d] = any ? mixed[r * width + d] : 0.0f;
  }
}

void prefix_attention(const AttentionArgs& a, const std::uint32_t* visible) noexcept {
  const Size all = padded(a.keys), width = padded(a.dim);
  float* const keys = a.scratch;                  // (dim, all)
  float* const values = keys + a.dim * all;       // (keys, width)
  float* const scores = values + a.keys * width;  // (kQueries, all)
  float* const mixed = scores + kQueries * all;   // (kQueries, width)
  for (Size h = a.first_head; h < a.last_head; ++h) {
    const Size at = h * a.dim;
    for (Size k = 0; k < a.keys; ++k) {
      const float* key = a.k + k * a.kv_stride + at;
      const float* value = a.v + k * a.kv_stride + at;
      for (Size d = 0; d < a.dim; ++d) keys[d * all + k] = key[d];
      for (Size d = 0; d < a.dim; ++d) values[k * width + d] = value[d];
      for (Size d = a.dim; d < width; ++d) values[k * width + d] = 0.0f;
    }
    for (Size d = 0; d < a.dim; ++d) {
      for (Size k = a.keys; k < all; ++k) keys[d * all + k] = 0.0f;
    }
    Size r = 0;
    for (; r + kQueries <= a.rows; r += kQueries)
      attend_prefix<kQueries>(a, visible, at, r, keys, all, values, scores, mixed);
    for (; r < a.rows; ++r) attend_prefix<1>(a, visible, at, r, keys, all, values, scores, mixed);
  }
}
