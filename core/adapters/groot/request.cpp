#include "core/adapters/groot/request.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <variant>
#include <vector>

#include "core/base/nearest.hpp"
#include "core/formats/text.hpp"

namespace cambium::groot {
namespace {

// In the order of Endpoint.
const std::vector<std::string>& names() {
  static const std::vector<std::string> all = {"get_action", "get_modality_config", "reset", "ping",
                                               "kill"};
  return all;
}

}  // namespace

bool is_torch_file(std::span<const std::byte> bytes) noexcept {
  constexpr std::array kZip = {std::byte{'P'}, std::byte{'K'}, std::byte{3}, std::byte{4}};
  return bytes.size() >= kZip.size() && std::ranges::equal(bytes.first(kZip.size()), kZip);
}

Result<Request> read_request(const formats::MsgpackMessage& message) {
  if (!message.root.as<formats::Map>())
    return Error{Code::bad_data,
                 "a request is a map with 'endpoint' and 'data'; this message is none"};
  Request request;
  request.endpoint = message.root.find("endpoint");
  request.data = message.root.find("data");
  if (request.data && request.data->as<std::monostate>()) request.data = nullptr;
  if (const auto* token = message.root.find("api_token"))
    if (const auto* text = token->as<std::string_view>()) request.token = *text;
  request.dialect = message.dialect;
  return request;
}

Result<Endpoint> endpoint_of(const Request& request) {
  if (!request.endpoint) return Endpoint::get_action;
  const auto* name = request.endpoint->as<std::string_view>();
  if (!name) return Error{Code::bad_data, "Unknown endpoint: the value of 'endpoint' is no text"};
  const auto found = std::ranges::find(names(), *name);
  if (found == names().end())
    return Error{Code::not_found,
                 "Unknown endpoint: " + formats::shown(*name) + base::did_you_mean(*name, names())};
  return static_cast<Endpoint>(found - names().begin());
}

}  // namespace cambium::groot
