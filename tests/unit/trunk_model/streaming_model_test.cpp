// Attention sinks against the original's way of computing them, in f64; its numbers themselves are
// checked by tests/parity.
#include "core/trunk/models/streaming_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "tests/support/robot_memory.hpp"
#include "tests/unit/trunk_model/remembering_trunks.hpp"

namespace cambium::trunk {
namespace {

using test::RobotMemory;
using testing::AllOf;
using testing::HasSubstr;
using Numbers = std::vector<float>;
using Exact = std::vector<double>;

/// Keeps keys as they are and turns all of them anew at every step, by their place in the cache.
class Original {
 public:
  Original(const StreamingSpec& spec, const std::vector<TensorView>& weights) : spec_(spec) {
    for (const auto& one : weights) weights_[one.name] = &one;
    caches_.resize(spec.llama.blocks);
  }

  /// One step of all `rows`.
  Numbers step(const Numbers& rows) {
    const std::size_t width = spec_.llama.width, count = rows.size() / width;
    if (spec_.window.eviction != Eviction::after) evict(count);
    Exact x(rows.begin(), rows.end());
    for (std::uint32_t i = 0; i < spec_.llama.blocks; ++i) {
      const std::string name = LlamaStack::block_name(i);
      attend(name + "self_attn.", caches_[i], norm(x, name + "input_layernorm.weight"), x);
      const Exact n = norm(x, name + "post_attention_layernorm.weight");
      Exact gate = times(n, name + "mlp.gate_proj.weight");
      const Exact up = times(n, name + "mlp.up_proj.weight");
      for (std::size_t j = 0; j < gate.size(); ++j) gate[j] *= up[j] / (1 + std::exp(-gate[j]));
      add(times(gate, name + "mlp.down_proj.weight"), x);
    }
    if (spec_.window.eviction == Eviction::after) evict(0);
    const Exact y = norm(x, "model.norm.weight");
    return {y.begin(), y.end()};
  }

 private:
  struct Cache {
    std::vector<Exact> keys, values;  // of each token
  };

  /// Cuts to sinks and the newest, so that `coming` more have room.
  void evict(std::size_t coming) {
    const std::size_t start = spec_.window.start, recent = spec_.window.recent;
    for (Cache& cache : caches_) {
      if (cache.keys.size() + coming <= start + recent) continue;
      const auto gone = static_cast<std::ptrdiff_t>(cache.keys.size() + coming - recent);
      for (auto* all : {&cache.keys, &cache.values})
        all->erase(all->begin() + static_cast<std::ptrdiff_t>(start), all->begin() + gone);
    }
  }

  Exact norm(const Exact& x, const std::string& name) const {
    const std::size_t width = spec_.llama.width;
    Exact y(x.size());
    for (std::size_t r = 0; r < x.size(); r += width) {
      double squares = 0;
      for (std::size_t j = 0; j < width; ++j) squares += x[r + j] * x[r + j];
      for (std::size_t j = 0; j < width; ++j)
        y[r + j] = x[r + j] * weights_.at(name)->data[j] /
                   std::sqrt(squares / static_cast<double>(width) + spec_.llama.eps);
    }
    return y;
  }

  Exact times(const Exact& x, const std::string& name) const {
    const TensorView& weight = *weights_.at(name);
    const std::size_t out = weight.shape[0], in = weight.shape[1], rows = x.size() / in;
    Exact y(rows * out);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t o = 0; o < out; ++o)
        for (std::size_t j = 0; j < in; ++j)
          y[r * out + o] += x[r * in + j] * weight.data[o * in + j];
    return y;
  }

  static void add(const Exact& y, Exact& x) {
    for (std::size_t j = 0; j < x.size(); ++j) x[j] += y[j];
  }

  /// Head `head` of `row`, turned as at `position`.
  Exact turned(const double* row, std::size_t head, std::size_t position) const {
    const std::size_t dim = spec_.head_dim, half = dim / 2;
    Exact y(row + head * dim, row + (head + 1) * dim);
    for (std::size_t k = 0; k < half; ++k) {
      const double angle =
          static_cast<double>(position) *
          std::pow(spec_.rope_theta, -2.0 * static_cast<double>(k) / static_cast<double>(dim));
      const double low = y[k], high = y[k + half];
      y[k] = low * std::cos(angle) - high * std::sin(angle);
      y[k + half] = high * std::cos(angle) + low * std::sin(angle);
    }
    return y;
  }

