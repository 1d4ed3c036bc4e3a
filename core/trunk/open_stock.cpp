#include <memory>
#include <string>
#include <utility>

#include "core/base/available_memory.hpp"
#include "core/nn/stock.hpp"
#include "core/trunk/opened_stock.hpp"

namespace cambium::trunk {
namespace {

// The file's bytes and what is computed with are both in memory while the model is made.
constexpr std::uint64_t kCopies = 2;

Result<void> check_memory(const std::filesystem::path& file) {
  std::error_code unreadable;
  const std::uintmax_t bytes = std::filesystem::file_size(file, unreadable);
  if (unreadable) return {};  // Stock::open() says what is wrong with it
  const std::uint64_t needed = kCopies * (bytes / 1024), left = base::available_memory_kb();
  if (needed <= left) return {};
  return Error{Code::limit, "'" + file.string() + "': to load it takes about " +
                                std::to_string(needed / 1024) + " MB, and " +
                                std::to_string(left / 1024) + " MB are left"};
}

}  // namespace

OpenStock stock_opener(ModelOptions options) {
  return [options](const std::filesystem::path& file) -> Result<OpenedStock> {
    if (auto fits = check_memory(file); !fits) return fits.error();
    auto read = nn::Stock::open(file);
    if (!read) return read.error();
    const auto stock = std::make_shared<const nn::Stock>(std::move(*read));
    return OpenedStock{
        .id = base::from_hex(stock->trunk_id()),
        .width = stock->shape().width,
        .make_model = [stock, options] { return load_model(stock->file(), options); }};
  };
}

}  // namespace cambium::trunk
