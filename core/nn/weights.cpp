#include "core/nn/weights.hpp"

#include <algorithm>
#include <utility>

#include "core/base/nearest.hpp"

namespace cambium::nn {
namespace {

constexpr std::uint32_t kHighestRank = 5;

std::span<const std::uint64_t> shape_of(const TensorView& tensor) {
  return {tensor.shape, std::min(tensor.rank, kHighestRank)};
}

std::vector<std::string> names_of(std::span<const TensorView> weights) {
  std::vector<std::string> names;
  for (const auto& tensor : weights) {
    if (tensor.name != nullptr) names.emplace_back(tensor.name);
  }
  return names;
}

std::string near(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string best = base::nearest(name, candidates);
  return best.empty() ? "" : " (nearest: '" + best + "')";
}

}  // namespace

std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string text = "[";
  for (const auto size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

WeightReader::WeightReader(std::string owner, std::span<const TensorView> weights)
    : owner_(std::move(owner)), weights_(weights) {}

const TensorView* WeightReader::find(std::string_view name) const {
  for (const auto& tensor : weights_) {
    if (tensor.name != nullptr && name == tensor.name) return &tensor;
  }
  return nullptr;
}

std::vector<float> WeightReader::take(const std::string& name,
                                      std::initializer_list<std::uint64_t> shape) {
  taken_.push_back(name);
  if (!ok()) return {};
  const std::span<const std::uint64_t> expected(shape.begin(), shape.size());
  const TensorView* tensor = find(name);
  if (tensor == nullptr || tensor->data == nullptr) {
    problem_ = owner_ + ": tensor '" + name + "' " + shape_text(expected) + " is missing" +
               near(name, names_of(weights_));
    return {};
  }
  const auto found = shape_of(*tensor);
  if (tensor->rank > kHighestRank ||
      !std::equal(found.begin(), found.end(), expected.begin(), expected.end())) {
    problem_ = owner_ + ": tensor '" + name + "' has shape " + shape_text(found) + ", expected " +
               shape_text(expected);
    return {};
  }
  return {tensor->data, tensor->data + tensor->size()};
}

std::uint32_t WeightReader::dimension(const std::string& name, std::uint32_t axis) {
  if (!ok()) return 0;
  const TensorView* tensor = find(name);
  if (tensor == nullptr) {
    problem_ = owner_ + ": tensor '" + name + "' is missing" + near(name, names_of(weights_));
    return 0;
  }
  const auto found = shape_of(*tensor);
  if (axis >= found.size() || found[axis] == 0 || found[axis] > 65536) {
    problem_ = owner_ + ": tensor '" + name + "' has shape " + shape_text(found) +
               ", expected 1 to 65536 in dimension " + std::to_string(axis);
    return 0;
  }
  return static_cast<std::uint32_t>(found[axis]);
}

void WeightReader::ignore(std::string prefix) {
  ignored_.push_back(std::move(prefix));
}

Result<void> WeightReader::finish() {
  for (const auto& tensor : weights_) {
    if (!ok()) break;
    const std::string name = tensor.name == nullptr ? "" : tensor.name;
    const bool known =
        std::find(taken_.begin(), taken_.end(), name) != taken_.end() ||
        std::any_of(ignored_.begin(), ignored_.end(),
                    [&](const std::string& prefix) { return name.starts_with(prefix); });
    if (!known) {
      problem_ = owner_ + ": tensor '" + name + "' " + shape_text(shape_of(tensor)) +
                 " is not part of it" + near(name, taken_);
    }
  }
  if (ok()) return {};
  return Error{Code::incompatible, problem_};
}

}  // namespace cambium::nn
