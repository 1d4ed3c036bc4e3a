// core/nn/pooling.hpp: which of the trunk's rows, or what of them, a head is given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cambium/result.hpp"

namespace cambium::nn {

enum class Pooling : std::uint8_t {
  none = 0,         ///< all rows
  mean = 1,         ///< one row, the mean of all
  last = 2,         ///< the last row
  max = 3,          ///< one row, the largest of each column
  action_token = 4  ///< the last `pooled` rows: those of the action tokens
};

/// "mean": the word of bundles and configs. [any, rt]
const char* to_string(Pooling pooling) noexcept;
/// The other way, or bad_argument naming the nearest. [setup]
Result<Pooling> pooling_from(std::string_view word);

/// Rows that pool() writes for `rows` rows. [any, rt]
std::uint32_t pooled_rows(Pooling pooling, std::uint32_t rows, std::uint32_t pooled) noexcept;

/// rows    (count, width)  of ONE robot; count >= 1, for action_token count >= pooled
/// pooled                  rows wanted by action_token, else not looked at
/// out     (pooled_rows(), width)  [any, rt]
void pool(Pooling pooling, const float* rows, std::uint32_t count, std::uint32_t width,
          std::uint32_t pooled, float* out) noexcept;

}  // namespace cambium::nn
