#include "core/adapters/json/json_listener.hpp"

#include <utility>

#include "core/adapters/json/line_listener.hpp"
#include "core/adapters/json/zeromq_listener.hpp"

namespace cambium::adapters {

Result<std::unique_ptr<gateway::Listener>> start_json(std::unique_ptr<gateway::Gateway> gateway) {
  return gateway->config().zeromq ? start_json_zeromq(std::move(gateway))
                                  : start_json_lines(std::move(gateway));
}

}  // namespace cambium::adapters
