// bench/transfer/results.hpp: finished rows in a file, so that a measurement of hours can be
// stopped at any moment and goes on where it was.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "bench/transfer/row.hpp"
#include "core/base/descriptor.hpp"
#include "core/base/file_lock.hpp"

namespace cambium::transfer {

/// `rows.jsonl` of a folder: one row a line, appended whole. One process at a time; threads take
/// turns outside.
class Results {
 public:
  /// Makes the folder, reads what is there. A last line without its end is what a killed run left
  /// behind, and is cut off; any other line that is no row is bad_data with its number. busy if
  /// another run writes there. [setup]
  static Result<Results> open(const std::filesystem::path& folder);
  /// What is there so far, also while a run writes on; append() is refused. [setup]
  static Result<Results> look(const std::filesystem::path& folder);

  /// Null if it is still to be done.
  const Row* find(const RowKey& key) const noexcept;
  std::size_t size() const noexcept { return rows_.size(); }
  const std::filesystem::path& folder() const noexcept { return folder_; }

  /// On the disk before it returns; all of them or, after a crash, the first of them.
  Result<void> append(std::span<const Row> rows);

 private:
  explicit Results(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path file() const { return folder_ / "rows.jsonl"; }
  /// Bytes of whole lines.
  Result<std::uint64_t> read();

  std::filesystem::path folder_;
  std::optional<base::FileLock> lock_;
  base::Descriptor out_;
  std::map<RowKey, Row> rows_;
};

}  // namespace cambium::transfer