  void attend(const std::string& name, Cache& cache, const Exact& n, Exact& x) const {
    const std::size_t dim = spec_.head_dim, group = spec_.heads / spec_.kv_heads,
                      cached = cache.keys.size();
    const Exact q = times(n, name + "q_proj.weight"), k = times(n, name + "k_proj.weight"),
                v = times(n, name + "v_proj.weight");
    const std::size_t columns = spec_.heads * dim, kv = spec_.kv_heads * dim,
                      count = q.size() / columns;
    for (std::size_t i = 0; i < count; ++i) {
      cache.keys.emplace_back(&k[i * kv], &k[i * kv] + kv);
      cache.values.emplace_back(&v[i * kv], &v[i * kv] + kv);
    }
    Exact mixed(q.size());
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t h = 0; h < spec_.heads; ++h) {
        const Exact query = turned(&q[i * columns], h, cached + i);
        Exact shares;
        double sum = 0;
        for (std::size_t j = 0; j <= cached + i; ++j) {
          const Exact key = turned(cache.keys[j].data(), h / group, j);
          double score = 0;
          for (std::size_t d = 0; d < dim; ++d) score += query[d] * key[d];
          shares.push_back(std::exp(score / std::sqrt(static_cast<double>(dim))));
          sum += shares.back();
        }
        for (std::size_t j = 0; j < shares.size(); ++j)
          for (std::size_t d = 0; d < dim; ++d)
            mixed[i * columns + h * dim + d] +=
                shares[j] / sum * cache.values[j][h / group * dim + d];
      }
    }
    add(times(mixed, name + "o_proj.weight"), x);
  }

  StreamingSpec spec_;
  std::map<std::string, const TensorView*> weights_;
  std::vector<Cache> caches_;
};

