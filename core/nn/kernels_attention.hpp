// core/nn/kernels_attention.hpp: attention over short sequences; a part of kernels_impl.hpp. Lanes
// are keys while scores are made and columns of the values while they are mixed, so that no sum
// runs across lanes but those of the softmax.

// One register. Wider ones would be taken apart through memory.
constexpr Size kLanes = CAMBIUM_LANES;
typedef float Lanes __attribute__((vector_size(4 * CAMBIUM_LANES), aligned(4), may_alias));
typedef unsigned LaneBits __attribute__((vector_size(4 * CAMBIUM_LANES)));
constexpr Size kQueries = 4;  // computed together

constexpr Size padded(Size n) {
  return (n + kLanes - 1) / kLanes * kLanes;
}

inline Lanes load(const float* from) noexcept {
  return *reinterpret_cast<const Lanes*>(from);
}

inline void store(float* to, Lanes value) noexcept {
  *reinterpret_cast<Lanes*>(to) = value;
}

/// Each lane with that `far` lanes further on.
template <Size... I>
Lanes turned(Lanes v, std::index_sequence<I...>) noexcept {
  return __builtin_shufflevector(v, v, static_cast<int>(I)...);
}

template <Size Far, Size... I>
constexpr std::index_sequence<(I + Far) % kLanes...> far(std::index_sequence<I...>) noexcept {
  return {};
}

template <Size Far>
Lanes turned(Lanes v) noexcept {
  return turned(v, far<Far>(std::make_index_sequence<kLanes>()));
}

inline Lanes larger(Lanes a, Lanes b) noexcept {
  return b > a ? b : a;
}

// Of all lanes, in every lane.
template <Size Far = kLanes / 2>
Lanes largest_of(Lanes v) noexcept {
  v = larger(v, turned<Far>(v));
  if constexpr (Far > 1) v = largest_of<Far / 2>(v);
  return v;
}

template <Size Far = kLanes / 2>
Lanes sum_of(Lanes v) noexcept {
  v += turned<Far>(v);
  if constexpr (Far > 1) v = sum_of<Far / 2>(v);
  return v;
}

/// scores (R, C lanes) = scale q k^T, for R queries and C lanes of keys.
template <int R, int C>
void score(const float* q, Size q_stride, const float* keys, Size key_stride, Size dim, float scale,
           float* scores, Size stride) noexcept {
  Lanes sum[R][C] = {};
  for (Size d = 0; d < dim; ++d, keys += key_stride) {
    for (int c = 0; c < C; ++c) {
      const Lanes key = load(keys + kLanes * c);
      for (int r = 0; r < R; ++r) sum[r][c] += key * q[r * q_stride + d];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) store(scores + r * stride + kLanes * c, sum[r][c] * scale);
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

/// scores (R, all) become exp(score - the largest of its query); returns one over their sums.
template <int R>
std::array<float, R> soften(float* scores, Size all) noexcept {
  Lanes largest[R], sum[R] = {};
  for (int r = 0; r < R; ++r) largest[r] = load(scores + r * all);
  for (Size k = kLanes; k < all; k += kLanes) {
    for (int r = 0; r < R; ++r) largest[r] = larger(largest[r], load(scores + r * all + k));
  }
  for (int r = 0; r < R; ++r) largest[r] = largest_of(largest[r]);
  for (Size k = 0; k < all; k += kLanes) {
    for (int r = 0; r < R; ++r) {
      const Lanes share = exp_of<Lanes, LaneBits>(load(scores + r * all + k) - largest[r]);
      store(scores + r * all + k, share);
      sum[r] += share;
    }
  }
  std::array<float, R> inverse;
  for (int r = 0; r < R; ++r) inverse[r] = 1.0f / sum_of(sum[r])[0];
  return inverse;
}

/// mixed (R, C lanes) = shares values times `inverse`, for R queries and C lanes of columns.
template <int R, int C>
void mix(const float* shares, Size stride, const std::array<float, R>& inverse, const float* values,
         Size width, Size count, float* mixed) noexcept {
  Lanes sum[R][C] = {};
  for (Size k = 0; k < count; ++k, values += width) {
    for (int c = 0; c < C; ++c) {
      const Lanes value = load(values + kLanes * c);
      for (int r = 0; r < R; ++r) sum[r][c] += value * shares[r * stride + k];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) store(mixed + r * width + kLanes * c, sum[r][c] * inverse[r]);
  }
}

template <int R>
void mix_all(const float* shares, Size stride, const std::array<float, R>& inverse,
             const float* values, Size width, Size count, float* mixed) noexcept {
  Size at = 0;
  for (; at + 2 * kLanes <= width; at += 2 * kLanes)
    mix<R, 2>(shares, stride, inverse, values + at, width, count, mixed + at);
  if (at < width) mix<R, 1>(shares, stride, inverse, values + at, width, count, mixed + at);
}

template <int R>
void attend(const AttentionArgs& a, Size at, Size first, const float* keys, const float* values,
            float* scores, float* mixed) noexcept {
  const Size count = a.keys + (a.bias_key != nullptr ? 1 : 0);
  const Size all = padded(count), width = padded(a.dim);
  score_all<R>(a.q + first * a.q_stride + at, a.q_stride, keys, all, a.dim, a.scale, scores);
  // Keys that are none get no share, and a whole number of lanes needs no tail.
  for (int r = 0; r < R; ++r) {
    for (Size k = count; k < all; ++k) scores[r * all + k] = -1e30f;
  }
  mix_all<R>(scores, all, soften<R>(scores, all), values, width, count, mixed);
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
