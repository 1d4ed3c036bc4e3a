#include "core/transport/trust.hpp"

#include <utility>

#include "core/base/key_file.hpp"

namespace cambium::transport {

Result<std::unique_ptr<Trust>> Trust::open(const TrustFiles& files, AllowList::Log log) {
  if (files.key.empty()) {
    const auto& other = files.server.empty() ? files.allow : files.server;
    if (other.empty()) return std::unique_ptr<Trust>{};
    return Error{
        Code::bad_argument,
        "'" + other.string() +
            "' is of no use without a key of one's own; 'cambium keys new NAME' makes one"};
  }
  auto own = base::read_secret_key(files.key);
  if (!own) return own.error();
  const base::PublicKey own_public = own->public_key();
  base::PublicKey server = own_public;
  if (!files.server.empty()) {
    const auto named = base::read_public_key(files.server);
    if (!named) return named.error();
    server = named->key;
  }
  auto allowed = AllowList::open(files.allow, own_public, std::move(log));
  if (!allowed) return allowed.error();
  return std::make_unique<Trust>(std::move(*own), own_public, server, std::move(*allowed));
}

}  // namespace cambium::transport
