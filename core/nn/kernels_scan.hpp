// core/nn/kernels_scan.hpp: memories that decay: retention and selective scans; a part of
// kernels_impl.hpp.

/// 2^x for x at most 0, to about 6e-8 relative; 2^-126 for what is lower. A polynomial fitted here
/// by weighted least squares to 2^f over |f| <= 1/2, relative error 1.6e-8, 1 at 0.
inline Lanes power_of_two(Lanes x) noexcept {
  const Lanes lowest = Lanes{} - 126.0f;
  x = x < lowest ? lowest : x;
  const Lanes shifted = x + 12582912.0f;  // rounds, as in exp_of
  const Lanes f = x - (shifted - 12582912.0f);
  Lanes p = f * 0.00015353362f + 0.0013398875f;
  p = p * f + 0.00961843692f;
  p = p * f + 0.0555033237f;
  p = p * f + 0.240226477f;
  p = p * f + 0.693147182f;
  p = p * f + 1.0f;
  const LaneBits power = __builtin_bit_cast(LaneBits, shifted) << 23;
  return __builtin_bit_cast(Lanes, __builtin_bit_cast(LaneBits, p) + power);
}

/// Neighbours are turned as one complex number: (a, b) -> scale (a cos - b sin, b cos + a sin).
void rotate_pairs(float* x, Size heads, Size pairs, const float* cosine, const float* sine,
                  float scale) noexcept {
  for (Size h = 0; h < heads; ++h, x += 2 * pairs) {
#pragma omp simd
    for (Size i = 0; i < pairs; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1];
      x[2 * i] = (a * cosine[i] - b * sine[i]) * scale;
      x[2 * i + 1] = (b * cosine[i] + a * sine[i]) * scale;
    }
  }
}

// A few rows of U at once, so that the result is not written for each.
template <int R>
void retain_some(const float* q, const float* k, const float* v, float gamma, Size value_dim,
                 float* u, float* out) noexcept {
#pragma omp simd
  for (Size j = 0; j < value_dim; ++j) {
    float sum = out[j];
    for (int r = 0; r < R; ++r) {
      const float now = gamma * u[r * value_dim + j] + (k[r] * v[j] + kGrain);
      u[r * value_dim + j] = now;
      sum += q[r] * now;
    }
    out[j] = sum;
  }
}

// Returns |q k|.
float retain_row(const RetentionArgs& a, const float* q, const float* k, const float* v,
                 float gamma, float* u, float* out) noexcept {
  for (Size j = 0; j < a.value_dim; ++j) out[j] = 0.0f;
  Size d = 0;
  for (; d + 8 <= a.key_dim; d += 8)
    retain_some<8>(q + d, k + d, v, gamma, a.value_dim, u + d * a.value_dim, out);
  for (; d + 2 <= a.key_dim; d += 2)
    retain_some<2>(q + d, k + d, v, gamma, a.value_dim, u + d * a.value_dim, out);
  for (; d < a.key_dim; ++d)
    retain_some<1>(q + d, k + d, v, gamma, a.value_dim, u + d * a.value_dim, out);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Size i = 0; i < a.key_dim; ++i) sum += q[i] * k[i];
  return sum < 0 ? -sum : sum;
}

/// y = a b or y += a b, as Eigen maps, in slices that its stack has room for.
template <class A, class B>
void multiply(const A& a, const B& b, Map y, bool add) noexcept {
  const Index all = y.rows(), width = y.cols();
  for (Index r = 0; r < all; r += static_cast<Index>(kRowSlice)) {
    const Index rows = all - r < Index{kRowSlice} ? all - r : Index{kRowSlice};
    for (Index c = 0; c < width; c += static_cast<Index>(kOutSlice)) {
      const Index columns = width - c < Index{kOutSlice} ? width - c : Index{kOutSlice};
      auto to = y.block(r, c, rows, columns);
      if (!add) to.setZero();
      to.noalias() += a.middleRows(r, rows) * b.middleCols(c, columns);
    }
  }
}

