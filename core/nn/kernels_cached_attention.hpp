// core/nn/kernels_cached_attention.hpp: attention of a few queries over many remembered keys; a
// part of kernels_impl.hpp. Keys lie so that a register is one number of several keys, values so
// that it is several numbers of one: both are read once, in the order in which they lie, and no sum
// runs across lanes but those of the softmax, which goes along (largest and sum so far) and needs
// no scores but those of a tile.

constexpr Size kBlock = kCachedBlock;
constexpr int kBlockRegisters = static_cast<int>(kBlock / kLanes);
constexpr Size kTile = 128;        // keys whose scores are kept
constexpr float kUnseen = -1e30f;  // score of a key that a query does not see
static_assert(kTile % kBlock == 0 && kBlock % kLanes == 0);

/// What has been seen so far, of all queries.
struct Seen {
  float* mixed;    // (rows, width): values times their shares, not yet divided
  float* largest;  // (rows): score
  float* sum;      // (rows): of the shares
  float* scores;   // (4, kTile)
  Size width;      // of a value, padded to whole blocks
};

/// scores (R, kTile) of `blocks` blocks of keys. So many sums run beside each other that an
/// addition need not wait for the last one.
template <int R>
void score_cached(const float* const (&q)[R], const float* keys, Size blocks, Size dim, float scale,
                  float* scores) noexcept {
  constexpr int kRegisters = R * kBlockRegisters;
  constexpr Size kSums = kRegisters >= 8 ? 1 : 8 / kRegisters;
  for (Size b = 0; b < blocks; ++b, scores += kBlock) {
    Lanes sum[kSums][R][kBlockRegisters] = {};
    Size d = 0;
    for (; d + kSums <= dim; d += kSums, keys += kSums * kBlock) {
      for (Size u = 0; u < kSums; ++u) {
        for (int j = 0; j < kBlockRegisters; ++j) {
          const Lanes key = load(keys + u * kBlock + kLanes * j);
          for (int r = 0; r < R; ++r) sum[u][r][j] += key * q[r][d + u];
        }
      }
    }
    for (; d < dim; ++d, keys += kBlock) {
      for (int j = 0; j < kBlockRegisters; ++j) {
        const Lanes key = load(keys + kLanes * j);
        for (int r = 0; r < R; ++r) sum[0][r][j] += key * q[r][d];
      }
    }
    for (int r = 0; r < R; ++r) {
      for (int j = 0; j < kBlockRegisters; ++j) {
        Lanes all = sum[0][r][j];
        for (Size u = 1; u < kSums; ++u) all += sum[u][r][j];
        store(scores + r * kTile + kLanes * j, all * scale);
      }
    }
  }
}

/// mixed (R rows, C lanes) = mixed * kept + shares times values [from, to). U sums beside each
/// other.
template <int R, int C, int U>
void mix_cached(const float* shares, const float* values, Size width, Size from, Size to,
                const float (&kept)[R], float* mixed) noexcept {
  Lanes sum[U][R][C] = {};
  values += from * width;
  Size k = from;
  for (; k + U <= to; k += U) {
    for (int u = 0; u < U; ++u, values += width) {
      for (int c = 0; c < C; ++c) {
        const Lanes value = load(values + kLanes * c);
        for (int r = 0; r < R; ++r) sum[u][r][c] += value * shares[r * kTile + k + u];
      }
    }
  }
  for (; k < to; ++k, values += width) {
    for (int c = 0; c < C; ++c) {
      const Lanes value = load(values + kLanes * c);
      for (int r = 0; r < R; ++r) sum[0][r][c] += value * shares[r * kTile + k];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      Lanes all = sum[0][r][c];
      for (int u = 1; u < U; ++u) all += sum[u][r][c];
      float* const to_row = mixed + r * width + kLanes * c;
      store(to_row, load(to_row) * kept[r] + all);
    }
  }
}

template <int R>
void mix_all_cached(const float* shares, const float* values, Size width, Size from, Size to,
                    const float (&kept)[R], float* mixed) noexcept {
  constexpr int kWide = R * 4 * kBlockRegisters > 16 ? 2 : 4;
  constexpr int kFew = R == 1 ? 4 : 1;
  Size at = 0;
  for (; at + kWide * kLanes <= width; at += kWide * kLanes)
    mix_cached<R, kWide, 1>(shares, values + at, width, from, to, kept, mixed + at);
  for (; at < width; at += kLanes)
    mix_cached<R, 1, kFew>(shares, values + at, width, from, to, kept, mixed + at);
}

