#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "core/base/nearest.hpp"
#include "core/nn/safetensors.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/models/hpt_model.hpp"

namespace cambium::trunk {
namespace {

Result<std::uint32_t> count(const nn::SafetensorsFile& file, std::string_view key) {
  auto text = file.meta(key);
  if (!text) return std::move(text).error();
  std::uint32_t value = 0;
  const char *first = text->data(), *last = first + text->size();
  const auto read = std::from_chars(first, last, value);
  if (read.ec != std::errc() || read.ptr != last || value == 0 || value > 65536) {
    return Error{Code::bad_data, file.path().string() + ": metadata '" + std::string(key) +
                                     "' is '" + *text + "', expected a whole number, 1 to 65536"};
  }
  return value;
}

/// The trunk alone has `trunk.blocks.…`; a checkpoint of a whole policy has `trunk.trunk.blocks.…`.
std::string prefix_of(const nn::SafetensorsFile& file) {
  const std::string whole = "trunk.trunk.";
  const auto tensors = file.tensors();
  const bool found = std::any_of(tensors.begin(), tensors.end(), [&](const nn::StoredTensor& t) {
    return t.name.starts_with(whole);
  });
  return found ? whole : "trunk.";
}

Result<std::unique_ptr<TrunkModel>> load_hpt(const nn::SafetensorsFile& file,
                                             const ModelOptions& options) {
  HptSpec spec;
  const std::pair<const char*, std::uint32_t*> numbers[] = {{"embed_dim", &spec.width},
                                                            {"num_blocks", &spec.blocks},
                                                            {"num_heads", &spec.heads},
                                                            {"mlp_ratio", &spec.mlp_ratio}};
  for (const auto& [key, value] : numbers) {
    auto found = count(file, key);
    if (!found) return std::move(found).error();
    *value = *found;
  }
  const std::string prefix = prefix_of(file);
  auto made = HptModel::create(spec, file.stored_views(prefix), options);
  if (!made) {
    return Error{made.error().code, file.path().string() + ": " + made.error().message +
                                        " (names without '" + prefix + "')"};
  }
  return made;
}

}  // namespace

Result<std::unique_ptr<TrunkModel>> load_model(const nn::SafetensorsFile& file,
                                               const ModelOptions& options) {
  using Load =
      Result<std::unique_ptr<TrunkModel>> (*)(const nn::SafetensorsFile&, const ModelOptions&);
  static constexpr std::pair<const char*, Load> kArchitectures[] = {{"hpt", load_hpt}};
  auto architecture = file.meta("architecture");
  if (!architecture) return std::move(architecture).error();
  std::vector<std::string> valid;
  for (const auto& [name, load] : kArchitectures) {
    if (*architecture == name) return load(file, options);
    valid.emplace_back(name);
  }
  return Error{Code::incompatible, file.path().string() + ": metadata 'architecture' is '" +
                                       *architecture + "', which no model here reads" +
                                       base::did_you_mean(*architecture, valid)};
}

}  // namespace cambium::trunk
