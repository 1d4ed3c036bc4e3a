#include <memory>
#include <string>
#include <utility>

#include "core/base/available_memory.hpp"
#include "core/nn/stock.hpp"
#include "core/trunk/opened_stock.hpp"

namespace cambium::trunk {
namespace {

// The model; the file itself is mapped where that is safe.
Result<void> check_memory(const std::filesystem::path& file) {
  std::error_code unreadable;
  const std::uintmax_t bytes = std::filesystem::file_size(file, unreadable);
  if (unreadable) return {};  // Stock::open() says what is wrong with it
  const std::uint64_t needed = bytes / 1024, left = base::available_memory_kb();
  if (needed <= left) return {};
  return Error{Code::limit, "'" + file.string() + "': to load it takes about " +
                                std::to_string(needed / 1024) + " MB, and " +
                                std::to_string(left / 1024) + " MB are left"};
}

}  // namespace

OpenStock stock_opener(ModelOptions options, std::optional<Precision> precision,
                       base::FileCheck check) {
  if (precision) options.precision = *precision;
  return [options, precision,
          check = std::move(check)](const std::filesystem::path& file) -> Result<OpenedStock> {
    if (auto fits = check_memory(file); !fits) return fits.error();
    auto mapped = nn::Stock::open_mapped(file, check);
    if (!mapped) return mapped.error();
    const auto stock = std::make_shared<const nn::Stock>(std::move(*mapped));
    const auto identity = stock->computed_identity();
    ModelOptions own = options;
    if (!precision) own.precision = stock->precision();
    return OpenedStock{.id = base::from_hex(identity.trunk),
                       .width = stock->shape().width,
                       .make_model = [stock, own]() -> Result<std::unique_ptr<TrunkModel>> {
                         auto model = load_model(stock->file(), own);
                         if (!model) return model;
                         if (auto same = stock->file().unchanged(); !same) return same.error();
                         return model;
                       }};
  };
}

}  // namespace cambium::trunk
