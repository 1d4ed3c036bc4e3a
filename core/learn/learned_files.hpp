// core/learn/learned_files.hpp: between a flat vector of weights and the files that a host reads.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/learn/dataset.hpp"
#include "core/learn/policy.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/stock.hpp"

namespace cambium::learn {

/// Trunk and shared stems of a policy.
Result<nn::Stock> write_stock(const std::filesystem::path& file, const Policy& policy,
                              const std::vector<float>& weights, const std::string& trained);

/// What is one body's own, for the stock that it was trained on: `data` says which of those that
/// the policy's body stands for. A shared head is written as its own.
Result<nn::Bundle> write_bundle(const std::filesystem::path& file, const Policy& policy,
                                const Dataset& data, const Recipe& recipe, const nn::Stock& stock,
                                const std::vector<float>& weights, const std::string& trained);

/// A shared stem as it is trained.
struct StemPlan {
  std::string sensor;
  std::vector<std::uint32_t> shape;  ///< empty: the joints stem
  std::vector<std::uint32_t> widths;
};

/// What a stock is made of, as far as training knows it.
struct StockPlan {
  std::vector<StemPlan> stems;
  std::optional<Policy::HeadSpec> head;  ///< its shared one: horizon and widths

  const StemPlan* find(std::string_view sensor) const noexcept;
  const StemPlan* joints() const noexcept;  ///< null if it has no joints stem
};

/// `incompatible` if the stock has what cannot be trained through: another architecture, stems that
/// are neither one token of one observation nor one a joint.
Result<StockPlan> plan_of(const nn::Stock& stock);

/// Copies the stock's trunk to its place, and its shared stems if the policy has some; the stock
/// must have exactly the policy's.
Result<void> load_stock(const nn::Stock& stock, const Policy& policy, std::vector<float>& weights);

/// Copies the stock's shared head to the body's, which is of the same shape.
Result<void> load_head(const nn::Stock& stock, const Policy& policy, const Body& body,
                       std::vector<float>& weights);

}  // namespace cambium::learn
