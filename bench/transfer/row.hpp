// bench/transfer/row.hpp: one training, judged once: everything that determines it, and what came
// of it.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "cambium/result.hpp"

namespace cambium::transfer {

/// Grows when recording, training or judging come to mean something else: rows of another revision
/// are left alone.
inline constexpr std::uint32_t kRevision = 2;

/// Two rows with the same key have the same outcome, but for seconds.
struct RowKey {
  std::string task, body;
  std::string mode;     ///< what the body grew on: learn::Ground
  std::string variant;  ///< how else it is trained: "" in the table, "new head"
  std::uint32_t demos = 0, seed = 0, steps = 0;
  std::uint32_t attempts = 0, replan = 1;
  std::uint64_t goals = 0;  ///< seed of the attempts
  std::string stock;        ///< what counts of the stock, 16 hex digits
  std::string recipe;       ///< what else counts, 16 hex digits

  auto operator<=>(const RowKey&) const = default;
};

struct Row {
  RowKey key;
  std::uint32_t succeeded = 0;
  double time = 0;                                             ///< [s] mean time to success
  double val_loss = std::numeric_limits<double>::quiet_NaN();  ///< NaN: nothing was held out
  std::uint64_t trained_params = 0;
  double seconds = 0;  ///< [s] of training, on one thread

  double success() const noexcept {
    return key.attempts == 0 ? 0 : static_cast<double>(succeeded) / key.attempts;
  }
};

/// One line of the results file, without its end.
std::string to_line(const Row& row);
/// bad_data says which key is wrong. Of another revision: a row without attempts.
Result<Row> row_from(std::string_view line);

/// "reach so101 stock, 10 demonstrations, seed 0, 1500 steps"
std::string describe(const RowKey& key);

}  // namespace cambium::transfer