// What `count` rows from `first` on get: from the state before all rows, and from the rows
// themselves, a block of them at a time. sums (count) of |scores|.
void read_rows(const RetentionArgs& a, const float* q, const float* k, const float* v,
               const float* powers, const float* u, Size first, Size count, float* out,
               Size out_stride, float* sums) noexcept {
  const auto queries = view(q + first * a.stride, count, a.key_dim, a.stride);
  auto results = view(out + first * out_stride, count, a.value_dim, out_stride);
  multiply(queries, view(u, a.key_dim, a.value_dim, a.value_dim), results, false);
  for (Size i = 0; i < count; ++i) {
    float* row = out + (first + i) * out_stride;
    const float power = powers[first + i + 1];
#pragma omp simd
    for (Size j = 0; j < a.value_dim; ++j) row[j] *= power;
    sums[i] = 0;
  }
  for (Size from = 0; from < first + count; from += kRetentionBlock) {
    const Size keys = a.rows - from < kRetentionBlock ? a.rows - from : kRetentionBlock;
    auto scores = view(a.scratch, count, keys, keys);
    multiply(queries, view(k + from * a.stride, keys, a.key_dim, a.stride).transpose(), scores,
             false);
    for (Size i = 0; i < count; ++i) {
      float* score = a.scratch + i * keys;
      const Size row = first + i, seen = row < from ? 0 : row - from + 1;
      const Size some = seen < keys ? seen : keys;
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (Size j = 0; j < some; ++j) {
        score[j] *= powers[row - from - j];
        sum += score[j] < 0 ? -score[j] : score[j];
      }
      for (Size j = some; j < keys; ++j) score[j] = 0.0f;
      sums[i] += sum;
    }
    multiply(scores, view(v + from * a.stride, keys, a.value_dim, a.stride), results, true);
  }
}

// U = gamma^rows U + sum over rows of gamma^(rows - 1 - m) k_m^T v_m
void take_in(const RetentionArgs& a, const float* k, const float* v, const float* powers,
             float* u) noexcept {
  const float decay = powers[a.rows];
#pragma omp simd
  for (Size i = 0; i < a.key_dim * a.value_dim; ++i) u[i] = u[i] * decay + kGrain;
  for (Size from = 0; from < a.rows; from += kRetentionBlock) {
    const Size keys = a.rows - from < kRetentionBlock ? a.rows - from : kRetentionBlock;
    for (Size i = 0; i < keys; ++i) {
      const float* key = k + (from + i) * a.stride;
      const float power = powers[a.rows - 1 - from - i];
#pragma omp simd
      for (Size d = 0; d < a.key_dim; ++d) a.scratch[i * a.key_dim + d] = key[d] * power;
    }
    multiply(view(a.scratch, keys, a.key_dim, a.key_dim).transpose(),
             view(v + from * a.stride, keys, a.value_dim, a.stride),
             view(u, a.key_dim, a.value_dim, a.value_dim), true);
  }
}

float largest_column(const RetentionArgs& a, const float* u) noexcept {
  float largest = 0;
  for (Size j = 0; j < a.value_dim; ++j) {
    float sum = 0;
    for (Size d = 0; d < a.key_dim; ++d) {
      const float x = u[d * a.value_dim + j];
      sum += x < 0 ? -x : x;
    }
    largest = sum > largest ? sum : largest;
  }
  return largest;
}

void scale_row(float scale, float sum, float least, float most, Size n, float* row) noexcept {
  float divisor = scale * sum;
  divisor = divisor < least ? least : divisor;
  divisor = divisor > most ? most : divisor;
  const float factor = scale / divisor;
#pragma omp simd
  for (Size j = 0; j < n; ++j) row[j] *= factor;
}

void retention(const RetentionArgs& a) noexcept {
  const Size out_stride = a.heads * a.value_dim;
  float* const sums = a.scratch + kRetentionBlock * (kRetentionBlock + a.key_dim);
  for (Size h = 0; h < a.heads; ++h) {
    const float *q = a.q + h * a.key_dim, *k = a.k + h * a.key_dim, *v = a.v + h * a.value_dim;
    const float* powers = a.powers + h * a.powers_stride;
    float* u = a.state + h * a.key_dim * a.value_dim;
    float* out = a.out + h * a.value_dim;
    float least = a.least;
    if (a.state_scales != nullptr) {
      const float column = largest_column(a, u) * a.state_scales[h];
      least = column > least ? column : least;
    }
    if (a.rows == 1) {
      const float sum = retain_row(a, q, k, v, powers[1], u, out);
      scale_row(a.scales[h], sum, least, a.most, a.value_dim, out);
      continue;
    }
    for (Size first = 0; first < a.rows; first += kRetentionBlock) {
      const Size count = a.rows - first < kRetentionBlock ? a.rows - first : kRetentionBlock;
      read_rows(a, q, k, v, powers, u, first, count, out, out_stride, sums);
      for (Size i = 0; i < count; ++i)
        scale_row(a.scales[(first + i) * a.heads + h], sums[i], least, a.most, a.value_dim,
                  out + (first + i) * out_stride);
    }
    take_in(a, k, v, powers, u);
  }
}

