// core/transport/trust.hpp: what a process proves itself with to others, and whom it believes.
#pragma once

#include <filesystem>
#include <memory>

#include "cambium/result.hpp"
#include "core/base/curve_key.hpp"
#include "core/transport/allow_list.hpp"

namespace cambium::transport {

/// As [security] of a configuration names them; empty ones have the meaning said.
struct TrustFiles {
  std::filesystem::path key;     ///< own secret key; empty: no keys at all
  std::filesystem::path allow;   ///< who may connect; empty: only whoever has our own key
  std::filesystem::path server;  ///< public key of what we connect to; empty: it has our own key
};

/// The keys of one process. [any] after open()
struct Trust {
  base::SecretKey own;
  base::PublicKey own_public;
  base::PublicKey server;
  std::unique_ptr<AllowList> allowed;

  /// Null without a key. Errors name the file; `log` gets what changes later. [setup]
  static Result<std::unique_ptr<Trust>> open(const TrustFiles& files, AllowList::Log log = {});
};

}  // namespace cambium::transport
