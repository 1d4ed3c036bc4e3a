#include <algorithm>
#include <charconv>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/base/nearest.hpp"
#include "core/nn/safetensors.hpp"
#include "core/nn/stored_weights.hpp"
#include "core/trunk/hpt_model.hpp"
#include "core/trunk/model.hpp"

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

/// The tensors below `prefix` as f32: where they lie if they are F32, else converted.
class AsF32 {
 public:
  static Result<AsF32> of(const nn::SafetensorsFile& file, const std::string& prefix) {
    AsF32 all;
    const auto stored = file.stored_views(prefix);
    nn::StoredWeights weights("'" + file.path().string() + "'", stored);
    for (const nn::StoredTensor& tensor : stored) {
      if (is_scale(tensor, stored)) continue;
      if (tensor.dtype == nn::DType::f32) {
        all.add(tensor, reinterpret_cast<const float*>(tensor.bytes.data()));
      } else if (tensor.dtype == nn::DType::i8 && tensor.shape.size() == 2) {
        const nn::StoredMatrix found =
            weights.matrix(tensor.name, tensor.shape[0], tensor.shape[1]);
        if (!weights.ok()) return weights.finish().error();
        all.converted_.emplace_back(tensor.size());
        found.read_rows(0, found.rows(), all.converted_.back().data());
        all.add(tensor, all.converted_.back().data());
      } else if (tensor.dtype == nn::DType::bf16 || tensor.dtype == nn::DType::f16) {
        all.converted_.push_back(std::move(file.read_f32(prefix + tensor.name).value()));
        all.add(tensor, all.converted_.back().data());
      } else {
        return Error{Code::incompatible, file.path().string() + ": tensor '" + prefix +
                                             tensor.name + "' is " + to_string(tensor.dtype) +
                                             ", expected F32, BF16 or F16, or I8 with scales"};
      }
    }
    return all;
  }
  std::span<const TensorView> views() const noexcept { return views_; }

 private:
  static bool is_scale(const nn::StoredTensor& tensor, std::span<const nn::StoredTensor> all) {
    return std::ranges::any_of(all, [&](const nn::StoredTensor& other) {
      return other.dtype == nn::DType::i8 && nn::scale_name(other.name) == tensor.name;
    });
  }
  void add(const nn::StoredTensor& tensor, const float* data) {
    names_.push_back(tensor.name);
    TensorView view{
        names_.back().c_str(), data, static_cast<std::uint32_t>(tensor.shape.size()), {}};
    std::ranges::copy(tensor.shape, view.shape);
    views_.push_back(view);
  }

  std::deque<std::string> names_;
  std::deque<std::vector<float>> converted_;
  std::vector<TensorView> views_;
};

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
  const auto weights = AsF32::of(file, prefix);
  if (!weights) return weights.error();
  auto made = HptModel::create(spec, weights->views(), options);
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
