// core/trunk/load_trunk.hpp: from a stock file to a model that has computed once, and how long that
// took.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "cambium/result.hpp"
#include "core/nn/stock.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// [ms] each; `hash` runs beside `pack`.
struct LoadTimes {
  double open = 0;     ///< header read and verified, file mapped or copied
  double hash = 0;     ///< identity computed from every byte
  double pack = 0;     ///< weights brought into the layout that they are computed in
  double warm_up = 0;  ///< first pass
  double all = 0;
};

struct LoadedTrunk {
  std::unique_ptr<TrunkModel> model;
  nn::StockIdentity identity;
  bool mapped = false;  ///< else the file was copied first
  LoadTimes took;
};

/// Maps the stock, makes its model while the identity is computed on a second thread, runs one pass
/// and lets go of the file: what stays in memory is the model's own. The identity is that of the
/// bytes that the model was made of. A model whose first pass is not finite is refused.
/// precision   of the products, as somebody asked for; none: as the stock says. Stands in for
///             options.precision.
/// check       as SafetensorsFile's
/// [setup]
Result<LoadedTrunk> load_trunk(const std::filesystem::path& stock, ModelOptions options,
                               std::optional<Precision> precision,
                               const base::FileCheck& check = {});

}  // namespace cambium::trunk
