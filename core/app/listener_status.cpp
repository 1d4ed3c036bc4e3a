#include "core/app/listener_status.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace cambium::app {

using nlohmann::json;

void add_listeners(const adapters::Listeners& listeners, json& status) {
  json& all = status["listeners"] = json::array();
  for (const auto& listener : listeners) {
    const gateway::ListenerStatus one = listener->status();
    json clients = json::array();
    for (const auto& client : one.clients)
      clients.push_back({{"client", client.client},
                         {"robot", client.robot},
                         {"answers", client.answers},
                         {"holds", client.holds},
                         {"refused", client.refused},
                         {"why", client.why},
                         {"age_s", client.age_s}});
    all.push_back({{"protocol", one.protocol},
                   {"endpoint", one.endpoint},
                   {"served", one.served},
                   {"refused", one.refused},
                   {"clients", std::move(clients)}});
  }
}

void print_listeners(const json& status) {
  for (const auto& listener : status.value("listeners", json::array())) {
    fmt::print("{} at {}: {} clients until now, {} refusals\n", listener.value("protocol", ""),
               listener.value("endpoint", ""), listener.value("served", std::uint64_t{0}),
               listener.value("refused", std::uint64_t{0}));
    for (const auto& client : listener.value("clients", json::array()))
      fmt::print(
          "  {:<28} drives {:<12} {:>7} chunks, {} of them hold, {} refused, {:.1f} s ago  {}\n",
          client.value("client", ""), client.value("robot", ""),
          client.value("answers", std::uint64_t{0}), client.value("holds", std::uint64_t{0}),
          client.value("refused", std::uint64_t{0}), client.value("age_s", 0.0),
          client.value("why", ""));
  }
}

}  // namespace cambium::app
