#include "core/nn/stock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/nearest.hpp"
#include "core/base/sha256.hpp"
#include "core/nn/safetensors_fields.hpp"

namespace cambium::nn {
namespace {

constexpr std::uint32_t kMaxWidth = 65536, kMaxBlocks = 1024, kMaxTokens = 4096;
constexpr std::uint32_t kMaxHorizon = 4096;  // as a bundle's

SharedStem parse_stem(Fields& metadata, const nlohmann::json& value, std::size_t index) {
  SharedStem stem;
  Fields in(value, fmt::format("{} 'shared_stems[{}]'", metadata.where(), index));
  in.text("sensor", stem.sensor);
  in.text("stem", stem.stem);
  in.counts("shape", stem.shape, 4, 0);
  in.count("horizon", stem.horizon, 1, kMaxTokens);
  in.count("tokens", stem.tokens, 0, kMaxTokens);
  in.text_map("parameters", stem.parameters);
  if (in.ok() && stem.shape.empty() != stem.each_number())
    in.fail("tokens", fmt::format("is {} and shape [{}], expected both given, or [] and 0 for one "
                                  "token for each number that a body has",
                                  stem.tokens, fmt::join(stem.shape, ", ")));
  metadata.adopt(in.finish());
  return stem;
}

SharedHead parse_head(Fields& metadata) {
  SharedHead head;
  const auto value = metadata.object("shared_head");
  if (!metadata.ok()) return head;
  Fields in(value, fmt::format("{} 'shared_head'", metadata.where()));
  in.text("name", head.head);
  in.text_map("parameters", head.parameters);
  in.count("horizon", head.horizon, 1, kMaxHorizon);
  metadata.adopt(in.finish());
  return head;
}

// Every tensor belongs to the trunk, or to a stem or head that the metadata names, and each has
// some. Without trunk and head, where only stems were read.
Result<void> check_tensors(const SafetensorsFile& file, std::span<const SharedStem> stems,
                           bool has_head, bool whole) {
  std::vector<std::string> prefixes;
  if (whole) prefixes.emplace_back(kTrunkPrefix);
  if (whole && has_head) prefixes.emplace_back(kSharedHeadPrefix);
  for (const SharedStem& stem : stems) prefixes.push_back(shared_stem_prefix(stem.sensor));
  std::vector<bool> used(prefixes.size(), false);
  for (const StoredTensor& tensor : file.tensors()) {
    const auto at = std::ranges::find_if(
        prefixes, [&](const std::string& prefix) { return tensor.name.starts_with(prefix); });
    if (at == prefixes.end())
      return Error{Code::bad_data,
                   fmt::format("'{}': tensor '{}' belongs to neither the trunk nor a shared stem "
                               "or head that the metadata names (prefixes: '{}')",
                               file.path().string(), tensor.name, fmt::join(prefixes, "', '"))};
    const auto index = static_cast<std::size_t>(at - prefixes.begin());
    if (prefixes[index] != kTrunkPrefix && tensor.dtype != DType::f32)
      return Error{Code::bad_data,
                   fmt::format("'{}': tensor '{}' is {}, shared stems and heads are F32",
                               file.path().string(), tensor.name, to_string(tensor.dtype))};
    used[index] = true;
  }
  for (std::size_t i = 0; i < prefixes.size(); ++i)
    if (!used[i])
      return Error{Code::bad_data, fmt::format("'{}': no tensor begins with '{}'",
                                               file.path().string(), prefixes[i])};
  return {};
}

void add_tensor(base::Sha256& sha, const StoredTensor& tensor) {
  sha.update(fmt::format("{} {} [{}]\n", tensor.name, to_string(tensor.dtype),
                         fmt::join(tensor.shape, ",")));
  sha.update(tensor.bytes);
}

// All metadata, because shape and parameters of the stems are in it.
std::string stems_id(const SafetensorsFile& file) {
  base::Sha256 sha;
  for (const auto& [key, value] : file.metadata())
    sha.update(fmt::format("{} {} {} {}\n", key.size(), key, value.size(), value));
  for (const StoredTensor& tensor : file.tensors())
    if (tensor.name.starts_with(kSharedStemsPrefix)) add_tensor(sha, tensor);
  return base::to_hex(sha.finish());
}

}  // namespace

std::vector<Parameter> views(const Parameters& parameters) {
  std::vector<Parameter> result;
  for (const auto& [key, value] : parameters) result.push_back({key.c_str(), value.c_str()});
  return result;
}

std::string shared_stem_prefix(std::string_view sensor) {
  return fmt::format("{}{}.", kSharedStemsPrefix, sensor);
}

std::string trunk_id(const TrunkShape& shape, const SafetensorsFile& file) {
  base::Sha256 sha;
  sha.update(fmt::format("{} {} {} {} {}\n", shape.architecture, shape.width, shape.blocks,
                         shape.heads, shape.mlp_ratio));
  for (const auto& [key, value] : shape.hyper_parameters)
    sha.update(fmt::format("{} {} {} {}\n", key.size(), key, value.size(), value));
  for (const StoredTensor& tensor : file.tensors())
    if (!tensor.name.starts_with(kSharedHeadPrefix)) add_tensor(sha, tensor);
  return base::to_hex(sha.finish());
}

Result<Stock> Stock::open(const std::filesystem::path& path, const base::FileCheck& check) {
  auto file = SafetensorsFile::open(path, check);
  if (!file) return file.error();
  auto stock = read(std::move(*file), true);
  if (!stock) return stock.error();
  stock->identity_ = stock->computed_identity();
  return stock;
}

Result<Stock> Stock::open_mapped(const std::filesystem::path& path, const base::FileCheck& check) {
  auto file = SafetensorsFile::open_mapped(path, check);
  if (!file) return file.error();
  return read(std::move(*file), true);
}

StockIdentity Stock::computed_identity() const {
  return {.trunk = nn::trunk_id(shape_, file_), .stems = stems_id(file_)};
}

Result<Stock> Stock::open_stems(const std::filesystem::path& path, const StockIdentity& identity) {
  auto file = SafetensorsFile::open_part(path, kSharedStemsPrefix);
  if (!file) return file.error();
  if (stems_id(*file) != identity.stems)
    return Error{Code::incompatible,
                 fmt::format("'{}': its shared stems or its metadata are not those that the host "
                             "has read; the file was replaced: put the old one back, or start the "
                             "host again",
                             path.string())};
  auto stock = read(std::move(*file), false);
  if (!stock) return stock.error();
  stock->identity_ = identity;
  return stock;
}

Result<Stock> Stock::read(SafetensorsFile file, bool whole) {
  Stock stock;
  stock.file_ = std::move(file);

  Fields in(stock.file_);
  std::size_t kind = 0;
  in.one_of("cambium.kind", {"stock"}, kind);
  in.text("architecture", stock.shape_.architecture);
  in.count("embed_dim", stock.shape_.width, 1, kMaxWidth);
  in.count("num_blocks", stock.shape_.blocks, 1, kMaxBlocks);
  in.count("num_heads", stock.shape_.heads, 1, kMaxWidth);
  // Others say in their hyper-parameters what follows their attention.
  if (stock.shape_.architecture == "hpt") in.count("mlp_ratio", stock.shape_.mlp_ratio, 1, 64);
  if (in.ok() && stock.shape_.width % stock.shape_.heads != 0)
    in.fail("embed_dim", fmt::format("is {}, not a multiple of num_heads = {}", stock.shape_.width,
                                     stock.shape_.heads));
  if (in.has("hyper_parameters")) in.text_map("hyper_parameters", stock.shape_.hyper_parameters);
  const auto stems = in.list("shared_stems");
  for (std::size_t i = 0; i < stems.size(); ++i) {
    auto stem = parse_stem(in, stems[i], i);
    if (stock.find_stem(stem.sensor) != nullptr)
      in.fail("shared_stems", fmt::format("names sensor '{}' twice", stem.sensor));
    stock.shared_stems_.push_back(std::move(stem));
  }
  if (in.has("shared_head")) stock.shared_head_ = parse_head(in);
  if (in.has("precision")) {
    std::vector<std::string> names;
    for (const Precision one : kPrecisions) names.emplace_back(to_string(one));
    std::size_t index = 0;
    in.one_of("precision", names, index);
    stock.precision_ = kPrecisions[index];
  }
  if (in.has("trained")) in.text("trained", stock.trained_);
  if (auto done = in.finish(); !done) return done.error();
  if (auto done =
          check_tensors(stock.file_, stock.shared_stems_, stock.shared_head_.has_value(), whole);
      !done)
    return done.error();
  return stock;
}

const SharedStem* Stock::find_stem(std::string_view sensor) const noexcept {
  const auto found = std::ranges::find(shared_stems_, sensor, &SharedStem::sensor);
  return found == shared_stems_.end() ? nullptr : &*found;
}

std::vector<TensorView> Stock::stem_weights(std::string_view sensor) const {
  return file_.views(shared_stem_prefix(sensor));
}

std::vector<TensorView> Stock::shared_head_weights() const {
  return file_.views(kSharedHeadPrefix);
}

Result<Stock> write_stock(const std::filesystem::path& file, const TrunkShape& shape,
                          std::span<const SharedStem> shared_stems,
                          std::span<const TensorToWrite> tensors, const std::string& trained,
                          const std::optional<SharedHead>& shared_head) {
  auto stems = nlohmann::ordered_json::array();
  for (const SharedStem& stem : shared_stems)
    stems.push_back({{"sensor", stem.sensor},
                     {"stem", stem.stem},
                     {"shape", stem.shape},
                     {"horizon", stem.horizon},
                     {"tokens", stem.tokens},
                     {"parameters", stem.parameters}});
  Metadata metadata = {{"cambium.kind", "stock"},
                       {"architecture", shape.architecture},
                       {"embed_dim", std::to_string(shape.width)},
                       {"num_blocks", std::to_string(shape.blocks)},
                       {"num_heads", std::to_string(shape.heads)},
                       {"shared_stems", stems.dump()}};
  if (shape.architecture == "hpt") metadata["mlp_ratio"] = std::to_string(shape.mlp_ratio);
  if (!shape.hyper_parameters.empty())
    metadata["hyper_parameters"] = nlohmann::ordered_json(shape.hyper_parameters).dump();
  if (shared_head)
    metadata["shared_head"] = nlohmann::ordered_json({{"name", shared_head->head},
                                                      {"parameters", shared_head->parameters},
                                                      {"horizon", shared_head->horizon}})
                                  .dump();
  if (!trained.empty()) metadata["trained"] = trained;
  if (auto done = write_safetensors(file, tensors, metadata); !done) return done.error();
  return Stock::open(file);
}

}  // namespace cambium::nn
