// core/nn/onednn_linear.hpp: PreparedLinear on oneDNN; the library's only door. Built with
// CAMBIUM_ONEDNN.
#pragma once

#include <memory>

#include "core/nn/prepared_linear.hpp"

namespace cambium::nn {

/// failed, with oneDNN's words, if the library refuses. [setup]
Result<std::unique_ptr<PreparedLinear>> prepare_onednn_linear(const PreparedLinearSpec& spec);

}  // namespace cambium::nn
