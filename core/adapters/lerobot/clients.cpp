#include "core/adapters/lerobot/clients.hpp"

#include <utility>

namespace cambium::adapters {
namespace {

// Without the port.
std::string machine_of(const std::string& peer) {
  return peer.substr(0, peer.rfind(':'));
}

}  // namespace

std::string address_of(const std::string& peer) {
  std::string address = peer.substr(peer.find(':') + 1);
  for (const auto& [code, sign] : {std::pair{"%5B", "["}, std::pair{"%5D", "]"}})
    if (const auto at = address.find(code); at != std::string::npos) address.replace(at, 3, sign);
  return address;
}

void LerobotClients::sweep() {
  std::erase_if(clients_, [](const auto& entry) { return entry.second->over(); });
}

Result<std::shared_ptr<LerobotClient>> LerobotClients::come(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  sweep();
  if (ended_) return Error{Code::unavailable, "this listener ends"};
  if (const auto found = clients_.find(peer); found != clients_.end()) {
    found->second->connection_again();
    return found->second;
  }
  const auto most = gateway_.config().max_clients;
  if (clients_.size() >= most)
    return Error{Code::busy, "max_clients = " + std::to_string(most) + " are connected already"};
  return clients_[peer] = std::make_shared<LerobotClient>(gateway_, "lerobot " + address_of(peer));
}

std::shared_ptr<LerobotClient> LerobotClients::find(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  sweep();
  auto found = clients_.find(peer);
  if (found == clients_.end()) {
    std::size_t closed = 0;
    for (auto at = clients_.begin(); at != clients_.end(); ++at)
      if (machine_of(at->first) == machine_of(peer) && at->second->gone()) {
        found = at;
        ++closed;
      }
    if (closed != 1) return nullptr;  // nobody, or nobody knows which
    auto entry = clients_.extract(found);
    entry.key() = peer;
    found = clients_.insert(std::move(entry)).position;
  }
  found->second->connection_again();
  return found->second;
}

std::vector<std::shared_ptr<LerobotClient>> LerobotClients::dismiss() {
  std::vector<std::shared_ptr<LerobotClient>> leaving;
  const std::lock_guard lock(mutex_);
  for (auto at = clients_.begin(); at != clients_.end();) {
    if (!at->second->gone()) {
      ++at;
      continue;
    }
    at->second->leave();
    leaving.push_back(std::move(at->second));
    at = clients_.erase(at);
  }
  return leaving;
}

void LerobotClients::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  for (const auto& [peer, client] : clients_) client->leave();
}

}  // namespace cambium::adapters
