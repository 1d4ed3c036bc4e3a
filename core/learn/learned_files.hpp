// core/learn/learned_files.hpp: between a flat vector of weights and the files that a host reads.
#pragma once

#include <filesystem>
#include <string>

#include "cambium/result.hpp"
#include "core/learn/dataset.hpp"
#include "core/learn/policy.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/stock.hpp"

namespace cambium::learn {

/// Trunk and shared stems of a policy.
Result<nn::Stock> write_stock(const std::filesystem::path& file, const Policy& policy,
                              const std::vector<float>& weights, const std::string& trained);

/// What is one body's own, for the stock that it was trained on.
Result<nn::Bundle> write_bundle(const std::filesystem::path& file, const Policy& policy,
                                const Body& body, const Dataset& data, const Recipe& recipe,
                                const nn::Stock& stock, const std::vector<float>& weights,
                                const std::string& trained);

/// An empty policy with the trunk and shared stems of `stock`. `incompatible` if the stock has what
/// cannot be trained through: another architecture, stems that are not one token of one
/// observation.
Result<Policy> policy_on(const nn::Stock& stock);

/// Copies the stock's tensors to their places; the stock must have exactly the policy's.
Result<void> load_stock(const nn::Stock& stock, const Policy& policy, std::vector<float>& weights);

}  // namespace cambium::learn
