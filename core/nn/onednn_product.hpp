// core/nn/onednn_product.hpp: Product on oneDNN; the library's only door. Built with
// CAMBIUM_ONEDNN.
#pragma once

#include <memory>

#include "core/nn/product.hpp"

namespace cambium::nn {

/// failed, with oneDNN's words, if the library refuses. [setup]
Result<std::unique_ptr<Product>> make_onednn_product(const ProductSpec& spec);

/// As choose_precision(). [setup]
ChosenPrecision choose_onednn_precision(Precision wanted);

}  // namespace cambium::nn
