// core/trunk/opened_stock.hpp: a stock between "every byte of it was verified" and "its model
// runs".
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cambium/result.hpp"
#include "core/base/file_check.hpp"
#include "core/base/sha256.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

struct OpenedStock {
  base::Digest id{};
  std::uint32_t width = 0;
  /// Makes the model from the weights that were read. Where the model has threads, they inherit
  /// priority and cores of the caller's. [setup]
  std::function<Result<std::unique_ptr<TrunkModel>>()> make_model;
};

/// Reads and verifies; the sentence of an error names the file. [setup]
using OpenStock = std::function<Result<OpenedStock>(const std::filesystem::path&)>;

/// The one of a trunk process: its models get `options`. precision: as in load_trunk(). limit: a
/// model of that size needs more memory than there is left, told before the file is read. check: as
/// SafetensorsFile's.
OpenStock stock_opener(ModelOptions options, std::optional<Precision> precision,
                       base::FileCheck check = {});

}  // namespace cambium::trunk
