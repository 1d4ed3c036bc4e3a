#include "bench/transfer/stocks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <vector>

#include "core/base/sha256.hpp"

namespace cambium::transfer {
namespace {

constexpr std::size_t kDigits = 16;

std::string digest_of(const std::string& text) {
  base::Sha256 hash;
  hash.update(text);
  return base::to_hex(hash.finish()).substr(0, kDigits);
}

Result<std::string> digest_of_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  base::Sha256 hash;
  std::vector<char> bytes(std::size_t{1} << 20);
  while (in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())) || in.gcount() > 0)
    hash.update(std::string_view(bytes.data(), static_cast<std::size_t>(in.gcount())));
  if (in.bad() || !in.eof())
    return Error{Code::failed, fmt::format("'{}': cannot be read", file.string())};
  return base::to_hex(hash.finish());
}

/// All that makes the architecture, which every ground has.
std::string shape_of(const nn::Stock& stock) {
  const nn::TrunkShape& shape = stock.shape();
  std::string text = fmt::format("{} {} {} {} {} {}", shape.architecture, shape.width, shape.blocks,
                                 shape.heads, shape.mlp_ratio, shape.hyper_parameters);
  for (const nn::SharedStem& stem : stock.shared_stems())
    text += fmt::format("\n{} {} {} {} {} {}", stem.sensor, stem.stem, stem.shape, stem.horizon,
                        stem.tokens, stem.parameters);
  if (const auto& head = stock.shared_head())
    text += fmt::format("\n{} {} {}", head->head, head->horizon, head->parameters);
  return text;
}

}  // namespace

std::string NamedStock::id(const std::string& ground) const {
  if (ground == "stock") return digest.substr(0, kDigits);
  std::string text = shape_of(stock);
  if (ground == "trunk") text += "\n" + stock.trunk_id();
  return digest_of(text);
}

Result<std::shared_ptr<const NamedStock>> open_stock(const std::filesystem::path& file) {
  auto stock = nn::Stock::open(file);
  if (!stock) return stock.error();
  auto digest = digest_of_file(file);
  if (!digest) return digest.error();
  return std::make_shared<const NamedStock>(
      NamedStock{file, std::move(*stock), std::move(*digest)});
}

void Stocks::add(const std::shared_ptr<const NamedStock>& stock) {
  for (const char* ground : {"stock", "trunk", "random"}) by_id_[stock->id(ground)] = stock;
}

Result<std::shared_ptr<const NamedStock>> Stocks::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end())
    return Error{Code::incompatible, fmt::format("no stock of this run has the id {}", id)};
  return found->second;
}

std::string id_of(const learn::Recipe& recipe) {
  return digest_of(fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {}", recipe.batch,
                               recipe.learning_rate, recipe.ready_head_rate, recipe.weight_decay,
                               recipe.warm_up, recipe.final_fraction, recipe.clip, recipe.beta,
                               recipe.validation, recipe.clamp, recipe.stem_widths,
                               recipe.head_widths, recipe.private_sensors));
}

}  // namespace cambium::transfer
