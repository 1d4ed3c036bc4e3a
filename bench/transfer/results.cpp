#include "bench/transfer/results.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>

namespace cambium::transfer {

Result<Results> Results::open(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return Error{Code::failed, fmt::format("'{}': cannot create the folder: {}", folder.string(),
                                           error.message())};
  Results results(folder);
  auto lock = base::FileLock::take(folder / "rows.lock");
  if (!lock)
    return Error{lock.error().code, fmt::format("'{}': {}; one run writes there at a time",
                                                folder.string(), lock.error().message)};
  results.lock_ = std::move(*lock);
  const auto whole = results.read();
  if (!whole) return whole.error();
  const std::string file = results.file().string();
  results.out_ =
      base::Descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!results.out_ || ::ftruncate(results.out_.get(), static_cast<off_t>(*whole)) != 0)
    return Error{Code::failed,
                 fmt::format("'{}': cannot be written: {}", file, std::strerror(errno))};
  return results;
}

Result<Results> Results::look(const std::filesystem::path& folder) {
  Results results(folder);
  std::error_code error;
  if (!std::filesystem::exists(results.file(), error))
    return Error{Code::not_found,
                 fmt::format("'{}': no rows were measured there", folder.string())};
  if (auto whole = results.read(); !whole) return whole.error();
  return results;
}

Result<std::uint64_t> Results::read() {
  std::ifstream in(file(), std::ios::binary);
  std::uint64_t whole = 0;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line) && !in.eof(); ++number) {
    auto row = row_from(line);
    if (!row)
      return Error{row.error().code,
                   fmt::format("'{}', line {}: {}; take the line out to have its row made again",
                               file().string(), number, row.error().message)};
    whole += line.size() + 1;
    if (row->key.attempts > 0) rows_.emplace(row->key, std::move(*row));
  }
  return whole;
}

const Row* Results::find(const RowKey& key) const noexcept {
  const auto found = rows_.find(key);
  return found == rows_.end() ? nullptr : &found->second;
}

Result<void> Results::append(std::span<const Row> rows) {
  std::string text;
  for (const Row& row : rows) text += to_line(row) + "\n";
  const auto fail = [&](const char* what) {
    return Error{Code::failed, fmt::format("'{}': {}", file().string(), what)};
  };
  if (!out_) return fail("was only opened to look");
  if (::write(out_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fdatasync(out_.get()) != 0)
    return fail(std::strerror(errno));
  for (const Row& row : rows) rows_.emplace(row.key, row);
  return {};
}

}  // namespace cambium::transfer