class Streaming : public testing::Test {
 protected:
  std::unique_ptr<TrunkModel> make(const StreamingSpec& spec) {
    auto made = StreamingModel::create(spec, nn::as_stored(weights(spec)),
                                       {.backend = Backend::eigen, .max_rows = 256});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  const std::vector<TensorView>& weights(const StreamingSpec& spec) {
    if (weights_.empty()) {
      fill(set_, spec);
      weights_ = set_.views();
    }
    return weights_;
  }
  static std::string refusal(const StreamingSpec& spec, std::uint32_t max_rows = 8) {
    const auto made = StreamingModel::create(spec, {}, {.max_rows = max_rows});
    return made ? "" : made.error().message;
  }
  static void expect_near(const Numbers& is, const Numbers& expected, double tolerance = 1e-5) {
    ASSERT_EQ(is.size(), expected.size());
    for (std::size_t i = 0; i < is.size(); ++i)
      ASSERT_NEAR(is[i], expected[i], tolerance) << "token " << i / kWidth;
  }

  test::WeightSet set_;
  std::vector<TensorView> weights_;
};

/// `tokens` in steps of `at_once`, as the original takes them.
Numbers feed(Original& original, const Numbers& rows, std::uint32_t at_once) {
  Numbers all;
  const std::size_t step = std::size_t{at_once} * kWidth;
  for (std::size_t at = 0; at < rows.size(); at += step) {
    const std::size_t end = std::min(at + step, rows.size());
    const Numbers y = original.step({rows.data() + at, rows.data() + end});
    all.insert(all.end(), y.begin(), y.end());
  }
  return all;
}

// The ring has wrapped around three times at the end.
TEST_F(Streaming, EvictsTokenByTokenAsTheOriginalDoes) {
  const Numbers rows = some_tokens(150);
  for (const auto eviction : {Eviction::after, Eviction::for_space}) {
    const auto spec = streaming_spec(eviction);
    Original original(spec, weights(spec));
    const auto model = make(spec);
    expect_near(RobotMemory(*model).feed(rows, 1), feed(original, rows, 1));
  }
}

TEST_F(Streaming, EvictsForAChunkAsTheOriginalDoes) {
  const auto spec = streaming_spec(Eviction::for_chunk);
  const auto model = make(spec);
  const Numbers rows = some_tokens(100);
  for (const std::uint32_t chunk : {1u, 2u, 5u, 16u, 17u, 21u}) {
    Original original(spec, weights(spec));
    expect_near(RobotMemory(*model).feed(rows, chunk), feed(original, rows, chunk));
  }
}

// A first request may fill the sinks as well; what has room needs no second piece.
TEST_F(Streaming, TakesAChunkAsLargeAsTheCacheInOnePiece) {
  const auto spec = streaming_spec(Eviction::for_chunk);
  const auto model = make(spec);
  const Numbers rows = some_tokens(24);
  Original original(spec, weights(spec));
  expect_near(RobotMemory(*model).feed(rows, 24), feed(original, rows, 24));
}

TEST_F(Streaming, AChunkLargerThanItsWindowIsTakenInPieces) {
  const auto spec = streaming_spec(Eviction::for_chunk);
  const auto model = make(spec);
  const Numbers rows = some_tokens(100);
  Original original(spec, weights(spec));
  expect_near(RobotMemory(*model).feed(rows, 100), feed(original, rows, 21));
}

TEST_F(Streaming, WorksWithoutSinksAndWithManyAndWithTheSmallestWindow) {
  const Numbers rows = some_tokens(60);
  for (const std::uint32_t start : {0u, 1u, 16u, 40u}) {
    for (const std::uint32_t recent : {1u, 2u, 33u}) {
      for (const auto eviction : {Eviction::after, Eviction::for_space}) {
        auto spec = streaming_spec(eviction);
        spec.window.start = start;
        spec.window.recent = recent;
        Original original(spec, weights(spec));
        const auto model = make(spec);
        const Numbers expected = feed(original, rows, 1);
        expect_near(RobotMemory(*model).feed(rows, 1), expected);
        expect_near(RobotMemory(*model).feed(rows, 60), expected);
      }
    }
  }
}

// What a token sees depends on no more than the sinks and what lies within its window in each
// block. So a robot that has come far must answer as one that has just begun, when enough of the
// same tokens have passed.
TEST_F(Streaming, PositionsAreExactAfterAThousandMillionTokens) {
  const auto spec = streaming_spec();
  const auto model = make(spec);
  const Numbers rows = some_tokens(spec.window.start + 3 * spec.window.recent + 40);
  const std::size_t first = std::size_t{spec.window.start} * kWidth;
  const Numbers sinks(rows.data(), rows.data() + first),
      later(rows.data() + first, rows.data() + rows.size());
  const Numbers expected = RobotMemory(*model).feed(rows, 1);
  for (const std::uint64_t ahead : {1'000'000ull, 1'000'000'007ull, 1ull << 53, ~0ull << 20}) {
    RobotMemory memory(*model);
    std::memset(memory.bytes(), 0, memory.size());  // sound numbers where nothing was written
    memory.feed(sinks, 1);
    const std::uint64_t seen = spec.window.start + ahead;
    std::memcpy(memory.bytes(), &seen, sizeof(seen));
    const Numbers is = memory.feed(later, 1);
    const std::ptrdiff_t newest = 40 * kWidth;
    expect_near({is.end() - newest, is.end()}, {expected.end() - newest, expected.end()});
  }
}

TEST_F(Streaming, TellsTheBytesOfASession) {
  const auto model = make(streaming_spec());  // 3 sinks: 16 slots; 21 + 15: 48 slots
  EXPECT_EQ(model->info().session_bytes, 64u + kBlocks * 2 * (16 + 48) * (10 + 16) * 4);
  EXPECT_EQ(model->info().architecture, "streaming");
  EXPECT_EQ(model->info().heads, 6u);
}

// The baseline of a benchmark: full attention is a window that is never full.
TEST_F(Streaming, BeginsAHugeMemoryWithoutTouchingIt) {
  auto spec = streaming_spec();
  spec.window.recent = 1U << 30;
  const auto model = make(spec);
  const std::uint64_t bytes = model->info().session_bytes;
  EXPECT_GT(bytes, 400ull << 30);
  std::vector<std::byte> little(64);
  model->begin(little.data());  // nothing behind it is written
}

TEST_F(Streaming, RefusesImpossibleNumbersAndNamesThem) {
  auto spec = streaming_spec();
  spec.kv_heads = 4;
  EXPECT_THAT(refusal(spec), AllOf(HasSubstr("'num_heads' is 6"), HasSubstr("'num_kv_heads' 4")));
  spec.kv_heads = 0;
  EXPECT_THAT(refusal(spec), HasSubstr("'num_kv_heads' 0"));
  spec = streaming_spec();
  spec.head_dim = 7;
  EXPECT_THAT(refusal(spec), HasSubstr("'head_dim' is 7; expected an even number"));
  spec = streaming_spec();
  spec.window.recent = 0;
  EXPECT_THAT(refusal(spec), HasSubstr("'recent_size' 0"));
  spec = streaming_spec();
  spec.rope_theta = 0.5;
  EXPECT_THAT(refusal(spec), HasSubstr("'rope_theta' is 0.5"));
  spec = streaming_spec();
  spec.llama.hidden = 0;
  EXPECT_THAT(refusal(spec), HasSubstr("an MLP of 0"));
  spec = streaming_spec();
  EXPECT_THAT(refusal(spec, 0), HasSubstr("at most 0 rows"));
  spec.window.recent = 1U << 30;
  spec.llama.blocks = 1024;
  spec.kv_heads = 2;
  EXPECT_THAT(refusal(spec), HasSubstr("TiB of each robot"));
}

// What metadata promises is believed only when the weights are there.
TEST_F(Streaming, TakesNoMemoryForAShapeThatItsWeightsDoNotHave) {
  auto spec = streaming_spec();
  spec.llama.width = 65536;
  spec.llama.hidden = 1U << 20;
  EXPECT_THAT(refusal(spec, 1U << 31), HasSubstr("'model.layers.0.input_layernorm.weight'"));
}

}  // namespace
}  // namespace cambium::trunk
