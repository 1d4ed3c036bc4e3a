#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/nearest.hpp"
#include "core/nn/json_depth.hpp"
#include "core/nn/safetensors.hpp"
#include "core/trunk/models/checkpoint.hpp"

namespace cambium::trunk {
namespace {

constexpr std::pair<const char*, LoadArchitecture> kArchitectures[] = {
    {"hpt", load_hpt},
    {"streaming", load_streaming},
    {"infini", load_infini},
};

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

Result<nn::Parameters> hyper_parameters(const nn::SafetensorsFile& file) {
  nn::Parameters parameters;
  const auto found = file.metadata().find("hyper_parameters");
  if (found == file.metadata().end()) return parameters;
  const auto bad = [&] {
    return Error{Code::bad_data, file.path().string() +
                                     ": metadata 'hyper_parameters' is not a JSON object of texts"};
  };
  if (nn::json_depth(found->second) > 1) return bad();
  const auto object = nlohmann::json::parse(found->second, nullptr, false);
  if (!object.is_object()) return bad();
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) return bad();
    parameters[key] = value.get<std::string>();
  }
  return parameters;
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

Result<Checkpoint> read(const nn::SafetensorsFile& file, std::string architecture) {
  Checkpoint checkpoint;
  checkpoint.file = file.path().string();
  checkpoint.prefix = prefix_of(file);
  checkpoint.shape.architecture = std::move(architecture);
  std::pair<const char*, std::uint32_t*> numbers[] = {{"embed_dim", &checkpoint.shape.width},
                                                      {"num_blocks", &checkpoint.shape.blocks},
                                                      {"num_heads", &checkpoint.shape.heads},
                                                      {"mlp_ratio", &checkpoint.shape.mlp_ratio}};
  const bool hpt = checkpoint.shape.architecture == "hpt";
  for (const auto& [key, value] : std::span(numbers).first(hpt ? 4 : 3)) {
    auto found = count(file, key);
    if (!found) return std::move(found).error();
    *value = *found;
  }
  auto parameters = hyper_parameters(file);
  if (!parameters) return std::move(parameters).error();
  checkpoint.shape.hyper_parameters = std::move(*parameters);
  checkpoint.weights = file.stored_views(checkpoint.prefix);
  return checkpoint;
}

}  // namespace

Error Checkpoint::error(const Error& what) const {
  return {what.code, file + ": " + what.message + " (names without '" + prefix + "')"};
}

Result<std::unique_ptr<TrunkModel>> load_model(const nn::SafetensorsFile& file,
                                               const ModelOptions& options) {
  auto architecture = file.meta("architecture");
  if (!architecture) return std::move(architecture).error();
  std::vector<std::string> valid;
  for (const auto& [name, load] : kArchitectures) {
    if (*architecture == name) {
      auto checkpoint = read(file, *architecture);
      if (!checkpoint) return std::move(checkpoint).error();
      return load(*checkpoint, options);
    }
    valid.emplace_back(name);
  }
  return Error{Code::incompatible, file.path().string() + ": metadata 'architecture' is '" +
                                       *architecture + "', which no model here reads" +
                                       base::did_you_mean(*architecture, valid)};
}

}  // namespace cambium::trunk
