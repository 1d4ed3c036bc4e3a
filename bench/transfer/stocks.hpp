// bench/transfer/stocks.hpp: the stocks that bodies are grafted onto, by what counts of them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "cambium/result.hpp"
#include "core/learn/recipe.hpp"
#include "core/nn/stock.hpp"

namespace cambium::transfer {

/// A stock and its names among rows. A row is known by what its outcome depends on and no more:
/// with a stock that was trained longer, rows of `stock` and `trunk` are new ones, and those in
/// which only its shape counts stay.
struct NamedStock {
  std::filesystem::path file;
  nn::Stock stock;
  std::string digest;  ///< SHA-256 of the file, in hex

  /// 16 hex digits: of `stock` the whole file, of `trunk` its trunk and all shapes, of other
  /// grounds the shapes alone.
  std::string id(const std::string& ground) const;
};

/// Errors as nn::Stock::open(). [setup]
Result<std::shared_ptr<const NamedStock>> open_stock(const std::filesystem::path& file);

/// Which stock the rows of a key stand on, for all grounds.
class Stocks {
 public:
  void add(const std::shared_ptr<const NamedStock>& stock);
  /// incompatible if none of those that were added has this id.
  Result<std::shared_ptr<const NamedStock>> find(const std::string& id) const;

 private:
  std::map<std::string, std::shared_ptr<const NamedStock>> by_id_;
};

/// 16 hex digits over all that a recipe says and a row's own key does not.
std::string id_of(const learn::Recipe& recipe);

}  // namespace cambium::transfer
