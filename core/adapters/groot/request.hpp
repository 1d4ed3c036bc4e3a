// core/adapters/groot/request.hpp: what a client's message asks for. The same map in all
// generations: {"endpoint", "data", "api_token"}.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cambium/result.hpp"
#include "core/formats/msgpack.hpp"

namespace cambium::groot {

enum class Endpoint : std::uint8_t { get_action, get_modality_config, reset, ping, kill };

/// Borrows the message.
struct Request {
  const formats::Value* endpoint = nullptr;  ///< null: not named
  const formats::Value* data = nullptr;      ///< null: none, or nil
  std::string_view token;                    ///< empty: none, or no text
  formats::ArrayDialect dialect = formats::ArrayDialect::none;
};

/// Generation N1 sent what torch.save() writes, a zip with a pickle in it: never opened. [any]
bool is_torch_file(std::span<const std::byte> bytes) noexcept;

/// bad_data unless the message is a map. Whether its token fits is asked before anything else of
/// it is looked at. [any]
Result<Request> read_request(const formats::MsgpackMessage& message);

/// A request that names none is for get_action. not_found: with the nearest name. [any]
Result<Endpoint> endpoint_of(const Request& request);

}  // namespace cambium::groot
