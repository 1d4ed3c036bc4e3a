// core/trunk/models/checkpoint.hpp: what a trunk's file says of its model, for who builds it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/nn/stock.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// Shape and weights of one file; borrows the file.
struct Checkpoint {
  std::string file;      ///< for errors
  nn::TrunkShape shape;  ///< hyper_parameters as the file has them, unread
  std::string prefix;    ///< that was taken off the names: "trunk."
  std::vector<nn::StoredTensor> weights;

  /// "'F': what (names without 'trunk.')" [setup]
  Error error(const Error& what) const;
};

/// Builds the model of one architecture; its own hyper-parameters are read with
/// nn::ParameterReader, which refuses unknown ones. [setup]
using LoadArchitecture = Result<std::unique_ptr<TrunkModel>> (*)(const Checkpoint& checkpoint,
                                                                 const ModelOptions& options);

// One for each architecture, beside its model.
Result<std::unique_ptr<TrunkModel>> load_hpt(const Checkpoint& checkpoint,
                                             const ModelOptions& options);
Result<std::unique_ptr<TrunkModel>> load_streaming(const Checkpoint& checkpoint,
                                                   const ModelOptions& options);
Result<std::unique_ptr<TrunkModel>> load_infini(const Checkpoint& checkpoint,
                                                const ModelOptions& options);

}  // namespace cambium::trunk