/// Adds slots [slot, slot + slots) of a run to what R rows from `row` on have seen.
template <int R>
void attend_cached(const CachedAttentionArgs& a, const CachedRun& run, Size row, Size slot,
                   Size slots, const Seen& seen) noexcept {
  // Of the tile, what each row sees; and what any of them sees.
  Size first[R], last[R], from = slots, to = 0;
  const float* q[R];
  for (int r = 0; r < R; ++r) {
    const Size token = (row + r) / a.group, head = (row + r) % a.group;
    q[r] = run.q + token * run.q_stride + head * a.dim;
    first[r] = run.first[token] > slot ? run.first[token] - slot : 0;
    last[r] = run.last[token] > slot ? run.last[token] - slot : 0;
    if (last[r] > slots) last[r] = slots;
    if (first[r] >= last[r]) {
      first[r] = last[r] = 0;
      continue;
    }
    from = first[r] < from ? first[r] : from;
    to = last[r] > to ? last[r] : to;
  }
  if (from >= to) return;
  const Size begin = from / kBlock * kBlock, end = (to + kBlock - 1) / kBlock * kBlock;
  score_cached<R>(q, run.keys + (slot + begin) * a.dim, (end - begin) / kBlock, a.dim, a.scale,
                  seen.scores + begin);
  float kept[R];
  for (int r = 0; r < R; ++r) {
    float* const scores = seen.scores + r * kTile;
    kept[r] = 1;
    if (last[r] == 0) {
      for (Size k = from; k < to; ++k) scores[k] = 0;
      continue;
    }
    // What is not seen may be anything: never written, or another token's.
    for (Size k = begin; k < first[r]; ++k) scores[k] = kUnseen;
    for (Size k = last[r]; k < end; ++k) scores[k] = kUnseen;
    Lanes most = load(scores + begin);
    for (Size k = begin + kLanes; k < end; k += kLanes) most = larger(most, load(scores + k));
    const float before = seen.largest[row + r], here = largest_of(most)[0];
    const float largest = here > before ? here : before;
    kept[r] = exp_of(before - largest);
    Lanes sum = {};
    for (Size k = begin; k < end; k += kLanes) {
      const Lanes share = exp_of<Lanes, LaneBits>(load(scores + k) - largest);
      store(scores + k, share);
      sum += share;
    }
    for (Size k = from; k < first[r]; ++k) scores[k] = 0;
    for (Size k = last[r]; k < to; ++k) scores[k] = 0;
    seen.largest[row + r] = largest;
    seen.sum[row + r] = seen.sum[row + r] * kept[r] + sum_of(sum)[0];
  }
  mix_all_cached<R>(seen.scores, run.values + slot * seen.width, seen.width, from, to, kept,
                    seen.mixed + row * seen.width);
}

void cached_attention(const CachedAttentionArgs& a) noexcept {
  const Size rows = a.tokens * a.group, width = cached_value_width(a.value_dim);
  const Seen seen = {.mixed = a.scratch,
                     .largest = a.scratch + rows * width,
                     .sum = a.scratch + rows * (width + 1),
                     .scores = a.scratch + rows * (width + 2),
                     .width = width};
  for (Size i = 0; i < rows * width; ++i) seen.mixed[i] = 0;
  for (Size r = 0; r < rows; ++r) {
    seen.largest[r] = kUnseen;
    seen.sum[r] = 0;
  }
  for (Size i = 0; i < a.run_count; ++i) {
    const CachedRun& run = a.runs[i];
    for (Size slot = 0; slot < run.slots; slot += kTile) {
      const Size slots = run.slots - slot < kTile ? run.slots - slot : kTile;
      Size row = 0;
      for (; row + 4 <= rows; row += 4) attend_cached<4>(a, run, row, slot, slots, seen);
      if (row + 2 <= rows) {
        attend_cached<2>(a, run, row, slot, slots, seen);
        row += 2;
      }
      if (row < rows) attend_cached<1>(a, run, row, slot, slots, seen);
    }
  }
  for (Size r = 0; r < rows; ++r) {
    float* const out = a.out + r / a.group * a.out_stride + r % a.group * a.value_dim;
    const float inverse = 1.0f / seen.sum[r];
    for (Size d = 0; d < a.value_dim; ++d) out[d] = seen.mixed[r * width + d] * inverse;
  }
}

void remember_key(const float* key, Size dim, Size slot, float* keys) noexcept {
  float* const to = keys + slot / kBlock * kBlock * dim + slot % kBlock;
  for (Size d = 0; d < dim; ++d) to[d * kBlock] = key[d];
}

void remember_value(const float* value, Size dim, Size slot, float* values) noexcept {
  const Size width = cached_value_width(dim);
  float* const row = values + slot * width;
  for (Size d = 0; d < dim; ++d) row[d] = value[d];
  for (Size d = dim; d < width; ++d) row[d] = 0;  // what was there may be no number
}

void rotate(const float* x, Size heads, Size dim, const float* turn, float* y) noexcept {
  const Size half = dim / 2;
  for (Size h = 0; h < heads; ++h, x += dim, y += dim) {
#pragma omp simd
    for (Size i = 0; i < half; ++i) {
      const float low = x[i], high = x[i + half];
      y[i] = low * turn[i] - high * turn[i + half];
      y[i + half] = high * turn[i] + low * turn[i + half];
    }
  }
}
