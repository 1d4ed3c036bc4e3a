// bench/bare_products.hpp: a trunk's matrix products and nothing else, on oneDNN alone: what the
// engine is held against. Shares no code with it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/nn/precision.hpp"

namespace cambium::bench {

struct BareSpec {
  std::uint32_t width = 0, blocks = 0, rows = 0;
  nn::Precision precision = nn::Precision::f32;
  std::vector<std::uint32_t> cores;  ///< one a thread
};

/// Four products a block. Each block has its own weights, packed as oneDNN likes them, so that they
/// come from where a trunk's weights come from; activations are the same memory again and again.
/// No bias, nothing fused.
class BareProducts {
 public:
  virtual ~BareProducts() = default;
  /// In words: which primitive, what comes out, whose threads.
  virtual const std::string& form() const noexcept = 0;
  /// All blocks, once unmeasured and then once for each of `ms`, on threads of its own that end
  /// with it. [setup]
  virtual void run(std::span<double> ms) = 0;
  /// After run(): the largest difference of some of the sums to the same in double, relative to the
  /// largest sum. [setup]
  virtual double error() const = 0;
};

/// Every form that oneDNN has for it. unavailable without oneDNN, or if it has none. [setup]
Result<std::vector<std::string>> bare_forms(const BareSpec& spec);
/// [setup]
Result<std::unique_ptr<BareProducts>> bare_products(const BareSpec& spec, const std::string& form);
/// Tries all forms for a moment (on 16 blocks, if there are more). [setup]
Result<std::unique_ptr<BareProducts>> fastest_bare_products(const BareSpec& spec);

/// "oneDNN 2.6.3, avx512_core_bf16", or that there is none. [setup]
std::string onednn_facts();

}  // namespace cambium::bench