/// y = from + a few taps.
template <int R>
void convolve(const float* const* x, const float* weight, const float* from, Size channels,
              float* y) noexcept {
#pragma omp simd
  for (Size j = 0; j < channels; ++j) {
    float sum = from[j];
    for (int r = 0; r < R; ++r) sum += weight[r * channels + j] * x[r][j];
    y[j] = sum;
  }
}

void causal_conv(const CausalConvArgs& a) noexcept {
  const Size before = a.taps - 1;
  for (Size t = 0; t < a.rows; ++t) {
    float* y = a.y + t * a.channels;
    const float* from = a.bias;
    const auto row = [&](Size k) {
      return t + k < before ? a.window + (t + k) * a.channels : a.x + (t + k - before) * a.x_stride;
    };
    Size k = 0;
    for (; k + 4 <= a.taps; k += 4, from = y) {
      const float* x[] = {row(k), row(k + 1), row(k + 2), row(k + 3)};
      convolve<4>(x, a.weight + k * a.channels, from, a.channels, y);
    }
    for (; k < a.taps; ++k, from = y) {
      const float* x[] = {row(k)};
      convolve<1>(x, a.weight + k * a.channels, from, a.channels, y);
    }
    silu(y, a.channels);
  }
  for (Size k = 0; k < before; ++k) {
    const Size from = k + a.rows;
    const float* x =
        from < before ? a.window + from * a.channels : a.x + (from - before) * a.x_stride;
    for (Size j = 0; j < a.channels; ++j) a.window[k * a.channels + j] = x[j];
  }
}

/// ln(1 + e^x) = max(x, 0) + 2 artanh(e / (2 + e)), e = exp(-|x|): a series in at most 1/9.
inline Lanes softplus(Lanes x) noexcept {
  const Lanes e = exp_of<Lanes, LaneBits>(x < 0 ? x : -x);
  const Lanes s = e / (e + 2.0f);
  const Lanes z = s * s;
  Lanes p = z * (2.0f / 15) + 2.0f / 13;
  p = p * z + 2.0f / 11;
  p = p * z + 2.0f / 9;
  p = p * z + 2.0f / 7;
  p = p * z + 2.0f / 5;
  p = p * z + 2.0f / 3;
  p = p * z + 2.0f;
  return (x < 0 ? Lanes{} : x) + p * s;
}

constexpr Size kTileParts = kScanTile / kLanes;

// One tile: the numbers of its channels stay in registers while the states pass.
void scan_tile(const SelectiveScanArgs& a, Size tile) noexcept {
  const Size first = tile * kScanTile;
  const Size channels = a.channels - first < kScanTile ? a.channels - first : kScanTile;
  const float* dt_weight = a.dt_weight + tile * a.rank * kScanTile;
  const float* rates = a.a + tile * a.states * kScanTile;
  float* state = a.state + tile * a.states * kScanTile;
  float x_part[kScanTile] = {}, z_part[kScanTile] = {}, y_part[kScanTile];
  for (Size t = 0; t < a.rows; ++t) {
    const float *x_row = a.x + t * a.channels + first, *z_row = a.z + t * a.z_stride + first;
    float* y_row = a.y + t * a.channels + first;
    const bool whole = channels == kScanTile;
    if (!whole) {
      for (Size j = 0; j < channels; ++j) x_part[j] = x_row[j];
      for (Size j = 0; j < channels; ++j) z_part[j] = z_row[j];
      x_row = x_part;
      z_row = z_part;
    }
    float* const to = whole ? y_row : y_part;
    const float *low = a.low + t * (a.rank + 2 * a.states), *b = low + a.rank, *c = b + a.states;
    for (Size p = 0; p < kScanTile; p += kLanes) {
      Lanes raw = load(a.dt_bias + first + p);
      for (Size r = 0; r < a.rank; ++r) raw += load(dt_weight + r * kScanTile + p) * low[r];
      const Lanes x = load(x_row + p), z = load(z_row + p), dt = softplus(raw);
      const Lanes taken = dt * x;
      Lanes y = load(a.skip + first + p) * x;
      for (Size n = 0; n < a.states; ++n) {
        float* at = state + n * kScanTile + p;
        const Lanes decay = power_of_two(dt * load(rates + n * kScanTile + p));
        const Lanes now = decay * load(at) + (taken * b[n] + kGrain);
        store(at, now);
        y += now * c[n];
      }
      store(to + p, y * (z / (exp_of<Lanes, LaneBits>(-z) + 1.0f)));
    }
    if (!whole) {
      for (Size j = 0; j < channels; ++j) y_row[j] = y_part[j];
    }
  }
}

void selective_scan(const SelectiveScanArgs& a) noexcept {
  for (Size tile = 0; tile < scan_tiles(a.channels); ++tile) scan_tile(a, tile);
}
