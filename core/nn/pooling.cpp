#include "core/nn/pooling.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/base/nearest.hpp"

namespace cambium::nn {
namespace {

constexpr const char* kWords[] = {"none", "mean", "last", "max", "action_token"};

}  // namespace

const char* to_string(Pooling pooling) noexcept {
  return kWords[static_cast<std::size_t>(pooling)];
}

Result<Pooling> pooling_from(std::string_view word) {
  for (std::size_t i = 0; i < std::size(kWords); ++i) {
    if (word == kWords[i]) return static_cast<Pooling>(i);
  }
  const std::vector<std::string> valid(std::begin(kWords), std::end(kWords));
  return Error{Code::bad_argument,
               "pooling '" + std::string(word) + "' is unknown" + base::did_you_mean(word, valid)};
}

std::uint32_t pooled_rows(Pooling pooling, std::uint32_t rows, std::uint32_t pooled) noexcept {
  if (pooling == Pooling::none) return rows;
  return pooling == Pooling::action_token ? pooled : 1;
}

void pool(Pooling pooling, const float* rows, std::uint32_t count, std::uint32_t width,
          std::uint32_t pooled, float* out) noexcept {
  const std::size_t w = width;
  if (pooling == Pooling::none || pooling == Pooling::last || pooling == Pooling::action_token) {
    const std::uint32_t kept = pooled_rows(pooling, count, pooled);
    std::memcpy(out, rows + (count - kept) * w, kept * w * sizeof(float));
    return;
  }
  std::memcpy(out, rows, w * sizeof(float));
  for (std::uint32_t r = 1; r < count; ++r) {
    const float* row = rows + r * w;
    if (pooling == Pooling::mean) {
      for (std::size_t j = 0; j < w; ++j) out[j] += row[j];
    } else {
      // `out >= row` is false for not-a-number on either side; keep it whichever side it is on.
      for (std::size_t j = 0; j < w; ++j) {
        if (!(out[j] >= row[j]) && out[j] == out[j]) out[j] = row[j];
      }
    }
  }
  if (pooling != Pooling::mean) return;
  const float share = 1.0f / static_cast<float>(count);
  for (std::size_t j = 0; j < w; ++j) out[j] *= share;
}

}  // namespace cambium::nn
